// ONNX Runtime's element types and value types in our terms.
#pragma once

#include <onnxruntime_c_api.h>
#include <supernova/engine.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/onnxruntime/runtime.h"

namespace supernova::engine::onnxruntime {

// SN_DTYPE_INVALID / UNDEFINED for types the other side has no word for.
sn_dtype from_onnx(ONNXTensorElementDataType type);
ONNXTensorElementDataType to_onnx(int32_t dtype);
// "float", "complex64", "int4", ... as ONNX calls them.
std::string_view onnx_type_name(ONNXTensorElementDataType type);

// What a value is to the runtime. All but tensors are BYTES to the host (wrapped.h).
enum class Form { kTensor, kSequence, kOptional, kOptionalSequence, kMap, kMaps };

// The tensors inside of what is no tensor, as far as the model declares them.
struct Content {
  std::string words;                  // of the whole: "sequence(tensor(float))"
  sn_dtype dtype = SN_DTYPE_INVALID;  // of a map its values
  sn_dtype key = SN_DTYPE_INVALID;    // of a map
  bool rank_known = false;
  std::vector<int64_t> dims;
};

// A model's input or output; owns what its sn_tensor_info points to.
struct ValueInfo {
  std::string name;
  sn_dtype dtype = SN_DTYPE_INVALID;
  bool rank_known = true;
  bool optional = false;
  std::vector<int64_t> dims;
  std::vector<std::string> dim_names;
  Form form = Form::kTensor;
  Content content;            // unless a tensor
  SessionPtr empty_sequence;  // of an input that can be one (wrapped.h)
};

// Refuses, by name and type, what can't be served. `role` is "input" or "output".
base::Result<ValueInfo> describe(std::string_view role, std::string name, const OrtTypeInfo& type);

}  // namespace supernova::engine::onnxruntime
