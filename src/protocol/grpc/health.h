// gRPC's health protocol (grpc.health.v1.Health): SERVING for as long as the process takes calls,
// for the server as a whole ("") and its one service. Everybody is admitted.
#pragma once

#include <string_view>

#include "protocol/grpc/unary_methods.h"
#include "protocol/grpc/worker.h"

namespace supernova::protocol::grpc {

inline constexpr std::string_view kCheckMethod = "/grpc.health.v1.Health/Check";
inline constexpr std::string_view kWatchMethod = "/grpc.health.v1.Health/Watch";

// NOT_FOUND for other services.
base::Status check_health(const CallHouse& house, const service::Caller& caller, Message& message,
                          MethodDone done);
// Tells how it is now (SERVICE_UNKNOWN for other services) and, when the server ends, NOT_SERVING.
// Takes `call` over.
void start_watch_call(Worker& worker, ServerCall& call);

}  // namespace supernova::protocol::grpc
