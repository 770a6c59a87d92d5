// The generate extension's bodies: an object whose keys are the model's inputs and outputs. Pure
// functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/request.h"
#include "tensor/tensor.h"

namespace supernova::protocol::oip {

// A key that names an input is that tensor, a scalar or a list; its shape follows from the declared
// one: sizes that are fixed divide the number of elements, the innermost open size takes what is
// left, other open sizes are 1. `id` is the request's id; any other key, and any in the object
// `parameters`, is a parameter of the request.
base::Result<tensor::Request> decode_generate_request(
    std::string_view text, std::string_view model_name,
    const std::vector<tensor::TensorInfo>& inputs);

// Outputs at top level, a tensor of one element as a scalar, others as a flat list.
base::Result<std::string> encode_generate_response(const tensor::Response& response);

}  // namespace supernova::protocol::oip
