// Messages of proto/inference.proto to and from the server's own values. Pure functions; they never
// throw on bad content. Errors are those of the wire: INVALID_ARGUMENT unless said otherwise.
#pragma once

#include <inference.pb.h>

#include <memory>

#include "base/status.h"
#include "service/service.h"
#include "tensor/request.h"

namespace supernova::protocol::grpc {

// Raw inputs stay where they are: the tensors share `message` and keep it alive (it must not be
// changed afterwards). They are copied only when not aligned to their element size. Sizes of raw
// inputs are left to the service, which checks them for every protocol. UNIMPLEMENTED for shared
// memory and classification.
base::Result<tensor::Request> decode_request(std::shared_ptr<inference::ModelInferRequest> message);

// Fills `message`, always with raw_output_contents. RESOURCE_EXHAUSTED when the outputs don't fit
// in one gRPC message (2 GiB).
base::Status encode_response(const tensor::Response& response,
                             inference::ModelInferResponse& message);

void fill(const service::ServerMetadata& metadata, inference::ServerMetadataResponse& message);
void fill(const service::ModelMetadata& metadata, inference::ModelMetadataResponse& message);

}  // namespace supernova::protocol::grpc
