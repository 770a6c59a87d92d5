// The .json form of a tensor, used for strings: {"shape":[2,1],"data":["a","b"]}. Elements are
// listed in row-major order, flat or as nested arrays. A string is its UTF-8 bytes; {"b64":"..."}
// is the base64 of any other bytes, so that what is written is always valid JSON and reads back to
// the same bytes.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "tensor/tensor.h"

namespace supernova::tensor {

// The tensor's name is left empty. With `type` kInvalid the content says it: strings are BYTES,
// true and false BOOL, whole numbers INT64, other numbers FP32. Refuses elements that are of
// another kind or out of the type's range, and a number of elements other than the shape's. `what`
// names the content.
base::Result<Tensor> parse_json_tensor(std::string_view content, DataType type,
                                       std::string_view what);
// BYTES only; other types are written as .npy.
base::Result<std::string> format_json_tensor(const Tensor& tensor);

}  // namespace supernova::tensor
