// The queue in front of one session. Requests wait in a bounded queue for the session's worker; a
// full queue answers at once. One request runs at a time, also on an engine that answers later from
// a thread of its own. Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/engine.h"
#include "tensor/request.h"

namespace supernova::schedule {

struct SchedulerOptions {
  size_t max_queue_size = 1024;
};

class Scheduler {
 public:
  Scheduler(std::unique_ptr<engine::Session> session, const SchedulerOptions& options);
  ~Scheduler();  // stops

  // Finishes what is queued and running and takes nothing more. Must be called, once, before the
  // last owner lets go on a thread that completes requests; the destructor calls it otherwise.
  void stop();

  // UNAVAILABLE when the queue is full or stopped; CANCELLED or DEADLINE_EXCEEDED when the request
  // no longer counts by the time its turn comes.
  void enqueue(tensor::Request request, tensor::Completion done);
  // Requests that wait for their turn.
  size_t queued() const;
  const engine::Session& session() const { return *session_; }

 private:
  struct Item {
    tensor::Request request;
    tensor::Completion done;
    tensor::Timing::Point queued;
  };
  void work();

  std::unique_ptr<engine::Session> session_;
  SchedulerOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> queue_;
  bool stopping_ = false;
  bool running_ = false;  // the session has a request whose answer has not come
  std::thread worker_;
};

}  // namespace supernova::schedule
