#include "engine/onnxruntime/values.h"

#include <cstddef>

#include "engine/onnxruntime/types.h"

namespace supernova::engine::onnxruntime {

size_t element_size(int32_t dtype) {
  switch (dtype) {
    case SN_BOOL:
    case SN_UINT8:
    case SN_INT8:
      return 1;
    case SN_UINT16:
    case SN_INT16:
    case SN_FP16:
    case SN_BF16:
      return 2;
    case SN_UINT64:
    case SN_INT64:
    case SN_FP64:
      return 8;
    default:
      return 4;
  }
}

base::Result<ValuePtr> wrap(const Runtime& runtime, const sn_tensor& tensor, void* data,
                            size_t byte_size) {
  // Nothing may be null for the runtime, not even where nothing is read.
  static std::max_align_t nothing;
  OrtValue* raw = nullptr;
  SN_ORT_TRY(api().CreateTensorWithDataAsOrtValue(
      runtime.cpu_memory, data != nullptr ? data : &nothing, data != nullptr ? byte_size : 0,
      tensor.dims, static_cast<size_t>(tensor.rank), to_onnx(tensor.dtype), &raw));
  return ValuePtr(raw);
}

base::Result<TensorShape> shape_of(const OrtValue& value) {
  int is_tensor = 0;
  SN_ORT_TRY(api().IsTensor(&value, &is_tensor));
  if (is_tensor == 0) return absl::UnimplementedError("it is not a tensor");
  OrtTensorTypeAndShapeInfo* raw = nullptr;
  SN_ORT_TRY(api().GetTensorTypeAndShape(&value, &raw));
  const TensorInfoPtr info(raw);
  TensorShape shape;
  size_t rank = 0;
  SN_ORT_TRY(api().GetDimensionsCount(raw, &rank));
  shape.dims.resize(rank);
  SN_ORT_TRY(api().GetDimensions(raw, shape.dims.data(), rank));
  SN_ORT_TRY(api().GetTensorShapeElementCount(raw, &shape.count));
  SN_ORT_TRY(api().GetTensorElementType(raw, &shape.type));
  return shape;
}

}  // namespace supernova::engine::onnxruntime
