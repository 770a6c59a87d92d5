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
  if (idle_ < tasks_.size() && threads_.size() < std::max<size_t>(size_, 1)) {
    base::keep_usual_priority();
    threads_.emplace_back([this] { work(); });
  }
  wake_.notify_one();
}

void LoaderThreads::wait_for_task(std::unique_lock<std::mutex>& lock) {
  const auto has_reason = [this] { return stopping_ || !tasks_.empty(); };
  ++idle_;
  // The last one to become idle waits a while, and is not the last if another got work meanwhile.
  if (settled_ && !is_settled_ && idle_ == threads_.size() &&
      !wake_.wait_for(lock, settle_after_, has_reason) && idle_ == threads_.size()) {
    is_settled_ = true;
    lock.unlock();
    settled_();
    lock.lock();
  }
  wake_.wait(lock, has_reason);
  --idle_;
}

void LoaderThreads::work() {
  lower_priority();
  std::unique_lock lock(mutex_);
  while (true) {
    wait_for_task(lock);
    if (tasks_.empty()) return;
    {
      is_settled_ = false;
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
    }
    lock.lock();
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
