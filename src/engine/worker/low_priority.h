// For the worker's work that may cost its neighbours much.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <ctime>
#include <mutex>

namespace supernova::engine::worker {

// From its making on, the calling thread and the threads that it starts use what processor time
// others leave; for the thread there is no way back. While the object lives, a thread of its own
// sees to it that the calling one gives the processor up when others want it.
class LowPriority {
 public:
  // Names the calling thread.
  explicit LowPriority(const char* name);
  LowPriority(const LowPriority&) = delete;
  LowPriority& operator=(const LowPriority&) = delete;
  ~LowPriority();

 private:
  static void* pace(void* self);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_over_ = false;
  clockid_t clock_{};
  bool is_paced_ = false;
  pthread_t pacer_{};
};

// Gives it to all threads where the calling one has it. In a signal handler too.
void lower_all_if_low();

}  // namespace supernova::engine::worker
