// Writes small ONNX models for tests, field by field; nothing is checked, so that wrong models can
// be made too. Ready-made ones are in onnx_models.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/data_type.h"

namespace supernova::test {

// TensorProto.DataType.
enum class OnnxType : int32_t {
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBfloat16 = 16,
  kFloat8E4M3FN = 17,
  kUint4 = 21,
  kInt4 = 22,
};

OnnxType onnx_type(tensor::DataType type);

// A dimension: a number, a symbol, or unknown ("" as symbol).
struct Dim {
  Dim(int64_t size) : size(size) {}                             // NOLINT: meant to be implicit
  Dim(int size) : size(size) {}                                 // NOLINT
  Dim(const char* symbol) : symbol(symbol), is_symbol(true) {}  // NOLINT
  int64_t size = 0;
  std::string symbol;
  bool is_symbol = false;
};
using Dims = std::vector<Dim>;

// A TensorProto's content. `raw` for fixed-size types, `strings` for kString. With `external_file`
// the content is said to lie in that file at `external_offset`, `external_length` bytes (0 = to its
// end).
struct OnnxTensor {
  std::string name;
  OnnxType type = OnnxType::kFloat;
  std::vector<int64_t> dims;
  std::string raw;
  std::vector<std::string> strings;
  std::string external_file;
  uint64_t external_offset = 0;
  uint64_t external_length = 0;
};

template <typename T>
std::string raw_bytes(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}
OnnxTensor float_tensor(std::string name, std::vector<int64_t> dims, std::vector<float> values);
OnnxTensor int64_tensor(std::string name, std::vector<int64_t> dims, std::vector<int64_t> values);
OnnxTensor bool_tensor(std::string name, std::vector<int64_t> dims, std::vector<uint8_t> values);

// An AttributeProto, encoded.
struct Attribute {
  std::string encoded;
};
class Graph;
Attribute attribute_int(std::string_view name, int64_t value);
Attribute attribute_float(std::string_view name, float value);
Attribute attribute_string(std::string_view name, std::string_view value);
Attribute attribute_ints(std::string_view name, const std::vector<int64_t>& values);
Attribute attribute_floats(std::string_view name, const std::vector<float>& values);
Attribute attribute_strings(std::string_view name, const std::vector<std::string>& values);
Attribute attribute_tensor(std::string_view name, const OnnxTensor& value);
Attribute attribute_graph(std::string_view name, const Graph& value);

// A TypeProto, encoded.
struct ValueType {
  std::string encoded;
};
ValueType tensor_type(OnnxType type, const Dims& dims);
ValueType tensor_type_without_rank(OnnxType type);
ValueType sequence_type(const ValueType& element);
ValueType optional_type(const ValueType& element);
ValueType map_type(OnnxType key, const ValueType& value);

// A GraphProto under construction. Every function returns the graph, for chaining.
class Graph {
 public:
  explicit Graph(std::string_view name = "test");
  Graph& input(std::string_view name, const ValueType& type);
  Graph& input(std::string_view name, OnnxType type, const Dims& dims);
  Graph& output(std::string_view name, const ValueType& type);
  Graph& output(std::string_view name, OnnxType type, const Dims& dims);
  Graph& initializer(const OnnxTensor& tensor);
  Graph& node(std::string_view op, const std::vector<std::string>& inputs,
              const std::vector<std::string>& outputs,
              const std::vector<Attribute>& attributes = {}, std::string_view domain = "");
  const std::string& encoded() const { return encoded_; }

 private:
  std::string encoded_;
  int nodes_ = 0;
};

struct Opset {
  std::string domain;
  int64_t version = 0;
};

// A ModelProto, encoded: the content of an .onnx file.
std::string onnx_model(const Graph& graph, const std::vector<Opset>& opsets = {{"", 17}},
                       int64_t ir_version = 8, std::string_view producer = "supernova-test");

}  // namespace supernova::test
