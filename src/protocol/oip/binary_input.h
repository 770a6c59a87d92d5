// Tensors that come as bytes: behind the JSON of a request, or as its whole body. Pure functions.
#pragma once

#include "protocol/oip/infer_request.h"

namespace supernova::protocol::oip {

// A slice of `buffer`, or a copy where the elements would not be aligned. RESOURCE_EXHAUSTED
// without memory for it.
base::Result<tensor::Buffer> aligned_part(const tensor::Buffer& buffer, size_t offset, size_t size,
                                          tensor::DataType type);

// The whole body is the model's only input; all outputs come back binary.
base::Result<DecodedRequest> decode_raw_request(const tensor::Buffer& body, std::string_view model,
                                                const std::vector<tensor::TensorInfo>& inputs);

}  // namespace supernova::protocol::oip
