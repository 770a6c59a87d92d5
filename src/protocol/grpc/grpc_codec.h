// Messages of proto/inference.proto to and from the server's own values. Pure functions; they never
// throw on bad content. Errors are those of the wire: INVALID_ARGUMENT unless said otherwise.
#pragma once

#include <inference.pb.h>

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "service/service.h"
#include "tensor/request.h"

namespace supernova::protocol::grpc {

// Finds `byte_size` bytes at `offset` of a shared memory region. They are handed on and never
// looked at here: their writer can change them, or take them away, at any moment.
using SharedMemoryPart = std::function<base::Result<tensor::Buffer>(
    std::string_view region, uint64_t offset, uint64_t byte_size)>;

// Raw inputs stay where they are: the tensors share `message` and keep it alive (it must not be
// changed afterwards). They are copied only when not aligned to their element size. Sizes of raw
// inputs are left to the service, which checks them for every protocol. Without `shared_memory`,
// tensors in it are UNIMPLEMENTED.
base::Result<tensor::Request> decode_request(std::shared_ptr<inference::ModelInferRequest> message,
                                             const SharedMemoryPart& shared_memory = {});

// Where the request wants its outputs, by their place in it; empty when nowhere in particular.
std::vector<tensor::Buffer> destinations_of(const tensor::Request& request);

// Fills `message`, always with raw_output_contents; the entry of an output that has a destination
// is empty, because the service has put its bytes there. RESOURCE_EXHAUSTED when the others don't
// fit in one gRPC message (2 GiB).
base::Status encode_response(const tensor::Response& response,
                             const std::vector<tensor::Buffer>& destinations,
                             inference::ModelInferResponse& message);

void fill(const service::ServerMetadata& metadata, inference::ServerMetadataResponse& message);
void fill(const service::ModelMetadata& metadata, inference::ModelMetadataResponse& message);

}  // namespace supernova::protocol::grpc
