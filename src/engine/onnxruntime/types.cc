#include "engine/onnxruntime/types.h"

#include <algorithm>

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

base::Result<ONNXType> kind_of(const OrtTypeInfo& type) {
  auto kind = ONNX_TYPE_UNKNOWN;
  SN_ORT_TRY(api().GetOnnxTypeFromTypeInfo(&type, &kind));
  return kind;
}

base::Result<TypeInfoPtr> sequence_element(const OrtTypeInfo& type) {
  const OrtSequenceTypeInfo* sequence = nullptr;
  SN_ORT_TRY(api().CastTypeInfoToSequenceTypeInfo(&type, &sequence));
  OrtTypeInfo* element = nullptr;
  SN_ORT_TRY(api().GetSequenceElementType(sequence, &element));
  return TypeInfoPtr(element);
}

base::Result<TypeInfoPtr> optional_content(const OrtTypeInfo& type) {
  const OrtOptionalTypeInfo* optional = nullptr;
  SN_ORT_TRY(api().CastTypeInfoToOptionalTypeInfo(&type, &optional));
  OrtTypeInfo* contained = nullptr;
  SN_ORT_TRY(api().GetOptionalContainedTypeInfo(optional, &contained));
  return TypeInfoPtr(contained);
}

base::Result<std::string> type_text(const OrtTypeInfo& type);

base::Result<std::string> tensor_text(const OrtTypeInfo& type, std::string_view kind) {
  const OrtTensorTypeAndShapeInfo* tensor = nullptr;
  SN_ORT_TRY(api().CastTypeInfoToTensorInfo(&type, &tensor));
  auto element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  if (tensor != nullptr) SN_ORT_TRY(api().GetTensorElementType(tensor, &element));
  return base::str_cat(kind, "(", onnx_type_name(element), ")");
}

base::Result<std::string> sequence_text(const OrtTypeInfo& type) {
  SN_ASSIGN(const TypeInfoPtr element, sequence_element(type));
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
  SN_ASSIGN(const TypeInfoPtr contained, optional_content(type));
  SN_ASSIGN(const std::string text, type_text(*contained));
  return base::str_cat("optional(", text, ")");
}

// "sequence(map(string, tensor(float)))"
base::Result<std::string> type_text(const OrtTypeInfo& type) {
  SN_ASSIGN(const ONNXType kind, kind_of(type));
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

// Sizes that may vary are -1; no names.
base::Result<bool> read_dims(const OrtTensorTypeAndShapeInfo& tensor, std::vector<int64_t>& dims) {
  if (!api().TensorTypeAndShape_HasShape(&tensor)) return false;
  size_t rank = 0;
  SN_ORT_TRY(api().GetDimensionsCount(&tensor, &rank));
  dims.resize(rank);
  SN_ORT_TRY(api().GetDimensions(&tensor, dims.data(), rank));
  for (int64_t& size : dims) size = std::max<int64_t>(size, -1);
  return true;
}

base::Status read_shape(const OrtTensorTypeAndShapeInfo& tensor, ValueInfo& value) {
  SN_ASSIGN(value.rank_known, read_dims(tensor, value.dims));
  std::vector<const char*> symbols(value.dims.size());
  if (symbols.empty()) return {};
  SN_ORT_TRY(api().GetSymbolicDimensions(&tensor, symbols.data(), symbols.size()));
  for (const char* symbol : symbols) value.dim_names.emplace_back(symbol != nullptr ? symbol : "");
  return {};
}

// The tensor that a sequence or an optional value is made of.
base::Status read_content(const OrtTypeInfo& type, Content& content) {
  const OrtTensorTypeAndShapeInfo* tensor = nullptr;
  SN_ORT_TRY(api().CastTypeInfoToTensorInfo(&type, &tensor));
  if (tensor == nullptr) return {};
  auto element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  SN_ORT_TRY(api().GetTensorElementType(tensor, &element));
  content.dtype = from_onnx(element);
  SN_ASSIGN(content.rank_known, read_dims(*tensor, content.dims));
  return {};
}

// Keys and values are lists of equal length.
base::Status read_map(const OrtTypeInfo& type, Content& content) {
  const OrtMapTypeInfo* map = nullptr;
  SN_ORT_TRY(api().CastTypeInfoToMapTypeInfo(&type, &map));
  auto key = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  SN_ORT_TRY(api().GetMapKeyType(map, &key));
  if (key != ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING && key != ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64) {
    return {};
  }
  OrtTypeInfo* raw = nullptr;
  SN_ORT_TRY(api().GetMapValueType(map, &raw));
  const TypeInfoPtr value(raw);
  SN_TRY(read_content(*value, content));
  content.key = from_onnx(key);
  content.rank_known = true;
  content.dims = {-1};
  return {};
}

// Fills form and content; the content's dtype stays invalid where the type can't be served.
base::Status read_wrapped(const OrtTypeInfo& type, ONNXType kind, ValueInfo& value) {
  if (kind == ONNX_TYPE_MAP) {
    value.form = Form::kMap;
    return read_map(type, value.content);
  }
  if (kind == ONNX_TYPE_OPTIONAL) {
    SN_ASSIGN(const TypeInfoPtr inner, optional_content(type));
    SN_ASSIGN(const ONNXType inner_kind, kind_of(*inner));
    if (inner_kind == ONNX_TYPE_MAP || inner_kind == ONNX_TYPE_OPTIONAL) return {};
    SN_TRY(read_wrapped(*inner, inner_kind, value));
    value.form = value.form == Form::kTensor     ? Form::kOptional
                 : value.form == Form::kSequence ? Form::kOptionalSequence
                                                 : Form::kTensor;
    if (value.form == Form::kTensor) value.content.dtype = SN_DTYPE_INVALID;
    return {};
  }
  if (kind == ONNX_TYPE_SEQUENCE) {
    SN_ASSIGN(const TypeInfoPtr inner, sequence_element(type));
    SN_ASSIGN(const ONNXType inner_kind, kind_of(*inner));
    if (inner_kind != ONNX_TYPE_TENSOR && inner_kind != ONNX_TYPE_MAP) return {};
    SN_TRY(read_wrapped(*inner, inner_kind, value));
    value.form = value.form == Form::kMap ? Form::kMaps : Form::kSequence;
    return {};
  }
  return kind == ONNX_TYPE_TENSOR ? read_content(type, value.content) : base::Status();
}

// A dimension for each thing the tensors are wrapped in.
std::vector<int64_t> wrapped_dims(Form form) {
  switch (form) {
    case Form::kOptionalSequence:
      return {-1, -1};
    case Form::kMap:
      return {2};
    case Form::kMaps:
      return {-1, 2};
    default:
      return {-1};
  }
}

base::Result<ValueInfo> describe_wrapped(std::string_view role, std::string name,
                                         const OrtTypeInfo& type, ONNXType kind) {
  ValueInfo value;
  value.name = std::move(name);
  SN_TRY(read_wrapped(type, kind, value));
  SN_ASSIGN(value.content.words, type_text(type));
  // No operator takes a sequence of maps, and the runtime can't be given an empty one.
  const bool maps_in = role == "input" && value.form == Form::kMaps;
  if (value.content.dtype == SN_DTYPE_INVALID || maps_in) {
    return absl::UnimplementedError(base::str_cat(
        "the ", role, " '", value.name, "\' has type ", value.content.words,
        ", which can't be served: change the model so that its inputs and outputs are tensors, or "
        "sequences or optional values of tensors"));
  }
  value.dtype = SN_BYTES;
  value.dims = wrapped_dims(value.form);
  value.dim_names.resize(value.dims.size());
  value.optional =
      role == "input" && (value.form == Form::kOptional || value.form == Form::kOptionalSequence);
  return value;
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
  SN_ASSIGN(const ONNXType kind, kind_of(type));
  if (kind != ONNX_TYPE_TENSOR) return describe_wrapped(role, std::move(name), type, kind);
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
