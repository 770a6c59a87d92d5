#include "import/onnx/schema.h"

#include <array>

namespace supernova::import::onnx {
namespace {

constexpr WireType kVarint = WireType::kVarint;
constexpr WireType kFixed64 = WireType::kFixed64;
constexpr WireType kBytes = WireType::kBytes;
constexpr WireType kFixed32 = WireType::kFixed32;

constexpr std::array<FieldType, 12> kModelFields{{{1, kVarint, "ir_version"},
                                                  {2, kBytes, "producer_name"},
                                                  {3, kBytes, "producer_version"},
                                                  {4, kBytes, "domain"},
                                                  {5, kVarint, "model_version"},
                                                  {6, kBytes, "doc_string"},
                                                  {7, kBytes, "graph"},
                                                  {8, kBytes, "opset_import"},
                                                  {14, kBytes, "metadata_props"},
                                                  {20, kBytes, "training_info"},
                                                  {25, kBytes, "functions"},
                                                  {26, kBytes, "configuration"}}};
constexpr std::array<FieldType, 2> kOpsetFields{{{1, kBytes, "domain"}, {2, kVarint, "version"}}};
constexpr std::array<FieldType, 10> kGraphFields{{{1, kBytes, "node"},
                                                  {2, kBytes, "name"},
                                                  {5, kBytes, "initializer"},
                                                  {10, kBytes, "doc_string"},
                                                  {11, kBytes, "input"},
                                                  {12, kBytes, "output"},
                                                  {13, kBytes, "value_info"},
                                                  {14, kBytes, "quantization_annotation"},
                                                  {15, kBytes, "sparse_initializer"},
                                                  {16, kBytes, "metadata_props"}}};
constexpr std::array<FieldType, 10> kNodeFields{{{1, kBytes, "input"},
                                                 {2, kBytes, "output"},
                                                 {3, kBytes, "name"},
                                                 {4, kBytes, "op_type"},
                                                 {5, kBytes, "attribute"},
                                                 {6, kBytes, "doc_string"},
                                                 {7, kBytes, "domain"},
                                                 {8, kBytes, "overload"},
                                                 {9, kBytes, "metadata_props"},
                                                 {10, kBytes, "device_configurations"}}};
constexpr std::array<FieldType, 18> kAttributeFields{{{1, kBytes, "name"},
                                                      {2, kFixed32, "f"},
                                                      {3, kVarint, "i"},
                                                      {4, kBytes, "s"},
                                                      {5, kBytes, "t"},
                                                      {6, kBytes, "g"},
                                                      {7, kFixed32, "floats", true},
                                                      {8, kVarint, "ints", true},
                                                      {9, kBytes, "strings"},
                                                      {10, kBytes, "tensors"},
                                                      {11, kBytes, "graphs"},
                                                      {13, kBytes, "doc_string"},
                                                      {14, kBytes, "tp"},
                                                      {15, kBytes, "type_protos"},
                                                      {20, kVarint, "type"},
                                                      {21, kBytes, "ref_attr_name"},
                                                      {22, kBytes, "sparse_tensor"},
                                                      {23, kBytes, "sparse_tensors"}}};
constexpr std::array<FieldType, 15> kTensorFields{{{1, kVarint, "dims", true},
                                                   {2, kVarint, "data_type"},
                                                   {3, kBytes, "segment"},
                                                   {4, kFixed32, "float_data", true},
                                                   {5, kVarint, "int32_data", true},
                                                   {6, kBytes, "string_data"},
                                                   {7, kVarint, "int64_data", true},
                                                   {8, kBytes, "name"},
                                                   {9, kBytes, "raw_data"},
                                                   {10, kFixed64, "double_data", true},
                                                   {11, kVarint, "uint64_data", true},
                                                   {12, kBytes, "doc_string"},
                                                   {13, kBytes, "external_data"},
                                                   {14, kVarint, "data_location"},
                                                   {16, kBytes, "metadata_props"}}};
constexpr std::array<FieldType, 3> kSparseFields{
    {{1, kBytes, "values"}, {2, kBytes, "indices"}, {3, kVarint, "dims", true}}};
constexpr std::array<FieldType, 2> kEntryFields{{{1, kBytes, "key"}, {2, kBytes, "value"}}};
constexpr std::array<FieldType, 4> kValueInfoFields{{{1, kBytes, "name"},
                                                     {2, kBytes, "type"},
                                                     {3, kBytes, "doc_string"},
                                                     {4, kBytes, "metadata_props"}}};
constexpr std::array<FieldType, 7> kTypeFields{{{1, kBytes, "tensor_type"},
                                                {4, kBytes, "sequence_type"},
                                                {5, kBytes, "map_type"},
                                                {6, kBytes, "denotation"},
                                                {7, kBytes, "opaque_type"},
                                                {8, kBytes, "sparse_tensor_type"},
                                                {9, kBytes, "optional_type"}}};
constexpr std::array<FieldType, 2> kTensorTypeFields{
    {{1, kVarint, "elem_type"}, {2, kBytes, "shape"}}};
constexpr std::array<FieldType, 1> kSequenceTypeFields{{{1, kBytes, "elem_type"}}};
constexpr std::array<FieldType, 2> kMapTypeFields{
    {{1, kVarint, "key_type"}, {2, kBytes, "value_type"}}};
constexpr std::array<FieldType, 1> kShapeFields{{{1, kBytes, "dim"}}};
constexpr std::array<FieldType, 3> kDimFields{
    {{1, kVarint, "dim_value"}, {2, kBytes, "dim_param"}, {3, kBytes, "denotation"}}};
constexpr std::array<FieldType, 11> kFunctionFields{{{1, kBytes, "name"},
                                                     {4, kBytes, "input"},
                                                     {5, kBytes, "output"},
                                                     {6, kBytes, "attribute"},
                                                     {7, kBytes, "node"},
                                                     {8, kBytes, "doc_string"},
                                                     {9, kBytes, "opset_import"},
                                                     {10, kBytes, "domain"},
                                                     {11, kBytes, "attribute_proto"},
                                                     {12, kBytes, "value_info"},
                                                     {13, kBytes, "overload"}}};
constexpr std::array<FieldType, 2> kTrainingFields{
    {{1, kBytes, "initialization"}, {2, kBytes, "algorithm"}}};

struct Element {
  std::string_view words;
  tensor::DataType type;
  uint64_t bits;
};

// Indexed by the format's element type number.
using D = tensor::DataType;
constexpr std::array<Element, 27> kElements{{{"undefined", D::kInvalid, 0},
                                             {"float", D::kFp32, 32},
                                             {"uint8", D::kUint8, 8},
                                             {"int8", D::kInt8, 8},
                                             {"uint16", D::kUint16, 16},
                                             {"int16", D::kInt16, 16},
                                             {"int32", D::kInt32, 32},
                                             {"int64", D::kInt64, 64},
                                             {"string", D::kBytes, 0},
                                             {"bool", D::kBool, 8},
                                             {"float16", D::kFp16, 16},
                                             {"double", D::kFp64, 64},
                                             {"uint32", D::kUint32, 32},
                                             {"uint64", D::kUint64, 64},
                                             {"complex64", D::kInvalid, 64},
                                             {"complex128", D::kInvalid, 128},
                                             {"bfloat16", D::kBf16, 16},
                                             {"float8e4m3fn", D::kInvalid, 8},
                                             {"float8e4m3fnuz", D::kInvalid, 8},
                                             {"float8e5m2", D::kInvalid, 8},
                                             {"float8e5m2fnuz", D::kInvalid, 8},
                                             {"uint4", D::kInvalid, 4},
                                             {"int4", D::kInvalid, 4},
                                             {"float4e2m1", D::kInvalid, 4},
                                             {"float8e8m0", D::kInvalid, 8},
                                             {"uint2", D::kInvalid, 2},
                                             {"int2", D::kInvalid, 2}}};

const Element* element(int64_t type) {
  return type >= 0 && static_cast<size_t>(type) < kElements.size()
             ? &kElements[static_cast<size_t>(type)]
             : nullptr;
}

}  // namespace

const MessageType kModelType{"the model", kModelFields};
const MessageType kOpsetType{"an opset import", kOpsetFields};
const MessageType kGraphType{"a graph", kGraphFields};
const MessageType kNodeType{"a node", kNodeFields};
const MessageType kAttributeType{"an attribute", kAttributeFields};
const MessageType kTensorType{"a tensor", kTensorFields};
const MessageType kSparseTensorType{"a sparse tensor", kSparseFields};
const MessageType kEntryType{"a key-value entry", kEntryFields};
const MessageType kValueInfoType{"a value", kValueInfoFields};
const MessageType kTypeType{"a type", kTypeFields};
const MessageType kTensorTypeType{"a tensor type", kTensorTypeFields};
const MessageType kSequenceTypeType{"a sequence or optional type", kSequenceTypeFields};
const MessageType kMapTypeType{"a map type", kMapTypeFields};
const MessageType kShapeType{"a shape", kShapeFields};
const MessageType kDimType{"a dimension", kDimFields};
const MessageType kFunctionType{"a function", kFunctionFields};
const MessageType kTrainingType{"the training info", kTrainingFields};

std::string element_type_words(int64_t element_type) {
  const Element* found = element(element_type);
  return found != nullptr ? std::string(found->words) : base::str_cat("type ", element_type);
}

tensor::DataType element_data_type(int64_t element_type) {
  const Element* found = element(element_type);
  return found != nullptr ? found->type : tensor::DataType::kInvalid;
}

int64_t element_type_of(tensor::DataType type) {
  if (type == tensor::DataType::kInvalid) return 0;
  for (size_t number = 1; number < kElements.size(); ++number) {
    if (kElements[number].type == type) return static_cast<int64_t>(number);
  }
  return 0;
}

uint64_t element_bits(int64_t element_type) {
  const Element* found = element(element_type);
  return found != nullptr ? found->bits : 0;
}

}  // namespace supernova::import::onnx
