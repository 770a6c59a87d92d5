// ONNX Runtime's element types and value types in our terms.
#pragma once

#include <onnxruntime_c_api.h>
#include <supernova/engine.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace supernova::engine::onnxruntime {

// SN_DTYPE_INVALID / UNDEFINED for types the other side has no word for.
sn_dtype from_onnx(ONNXTensorElementDataType type);
ONNXTensorElementDataType to_onnx(int32_t dtype);
// "float", "complex64", "int4", ... as ONNX calls them.
std::string_view onnx_type_name(ONNXTensorElementDataType type);

// A model's input or output; owns what its sn_tensor_info points to.
struct ValueInfo {
  std::string name;
  sn_dtype dtype = SN_DTYPE_INVALID;
  bool rank_known = true;
  bool optional = false;
  std::vector<int64_t> dims;
  std::vector<std::string> dim_names;
};

// Refuses, by name and type, what is not a tensor of a type we have. `role` is "input" or "output".
base::Result<ValueInfo> describe(std::string_view role, std::string name, const OrtTypeInfo& type);

}  // namespace supernova::engine::onnxruntime
