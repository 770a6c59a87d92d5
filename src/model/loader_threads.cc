#include "model/loader_threads.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/usual_priority.h"

namespace supernova::model {
namespace {

// Of this thread only, as far as the system lets us; both are no more than a courtesy.
void lower_priority() {
  constexpr int kNice = 10;
  constexpr int kIoWhoThread = 1;
  constexpr int kIoBestEffort = 2;
  constexpr int kIoClassShift = 13;
  constexpr int kIoLowest = 7;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kNice);
  ::syscall(SYS_ioprio_set, kIoWhoThread, 0, (kIoBestEffort << kIoClassShift) | kIoLowest);
}

}  // namespace

void LoaderThreads::submit(Task task) {
  std::unique_lock lock(mutex_);
  if (stopping_) {
    lock.unlock();
    return task();
  }
  tasks_.push_back(std::move(task));
  add_thread();
  wake_.notify_one();
}

// Where there are tasks that nobody is there for, and it may be had.
void LoaderThreads::add_thread() {
  const size_t most = size_ + std::min(waits_.size(), kMaxLent);
  if (stopping_ || idle_ >= tasks_.size() || threads_.size() >= most) return;
  base::keep_usual_priority();
  threads_.emplace_back([this] { work(); });
}

void LoaderThreads::wait_begins() {
  std::lock_guard lock(mutex_);
  waits_[std::this_thread::get_id()] = Clock::now();
  add_thread();
  wake_.notify_all();
}

void LoaderThreads::wait_ends() {
  std::lock_guard lock(mutex_);
  waits_.erase(std::this_thread::get_id());
}

bool LoaderThreads::has_place() const {
  const auto long_ago = Clock::now() - lend_after_;
  const auto lent = static_cast<size_t>(std::count_if(
      waits_.begin(), waits_.end(), [&](const auto& wait) { return wait.second <= long_ago; }));
  return running_ < size_ + std::min(lent, kMaxLent);
}

// When one may be lent; the end of time while nobody waits who has not lent his yet.
LoaderThreads::Clock::time_point LoaderThreads::next_place() const {
  auto next = Clock::time_point::max();
  const auto now = Clock::now();
  for (const auto& [thread, since] : waits_) {
    if (since + lend_after_ > now) next = std::min(next, since + lend_after_);
  }
  return next;
}

void LoaderThreads::wait_for_task(std::unique_lock<std::mutex>& lock) {
  const auto has_reason = [this] { return stopping_ || (!tasks_.empty() && has_place()); };
  ++idle_;
  // The last one to become idle waits a while, and is not the last if another got work meanwhile.
  if (settled_ && !is_settled_ && idle_ == threads_.size() &&
      !wake_.wait_for(lock, settle_after_, has_reason) && idle_ == threads_.size()) {
    is_settled_ = true;
    lock.unlock();
    settled_();
    lock.lock();
  }
  while (!has_reason()) {
    const auto next = tasks_.empty() ? Clock::time_point::max() : next_place();
    if (next == Clock::time_point::max()) {
      wake_.wait(lock);
    } else {
      wake_.wait_until(lock, next);
    }
  }
  --idle_;
}

void LoaderThreads::work() {
  lower_priority();
  base::set_wait_listener(this);
  std::unique_lock lock(mutex_);
  while (true) {
    wait_for_task(lock);
    if (tasks_.empty()) return;
    ++running_;
    {
      is_settled_ = false;
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
    }
    lock.lock();
    --running_;
  }
}

void LoaderThreads::stop() {
  std::vector<std::thread> threads;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
  }
  wake_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace supernova::model
