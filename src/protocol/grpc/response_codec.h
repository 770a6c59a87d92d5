// The server's own values as messages of proto/inference.proto. Pure.
#pragma once

#include <inference.pb.h>

#include <string_view>
#include <vector>

#include "base/status.h"
#include "protocol/grpc/message.h"
#include "service/service.h"
#include "tensor/request.h"

namespace supernova::protocol::grpc {

enum class ResponseForm {
  kUnary,   // ModelInferResponse
  kStream,  // ModelStreamInferResponse, the last of its request
};

// Always with raw_output_contents; the entry of an output that has a destination is empty, because
// the service has put its bytes there. Large outputs are sent from where they are, which the
// message keeps. RESOURCE_EXHAUSTED when the outputs don't fit in one gRPC message (2 GiB).
base::Result<Message> encode_response(const tensor::Response& response,
                                      const std::vector<tensor::Buffer>& destinations,
                                      ResponseForm form = ResponseForm::kUnary);
// What a stream's request gets instead of a response.
Message encode_stream_error(std::string_view id, const base::Status& status);

void fill(const service::ServerMetadata& metadata, inference::ServerMetadataResponse& message);
void fill(const service::ModelMetadata& metadata, inference::ModelMetadataResponse& message);

}  // namespace supernova::protocol::grpc
