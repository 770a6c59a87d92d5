// Tensors as the runtime's values.
#pragma once

#include <absl/container/inlined_vector.h>
#include <supernova/engine.h>

#include "base/status.h"
#include "engine/onnxruntime/runtime.h"

namespace supernova::engine::onnxruntime {

constexpr size_t kFew = 4;  // most models have no more inputs or outputs
template <typename T>
using Few = absl::InlinedVector<T, kFew>;

// Bytes of one element; BYTES have none of their own.
size_t element_size(int32_t dtype);
// A tensor on memory of the host, which has to outlive the value.
base::Result<ValuePtr> wrap(const Runtime& runtime, const sn_tensor& tensor, void* data,
                            size_t byte_size);

struct TensorShape {
  Few<int64_t> dims;
  size_t count = 0;
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
};
// The value must not be an optional one without content, which the runtime would fall over.
base::Result<TensorShape> shape_of(const OrtValue& value);

}  // namespace supernova::engine::onnxruntime
