// One thread of the gRPC listener: its completion queue, and the calls that arrive there. A call
// stays on the thread it has arrived on; only answers and the ends of streams come from others.
#pragma once

#include <grpc/grpc.h>

#include <cstddef>
#include <vector>

#include "protocol/grpc/call.h"
#include "protocol/grpc/open_calls.h"
#include "protocol/grpc/operation.h"

namespace supernova::protocol::grpc {

class InferCall;

// What calls arrive at. `infer_method` is registered for ModelInfer, with its message.
struct Door {
  grpc_server* server = nullptr;
  void* infer_method = nullptr;
};

// Functions are called on its thread unless said otherwise.
class Worker {
 public:
  // Both outlive it. On any thread.
  Worker(const CallHouse& house, OpenCalls& open);
  ~Worker();  // after run()
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  grpc_completion_queue* queue() const { return queue_; }
  // The thread's body. Returns when the server is down and the last call is over.
  void run(Door door);
  // For grpc_server_shutdown_and_notify, which tells every worker.
  Operation& server_down() { return server_down_; }

  const CallHouse& house() const { return house_; }
  OpenCalls& open_calls() { return open_; }
  const Door& door() const { return door_; }

  // Each call that has arrived, until nothing of it is left to gRPC.
  void call_begins() { ++calls_; }
  void call_ends();
  // No further call is asked for.
  bool closing() const { return closing_; }

  // Of those who wait for a ModelInfer: one has got it; one whose call is over would wait again.
  void infer_call_arrived();
  bool infer_call_may_wait();
  // Has `call` look for its answer before this thread waits for anything, when what it has asked
  // for may have been run here.
  void settle_later(InferCall& call) { unsettled_.push_back(&call); }

 private:
  void server_is_down(bool ok);
  void ask_for_infer_calls();
  void settle();
  void close_if_over();

  const CallHouse& house_;
  OpenCalls& open_;
  Door door_;
  grpc_completion_queue* const queue_;
  size_t calls_ = 0;
  size_t waiting_ = 0;  // InferCalls
  std::vector<InferCall*> unsettled_;
  bool closing_ = false;
  bool closed_ = false;
  Reports<Worker, &Worker::server_is_down> server_down_{*this};
};

}  // namespace supernova::protocol::grpc
