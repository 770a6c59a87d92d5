// A few threads of low priority, for CPU and disk, on which models are loaded: a load must not be
// felt in the tail of its neighbours. Threads start with the first task. Thread-safe.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace supernova::model {

class LoaderThreads {
 public:
  using Task = absl::AnyInvocable<void()>;

  // `settled` is called on one of the threads when there has been nothing to do for `settle_after`
  // since a task; it should be short.
  explicit LoaderThreads(size_t threads, std::function<void()> settled = nullptr,
                         std::chrono::milliseconds settle_after = std::chrono::milliseconds(100))
      : size_(threads), settled_(std::move(settled)), settle_after_(settle_after) {}
  ~LoaderThreads() { stop(); }
  // Tasks start in the order given. After stop() the task runs on this thread.
  void submit(Task task);
  // Runs what is queued (tasks that look at a flag of their own end soon) and ends the threads.
  void stop();

 private:
  void work();
  void wait_for_task(std::unique_lock<std::mutex>& lock);

  const size_t size_;
  const std::function<void()> settled_;
  const std::chrono::milliseconds settle_after_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool is_settled_ = true;
  bool stopping_ = false;
};

}  // namespace supernova::model
