// The way of requests into a model's sessions. A request for an idle, cheap model runs at once on
// the thread that brings it, where that thread allows it; the others wait in a bounded queue for a
// thread of the pool, where they may be joined into batches. Thread-safe. Completions are called
// without a lock held, on whatever thread the answer is found.
//
// A run that nobody waits for any more, because all of its requests are cancelled or past their
// deadlines, is asked to end early, and they are answered CANCELLED or DEADLINE_EXCEEDED. One that
// has the answer all the same by then is answered with it.
//
// A session whose run answers UNAVAILABLE has lost its device: its requests go to the model's other
// sessions, if there are any, each request once. From then on it is tried with one request every
// few seconds, and serves again when that is answered.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "schedule/options.h"
#include "tensor/request.h"

namespace supernova::schedule {

struct ScheduledSession {
  std::unique_ptr<engine::Session> session;
  size_t limit = 0;    // runs that may overlap, within what the session allows; 0 = as many
  std::string device;  // where it is, for messages
};

class Scheduler {
 public:
  // What it does now and has done.
  struct Figures {
    size_t queued = 0;
    size_t running = 0;
    uint64_t runs = 0;
    uint64_t runs_here = 0;  // of them on the threads that brought the requests
    uint64_t batches = 0;    // of them of more than one request
    uint64_t moved = 0;      // requests that went to another session, theirs having lost its device
    uint64_t stopped = 0;    // runs that were asked to end early
    bool cheap = false;      // runs may happen where they are asked for
  };
  struct InstanceFigures {
    std::string device;
    uint64_t runs = 0;
    std::string lost;  // why it takes no requests but for trials; "" = it takes them
  };

  // At least one session, all of the same model.
  Scheduler(std::vector<ScheduledSession> sessions, const SchedulerOptions& options);
  Scheduler(std::vector<std::unique_ptr<engine::Session>> sessions,
            const SchedulerOptions& options);
  Scheduler(std::unique_ptr<engine::Session> session, const SchedulerOptions& options);
  // Stops. Within a completion of this scheduler's own it does not wait: what is queued is still
  // finished, and the sessions close after it.
  ~Scheduler();

  // Finishes what is queued and running and takes nothing more. Not to be called within a
  // completion of this scheduler's.
  void stop();

  // UNAVAILABLE when the queue is full or stopped, or the time that the configuration gives the
  // request in the queue is over; CANCELLED or DEADLINE_EXCEEDED when it no longer counts by the
  // time its turn comes, or its run was ended early. At most one request is run within the call,
  // and none within a completion.
  void enqueue(tensor::Request request, tensor::Completion done);

  const engine::Session& session() const;  // the first
  size_t queued() const;                   // requests that wait for their turn
  Figures figures() const;
  std::vector<InstanceFigures> instances() const;  // in the order they were given
  // From now on every request is run by itself.
  void disable_batching(std::string_view reason);

 private:
  friend class DrainScope;
  class Core;
  std::shared_ptr<Core> core_;
};

// On a thread that reads many sockets, while it lives: requests for models that batch are held back
// until drain(), which joins what all of the sockets brought and runs it here, where it is cheap,
// or wakes one thread of the pool. The thread must call drain() before it waits for sockets again.
class DrainScope {
 public:
  DrainScope();
  ~DrainScope();  // drains
  DrainScope(const DrainScope&) = delete;
  DrainScope& operator=(const DrainScope&) = delete;

  void drain();
  bool holds() const { return !held_.empty(); }

 private:
  friend class Scheduler;
  static DrainScope* of_this_thread();
  void add(std::shared_ptr<Scheduler::Core> core);

  std::vector<std::shared_ptr<Scheduler::Core>> held_;
  std::vector<std::shared_ptr<Scheduler::Core>> draining_;  // keeps its memory
  DrainScope* outer_;
};

}  // namespace supernova::schedule
