// ModelStreamInfer: a stream of requests, answered one for one in their order. Several run at a
// time, up to a bound at which the stream isn't read further.
#pragma once

#include <string_view>

#include "protocol/grpc/worker.h"

namespace supernova::protocol::grpc {

inline constexpr std::string_view kStreamMethod =
    "/inference.GRPCInferenceService/ModelStreamInfer";

// Takes `call` over and sees to its end.
void start_stream_call(Worker& worker, ServerCall& call);

}  // namespace supernova::protocol::grpc
