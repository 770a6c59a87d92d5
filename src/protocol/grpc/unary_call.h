// A call with one message and one answer, of any method but ModelInfer.
#pragma once

#include <string_view>

#include "protocol/grpc/worker.h"

namespace supernova::protocol::grpc {

// Takes `call` over and sees to its end. UNIMPLEMENTED when there is no such method.
void start_unary_call(Worker& worker, std::string_view method, ServerCall& call);

}  // namespace supernova::protocol::grpc
