// The threads on which models run, as many as the processors that this process may use keep busy,
// shared by all models: a model without work has no thread. Whoever has work gets turns, one after
// the other. Where every thread stays in a long run while others wait, spare threads help out for
// as long as that lasts. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>

#include "schedule/clock.h"

namespace supernova::schedule {

class WorkSource {
 public:
  virtual ~WorkSource() = default;
  // One turn, on a thread of the pool. True: another turn is wanted, after the others'.
  virtual bool work() = 0;
};

class WorkerPool {
 public:
  // `threads` >= 1 start when they are needed, but the first.
  explicit WorkerPool(int threads, Clock& clock = Clock::steady());
  // Gives the turns that are asked for and returns when the threads are gone; not to be called on
  // one of them.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // The process' own, of device::process_thread_budget() threads.
  static WorkerPool& shared();

  // Gives `source` a turn. The pool keeps it alive until its turns are over.
  void submit(std::shared_ptr<WorkSource> source);
  // Lets go of `object` on a thread of the pool.
  void dispose(std::shared_ptr<void> object);

  int threads() const;          // the most that run without spare ones
  int threads_started() const;  // now
  uint64_t submitted() const;   // turns that were handed to another thread

 private:
  struct Core;
  std::shared_ptr<Core> core_;
};

}  // namespace supernova::schedule
