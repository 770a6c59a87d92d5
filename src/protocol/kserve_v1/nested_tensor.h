// Tensors written as nested JSON arrays, whose shape is their nesting. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "protocol/oip/json_values.h"
#include "tensor/tensor.h"

namespace supernova::protocol::kserve_v1 {

// Reads one valid JSON value with the declared datatype. All rows of a level must have the same
// length; elements of BYTES are strings or {"b64": "..."}. Sizes that an empty array leaves open
// are taken from the declared shape. INVALID_ARGUMENT naming the input.
base::Result<tensor::Tensor> read_nested_tensor(std::string_view json,
                                                const tensor::TensorInfo& info);

// Appends the elements from `first` on that the sizes of `shape` span.
base::Status append_nested(std::string& out, const oip::JsonValues& values,
                           std::span<const int64_t> shape, size_t first);

}  // namespace supernova::protocol::kserve_v1
