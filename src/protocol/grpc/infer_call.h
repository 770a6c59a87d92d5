// ModelInfer: one request, one response.
#pragma once

#include <inference.grpc.pb.h>

#include "protocol/grpc/call.h"

namespace supernova::protocol::grpc {

// gRPC owns the call, which deletes itself when it is over. The message is taken over.
::grpc::ServerUnaryReactor* start_infer_call(const CallHouse& house,
                                             ::grpc::CallbackServerContext& context,
                                             inference::ModelInferRequest& message,
                                             inference::ModelInferResponse& response);

}  // namespace supernova::protocol::grpc
