#include "model/steward.h"

#include <malloc.h>

#include <condition_variable>
#include <map>
#include <set>
#include <vector>

namespace supernova::model {

struct Steward::Core {
  struct Waiter {
    Clock::time_point deadline;
    std::function<void()> then;
  };
  using Waiters = std::multimap<const ModelVersion*, Waiter>;

  void work();
  void let_go(ModelVersion* version);
  // With the lock held; moves the waiters that need wait no longer to `due`.
  void collect(const ModelVersion* closed);
  void collect_late();
  void wait(std::unique_lock<std::mutex>& lock);

  std::mutex mutex;
  std::condition_variable wake;
  std::set<const ModelVersion*> alive;
  std::vector<std::unique_ptr<ModelVersion>> closing;
  std::vector<std::function<void()>> due;
  Waiters waiters;
  bool stopping = false;
  bool stopped = false;
};

void Steward::Core::let_go(ModelVersion* version) {
  std::unique_ptr<ModelVersion> owned(version);
  std::lock_guard lock(mutex);
  if (stopped) return;  // closed here and now, after the lock
  closing.push_back(std::move(owned));
  wake.notify_all();
}

void Steward::Core::collect(const ModelVersion* closed) {
  const auto [first, last] = waiters.equal_range(closed);
  for (auto at = first; at != last; ++at) due.push_back(std::move(at->second.then));
  waiters.erase(first, last);
}

void Steward::Core::collect_late() {
  const auto now = Clock::now();
  for (auto at = waiters.begin(); at != waiters.end();) {
    if (!stopping && at->second.deadline > now) {
      ++at;
      continue;
    }
    due.push_back(std::move(at->second.then));
    at = waiters.erase(at);
  }
}

void Steward::Core::wait(std::unique_lock<std::mutex>& lock) {
  auto until = Clock::time_point::max();
  for (const auto& [version, waiter] : waiters) until = std::min(until, waiter.deadline);
  if (until == Clock::time_point::max()) {
    wake.wait(lock);
  } else {
    wake.wait_until(lock, until);
  }
}

void Steward::Core::work() {
  bool closed_some = false;
  std::unique_lock lock(mutex);
  while (true) {
    if (!closing.empty()) {
      std::unique_ptr<ModelVersion> version = std::move(closing.back());
      closing.pop_back();
      const ModelVersion* const which = version.get();
      lock.unlock();
      version->drain();
      version.reset();
      lock.lock();
      alive.erase(which);
      collect(which);
      closed_some = true;
    } else if (closed_some) {
      closed_some = false;
      lock.unlock();
      ::malloc_trim(0);
      lock.lock();
    } else if (collect_late(); !due.empty()) {
      const auto now_due = std::exchange(due, {});
      lock.unlock();
      for (const auto& then : now_due) then();
      lock.lock();
    } else if (stopping) {
      stopped = true;
      return;
    } else {
      wait(lock);
    }
  }
}

Steward::Steward() : core_(std::make_shared<Core>()) {
  thread_ = std::thread([core = core_] { core->work(); });
}

Steward::~Steward() { stop(); }

VersionHandle Steward::own(std::unique_ptr<ModelVersion> version) {
  {
    std::lock_guard lock(core_->mutex);
    core_->alive.insert(version.get());
  }
  return {version.release(), [core = core_](ModelVersion* last) { core->let_go(last); }};
}

void Steward::when_closed(const ModelVersion* version, Clock::time_point deadline,
                          std::function<void()> then) {
  std::lock_guard lock(core_->mutex);
  if (core_->alive.contains(version)) {
    core_->waiters.emplace(version, Core::Waiter{deadline, std::move(then)});
  } else {
    core_->due.push_back(std::move(then));
  }
  core_->wake.notify_all();
}

void Steward::stop() {
  {
    std::lock_guard lock(core_->mutex);
    core_->stopping = true;
    core_->wake.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace supernova::model
