// A ModelInferRequest's bytes as the server's own value. Never throws on bad content. Errors are
// those of the wire: INVALID_ARGUMENT unless said otherwise.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "protocol/grpc/parameters.h"
#include "protocol/grpc/received_request.h"
#include "tensor/request.h"

namespace supernova::protocol::grpc {

// Raw inputs stay where gRPC has received them, and the tensors keep `received` alive; they are
// copied, once, when they are small, came in several slices, or are not aligned to their element
// size. Sizes of raw inputs are left to the service, which checks them for every protocol. Without
// `shared_memory`, tensors in it are UNIMPLEMENTED; beyond the memory of requests the answer is
// RESOURCE_EXHAUSTED.
base::Result<tensor::Request> decode_request(const std::shared_ptr<ReceivedRequest>& received,
                                             const SharedMemoryPart& shared_memory = {});

// The id of a request that may be unreadable otherwise; "" when it can't be found.
std::string id_of(const Message& message);

// Where the request wants its outputs, by their place in it; empty when nowhere in particular.
std::vector<tensor::Buffer> destinations_of(const tensor::Request& request);

}  // namespace supernova::protocol::grpc
