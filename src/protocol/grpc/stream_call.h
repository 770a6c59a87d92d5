// ModelStreamInfer: a stream of requests, answered one for one in their order. Several run at a
// time, up to a bound at which the stream isn't read further.
#pragma once

#include <inference.grpc.pb.h>

#include <memory>
#include <mutex>
#include <vector>

#include "protocol/grpc/call.h"

namespace supernova::protocol::grpc {

using StreamReactor =
    ::grpc::ServerBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>;
class StreamCall;

// The streams that are open, so that a server that ends can close them: nobody else would, as long
// as their clients keep them open. Thread-safe.
class OpenStreams {
 public:
  // gRPC owns the reactor, which lives until the call is over.
  StreamReactor* start(const CallHouse& house, ::grpc::CallbackServerContext& context);
  // No stream is read further; each ends with UNAVAILABLE after the answers it owes.
  void drain();

 private:
  std::mutex mutex_;
  bool draining_ = false;
  std::vector<std::weak_ptr<StreamCall>> streams_;
};

}  // namespace supernova::protocol::grpc
