// A few threads of low priority, for CPU and disk, on which models are loaded: a load must not be
// felt in the tail of its neighbours. Threads start with the first task. Thread-safe.
//
// A task that has been in a base::LongWait for a while lends its place to the next one, so that
// loads whose worker does not answer don't keep others from theirs. It does not wait for a place
// again when that is over, as it may hold what others need; until the surplus is done no task
// begins.
#pragma once

#include <absl/functional/any_invocable.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/long_wait.h"

namespace supernova::model {

class LoaderThreads : private base::WaitListener {
 public:
  using Task = absl::AnyInvocable<void()>;
  // So many places are lent at the most: each task that waits may hold a model's bytes.
  static constexpr size_t kMaxLent = 16;

  // `settled` is called on one of the threads when there has been nothing to do for `settle_after`
  // since a task; it should be short.
  explicit LoaderThreads(size_t threads, std::function<void()> settled = nullptr,
                         std::chrono::milliseconds settle_after = std::chrono::milliseconds(100),
                         std::chrono::milliseconds lend_after = std::chrono::milliseconds(1000))
      : size_(std::max<size_t>(threads, 1)),
        settled_(std::move(settled)),
        settle_after_(settle_after),
        lend_after_(lend_after) {}
  ~LoaderThreads() { stop(); }
  // Tasks start in the order given. After stop() the task runs on this thread.
  void submit(Task task);
  // Runs what is queued (tasks that look at a flag of their own end soon) and ends the threads.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;

  void work();
  void wait_begins() override;
  void wait_ends() override;
  // All with the lock held.
  void wait_for_task(std::unique_lock<std::mutex>& lock);
  void add_thread();
  bool has_place() const;
  Clock::time_point next_place() const;

  const size_t size_;
  const std::function<void()> settled_;
  const std::chrono::milliseconds settle_after_;
  const std::chrono::milliseconds lend_after_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;
  std::vector<std::thread> threads_;
  std::map<std::thread::id, Clock::time_point> waits_;  // since when threads wait
  size_t running_ = 0;                                  // tasks, those that wait too
  size_t idle_ = 0;
  bool is_settled_ = true;
  bool stopping_ = false;
};

}  // namespace supernova::model
