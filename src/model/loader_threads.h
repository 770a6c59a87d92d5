// A few threads of low priority, for CPU and disk, on which models are loaded: a load must not be
// felt in the tail of its neighbours. Threads start with the first task. Thread-safe.
#pragma once

#include <absl/functional/any_invocable.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace supernova::model {

class LoaderThreads {
 public:
  using Task = absl::AnyInvocable<void()>;

  explicit LoaderThreads(size_t threads) : size_(threads) {}
  ~LoaderThreads() { stop(); }
  // Tasks start in the order given. After stop() the task runs on this thread.
  void submit(Task task);
  // Runs what is queued (tasks that look at a flag of their own end soon) and ends the threads.
  void stop();

 private:
  void work();

  const size_t size_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace supernova::model
