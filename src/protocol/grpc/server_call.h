// A call as gRPC's C interface has it. Its functions start operations and may be called from any
// thread; each operation is over when its Operation is told so, on the thread of the call's queue.
#pragma once

#include <grpc/grpc.h>

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "protocol/grpc/message.h"
#include "protocol/grpc/operation.h"

namespace supernova::protocol::grpc {

// How a call ends, or begins to answer.
struct Ending {
  base::Status status;
  bool with_initial_metadata = true;  // false: it has been sent before
  // Set when the call has gone, if the operation is to wait for that and nobody else does.
  int* cancelled = nullptr;
};

class ServerCall {
 public:
  ServerCall() { grpc_metadata_array_init(&metadata_); }
  ~ServerCall() {
    reset();
    grpc_metadata_array_destroy(&metadata_);
  }
  ServerCall(const ServerCall&) = delete;
  ServerCall& operator=(const ServerCall&) = delete;
  void swap(ServerCall& other);
  // Lets go of the call, whose operations are all over; what is left can wait for another one.
  void reset();

  // What the server fills in when a call arrives.
  grpc_call** place() { return &call_; }
  grpc_metadata_array* metadata_place() { return &metadata_; }
  gpr_timespec* deadline_place() { return &deadline_; }

  std::span<const grpc_metadata> metadata() const { return {metadata_.metadata, metadata_.count}; }
  // The first value of a metadata key (lower case); "" when absent.
  std::string_view metadata_value(std::string_view key) const;
  const grpc_metadata* find_metadata(std::string_view key) const;
  std::optional<std::chrono::steady_clock::time_point> deadline() const;
  // The first URI among its alternative names, else the first DNS name, else its common name; ""
  // without a certificate.
  std::string certificate_identity() const;

  // Null = as good as the call's end.
  void receive(Message& into, Operation& over);
  // Over when the call has gone; `cancelled` as gRPC sets it.
  void watch(int& cancelled, Operation& over);
  // `level` counts with the first message.
  void send(const Message& message, bool with_initial_metadata, grpc_compression_level level,
            Operation& over);
  // Ends the call, after `message` if there is one. Nothing may be started afterwards.
  void finish(const Message& message, const Ending& ending, grpc_compression_level level,
              Operation& over);
  void cancel() { grpc_call_cancel(call_, nullptr); }

 private:
  void start(std::span<const grpc_op> operations, Operation& over);

  grpc_call* call_ = nullptr;
  grpc_metadata_array metadata_;
  gpr_timespec deadline_ = gpr_inf_future(GPR_CLOCK_MONOTONIC);
};

}  // namespace supernova::protocol::grpc
