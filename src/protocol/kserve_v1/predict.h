// Bodies of `:predict`. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/request.h"
#include "tensor/tensor.h"

namespace supernova::protocol::kserve_v1 {

struct PredictRequest {
  tensor::Request request;
  // Whether it came as rows ("instances", one entry per item of the batch) and is to be answered
  // so, or by tensor ("inputs").
  bool by_row = true;
};

// {"instances": [...]} or {"inputs": ...}: exactly one of them. A model with one input may leave
// its name out. INVALID_ARGUMENT naming what is wrong.
base::Result<PredictRequest> decode_predict_request(std::string_view text,
                                                    std::string_view model_name,
                                                    const std::vector<tensor::TensorInfo>& inputs);

// {"predictions": ...}: the tensor of a model with one output; else rows of objects, or by tensor
// an object of them. BYTES that are not UTF-8 and outputs whose name ends in `_bytes` are written
// as {"b64": "..."}. NaN, infinity, FP16 and BF16 are refused as over v2.
base::Result<std::string> encode_predict_response(const tensor::Response& response, bool by_row);

}  // namespace supernova::protocol::kserve_v1
