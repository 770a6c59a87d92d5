#include "engine/onnxruntime/types.h"

#include "engine/onnxruntime/runtime.h"

namespace supernova::engine::onnxruntime {
namespace {

struct ElementType {
  ONNXTensorElementDataType onnx;
  sn_dtype dtype;
  std::string_view name;
};

constexpr ElementType kElementTypes[] = {
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, SN_FP32, "float"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, SN_UINT8, "uint8"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, SN_INT8, "int8"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16, SN_UINT16, "uint16"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16, SN_INT16, "int16"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, SN_INT32, "int32"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, SN_INT64, "int64"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, SN_BYTES, "string"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, SN_BOOL, "bool"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, SN_FP16, "float16"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, SN_FP64, "double"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32, SN_UINT32, "uint32"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64, SN_UINT64, "uint64"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16, SN_BF16, "bfloat16"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_COMPLEX64, SN_DTYPE_INVALID, "complex64"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_COMPLEX128, SN_DTYPE_INVALID, "complex128"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E4M3FN, SN_DTYPE_INVALID, "float8e4m3fn"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E4M3FNUZ, SN_DTYPE_INVALID, "float8e4m3fnuz"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E5M2, SN_DTYPE_INVALID, "float8e5m2"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E5M2FNUZ, SN_DTYPE_INVALID, "float8e5m2fnuz"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E8M0, SN_DTYPE_INVALID, "float8e8m0"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT4, SN_DTYPE_INVALID, "uint4"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT4, SN_DTYPE_INVALID, "int4"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT4E2M1, SN_DTYPE_INVALID, "float4e2m1"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT2, SN_DTYPE_INVALID, "uint2"},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT2, SN_DTYPE_INVALID, "int2"},
};

base::Result<std::string> type_text(const OrtTypeInfo& type);

base::Result<std::string> tensor_text(const OrtTypeInfo& type, std::string_view kind) {
  const OrtTensorTypeAndShapeInfo* tensor = nullptr;
  SN_ORT_TRY(api().CastTypeInfoToTensorInfo(&type, &tensor));
  auto element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  if (tensor != nullptr) SN_ORT_TRY(api().GetTensorElementType(tensor, &element));
  return base::str_cat(kind, "(", onnx_type_name(element), ")");
}

base::Result<std::string> sequence_text(const OrtTypeInfo& type) {
  const OrtSequenceTypeInfo* sequence = nullptr;
  SN_ORT_TRY(api().CastTypeInfoToSequenceTypeInfo(&type, &sequence));
  OrtTypeInfo* raw = nullptr;
  SN_ORT_TRY(api().GetSequenceElementType(sequence, &raw));
  const TypeInfoPtr element(raw);
  SN_ASSIGN(const std::string text, type_text(*element));
  return base::str_cat("sequence(", text, ")");
}

base::Result<std::string> map_text(const OrtTypeInfo& type) {
  const OrtMapTypeInfo* map = nullptr;
  SN_ORT_TRY(api().CastTypeInfoToMapTypeInfo(&type, &map));
  auto key = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  SN_ORT_TRY(api().GetMapKeyType(map, &key));
  OrtTypeInfo* raw = nullptr;
  SN_ORT_TRY(api().GetMapValueType(map, &raw));
  const TypeInfoPtr value(raw);
  SN_ASSIGN(const std::string text, type_text(*value));
  return base::str_cat("map(", onnx_type_name(key), ", ", text, ")");
}

base::Result<std::string> optional_text(const OrtTypeInfo& type) {
  const OrtOptionalTypeInfo* optional = nullptr;
  SN_ORT_TRY(api().CastTypeInfoToOptionalTypeInfo(&type, &optional));
  OrtTypeInfo* raw = nullptr;
  SN_ORT_TRY(api().GetOptionalContainedTypeInfo(optional, &raw));
  const TypeInfoPtr contained(raw);
  SN_ASSIGN(const std::string text, type_text(*contained));
  return base::str_cat("optional(", text, ")");
}

// "sequence(map(string, tensor(float)))"
base::Result<std::string> type_text(const OrtTypeInfo& type) {
  auto kind = ONNX_TYPE_UNKNOWN;
  SN_ORT_TRY(api().GetOnnxTypeFromTypeInfo(&type, &kind));
  switch (kind) {
    case ONNX_TYPE_TENSOR:
      return tensor_text(type, "tensor");
    case ONNX_TYPE_SPARSETENSOR:
      return tensor_text(type, "sparse_tensor");
    case ONNX_TYPE_SEQUENCE:
      return sequence_text(type);
    case ONNX_TYPE_MAP:
      return map_text(type);
    case ONNX_TYPE_OPTIONAL:
      return optional_text(type);
    case ONNX_TYPE_OPAQUE:
      return "opaque";
    default:
      return "unknown";
  }
}

base::Status read_shape(const OrtTensorTypeAndShapeInfo& tensor, ValueInfo& value) {
  value.rank_known = api().TensorTypeAndShape_HasShape(&tensor);
  if (!value.rank_known) return {};
  size_t rank = 0;
  SN_ORT_TRY(api().GetDimensionsCount(&tensor, &rank));
  value.dims.resize(rank);
  SN_ORT_TRY(api().GetDimensions(&tensor, value.dims.data(), rank));
  for (int64_t& size : value.dims) {
    if (size < 0) size = -1;
  }
  std::vector<const char*> symbols(rank);
  SN_ORT_TRY(api().GetSymbolicDimensions(&tensor, symbols.data(), rank));
  for (const char* symbol : symbols) value.dim_names.emplace_back(symbol != nullptr ? symbol : "");
  return {};
}

}  // namespace

sn_dtype from_onnx(ONNXTensorElementDataType type) {
  for (const ElementType& known : kElementTypes) {
    if (known.onnx == type) return known.dtype;
  }
  return SN_DTYPE_INVALID;
}

ONNXTensorElementDataType to_onnx(int32_t dtype) {
  for (const ElementType& known : kElementTypes) {
    if (known.dtype == dtype && dtype != SN_DTYPE_INVALID) return known.onnx;
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

std::string_view onnx_type_name(ONNXTensorElementDataType type) {
  for (const ElementType& known : kElementTypes) {
    if (known.onnx == type) return known.name;
  }
  return "undefined";
}

base::Result<ValueInfo> describe(std::string_view role, std::string name, const OrtTypeInfo& type) {
  auto kind = ONNX_TYPE_UNKNOWN;
  SN_ORT_TRY(api().GetOnnxTypeFromTypeInfo(&type, &kind));
  if (kind != ONNX_TYPE_TENSOR) {
    SN_ASSIGN(const std::string text, type_text(type));
    return absl::UnimplementedError(base::str_cat(
        "the ", role, " '", name, "' is a ", text,
        "; only tensors can be served: change the model so that its inputs and outputs "
        "are tensors"));
  }
  const OrtTensorTypeAndShapeInfo* tensor = nullptr;
  SN_ORT_TRY(api().CastTypeInfoToTensorInfo(&type, &tensor));
  auto element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  SN_ORT_TRY(api().GetTensorElementType(tensor, &element));
  ValueInfo value;
  value.name = std::move(name);
  value.dtype = from_onnx(element);
  if (value.dtype == SN_DTYPE_INVALID) {
    return absl::UnimplementedError(base::str_cat(
        "the ", role, " '", value.name, "' is a tensor(", onnx_type_name(element),
        "), an element type that can't be served: add a Cast to a served type to the model"));
  }
  SN_TRY(read_shape(*tensor, value));
  return value;
}

}  // namespace supernova::engine::onnxruntime
