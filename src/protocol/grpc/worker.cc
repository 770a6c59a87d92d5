#include "protocol/grpc/worker.h"

#include <pthread.h>

#include "protocol/grpc/arrival.h"
#include "protocol/grpc/infer_call.h"
#include "schedule/scheduler.h"

namespace supernova::protocol::grpc {
namespace {

// While some wait, a call that arrives finds one without a lock.
constexpr size_t kMostWaiting = 32;
constexpr size_t kFewWaiting = 8;
// Requests for models that batch are held back no longer than so many events, however busy the
// sockets are.
constexpr int kMostHeldEvents = 256;

}  // namespace

Worker::Worker(const CallHouse& house, OpenCalls& open)
    : house_(house), open_(open), queue_(grpc_completion_queue_create_for_next(nullptr)) {}

Worker::~Worker() { grpc_completion_queue_destroy(queue_); }

void Worker::run(Door door) {
  pthread_setname_np(pthread_self(), "sn-grpc");
  door_ = door;
  ask_for_infer_calls();
  Arrival others(*this);
  others.ask();
  const gpr_timespec at_once = gpr_inf_past(GPR_CLOCK_MONOTONIC);
  const gpr_timespec ever = gpr_inf_future(GPR_CLOCK_MONOTONIC);
  schedule::DrainScope scope;
  int held_events = 0;
  for (;;) {
    // What every other socket has brought meanwhile goes into the same batch.
    const bool holds = scope.holds();
    const grpc_event event = grpc_completion_queue_next(queue_, holds ? at_once : ever, nullptr);
    if (event.type == GRPC_QUEUE_SHUTDOWN) return;
    if (event.type == GRPC_OP_COMPLETE) {
      static_cast<Operation*>(event.tag)->done(event.success != 0);
      if (scope.holds() && ++held_events < kMostHeldEvents) continue;
    }
    scope.drain();
    held_events = 0;
    settle();
  }
}

void Worker::settle() {
  for (InferCall* const call : unsettled_) call->settle();
  unsettled_.clear();
}

void Worker::ask_for_infer_calls() {
  for (; waiting_ < kMostWaiting; ++waiting_) (new InferCall(*this))->ask();
}

void Worker::infer_call_arrived() {
  --waiting_;
  call_begins();
  if (waiting_ < kFewWaiting && !closing_) ask_for_infer_calls();
}

bool Worker::infer_call_may_wait() {
  if (closing_ || waiting_ >= kMostWaiting) return false;
  ++waiting_;
  return true;
}

void Worker::call_ends() {
  --calls_;
  close_if_over();
}

void Worker::server_is_down(bool /*ok*/) {
  closing_ = true;
  close_if_over();
}

void Worker::close_if_over() {
  if (!closing_ || calls_ > 0 || closed_) return;
  closed_ = true;
  grpc_completion_queue_shutdown(queue_);
}

}  // namespace supernova::protocol::grpc
