#include "support/onnx_builder.h"

#include <protozero/pbf_writer.hpp>

namespace supernova::test {
namespace {

using protozero::pbf_writer;

// AttributeProto.AttributeType.
enum : int32_t {
  kFloat = 1,
  kInt = 2,
  kString = 3,
  kTensor = 4,
  kGraph = 5,
  kFloats = 6,
  kInts = 7,
  kStrings = 8
};

std::string encode(const OnnxTensor& tensor) {
  std::string out;
  pbf_writer pbf(out);
  for (const int64_t size : tensor.dims) pbf.add_int64(1, size);
  pbf.add_int32(2, static_cast<int32_t>(tensor.type));
  for (const std::string& text : tensor.strings) pbf.add_bytes(6, text);
  pbf.add_string(8, tensor.name);
  if (tensor.external_file.empty()) {
    if (tensor.type != OnnxType::kString) pbf.add_bytes(9, tensor.raw);
    return out;
  }
  const auto entry = [&](std::string_view key, const std::string& value) {
    pbf_writer item(pbf, 13);
    item.add_string(1, key.data(), key.size());
    item.add_string(2, value);
  };
  entry("location", tensor.external_file);
  entry("offset", std::to_string(tensor.external_offset));
  if (tensor.external_length != 0) entry("length", std::to_string(tensor.external_length));
  pbf.add_enum(14, 1);
  return out;
}

template <typename Fill>
Attribute attribute(std::string_view name, int32_t type, Fill fill) {
  Attribute out;
  pbf_writer pbf(out.encoded);
  pbf.add_string(1, name.data(), name.size());
  fill(pbf);
  pbf.add_enum(20, type);
  return out;
}

std::string encode_shape(const Dims& dims) {
  std::string out;
  pbf_writer pbf(out);
  for (const Dim& dim : dims) {
    std::string content;  // an unknown dimension is an empty message, which a nested writer drops
    pbf_writer item(content);
    if (!dim.is_symbol) item.add_int64(1, dim.size);
    if (!dim.symbol.empty()) item.add_string(2, dim.symbol);
    pbf.add_message(1, content);
  }
  return out;
}

ValueType wrap(protozero::pbf_tag_type kind, const std::string& content) {
  ValueType type;
  pbf_writer(type.encoded).add_message(kind, content);
  return type;
}

std::string encode_value(std::string_view name, const ValueType& type) {
  std::string out;
  pbf_writer pbf(out);
  pbf.add_string(1, name.data(), name.size());
  pbf.add_message(2, type.encoded);
  return out;
}

OnnxTensor raw_tensor(std::string name, OnnxType type, std::vector<int64_t> dims, std::string raw) {
  OnnxTensor tensor;
  tensor.name = std::move(name);
  tensor.type = type;
  tensor.dims = std::move(dims);
  tensor.raw = std::move(raw);
  return tensor;
}

}  // namespace

OnnxType onnx_type(tensor::DataType type) {
  using tensor::DataType;
  switch (type) {
    case DataType::kBool:
      return OnnxType::kBool;
    case DataType::kUint8:
      return OnnxType::kUint8;
    case DataType::kUint16:
      return OnnxType::kUint16;
    case DataType::kUint32:
      return OnnxType::kUint32;
    case DataType::kUint64:
      return OnnxType::kUint64;
    case DataType::kInt8:
      return OnnxType::kInt8;
    case DataType::kInt16:
      return OnnxType::kInt16;
    case DataType::kInt32:
      return OnnxType::kInt32;
    case DataType::kInt64:
      return OnnxType::kInt64;
    case DataType::kFp16:
      return OnnxType::kFloat16;
    case DataType::kFp64:
      return OnnxType::kDouble;
    case DataType::kBytes:
      return OnnxType::kString;
    case DataType::kBf16:
      return OnnxType::kBfloat16;
    default:
      return OnnxType::kFloat;
  }
}

OnnxTensor float_tensor(std::string name, std::vector<int64_t> dims, std::vector<float> values) {
  return raw_tensor(std::move(name), OnnxType::kFloat, std::move(dims), raw_bytes<float>(values));
}

OnnxTensor int64_tensor(std::string name, std::vector<int64_t> dims, std::vector<int64_t> values) {
  return raw_tensor(std::move(name), OnnxType::kInt64, std::move(dims), raw_bytes<int64_t>(values));
}

OnnxTensor bool_tensor(std::string name, std::vector<int64_t> dims, std::vector<uint8_t> values) {
  return raw_tensor(std::move(name), OnnxType::kBool, std::move(dims), raw_bytes<uint8_t>(values));
}

Attribute attribute_int(std::string_view name, int64_t value) {
  return attribute(name, kInt, [&](pbf_writer& pbf) { pbf.add_int64(3, value); });
}

Attribute attribute_float(std::string_view name, float value) {
  return attribute(name, kFloat, [&](pbf_writer& pbf) { pbf.add_float(2, value); });
}

Attribute attribute_string(std::string_view name, std::string_view value) {
  return attribute(name, kString,
                   [&](pbf_writer& pbf) { pbf.add_bytes(4, value.data(), value.size()); });
}

Attribute attribute_ints(std::string_view name, const std::vector<int64_t>& values) {
  return attribute(name, kInts, [&](pbf_writer& pbf) {
    for (const int64_t value : values) pbf.add_int64(8, value);
  });
}

Attribute attribute_floats(std::string_view name, const std::vector<float>& values) {
  return attribute(name, kFloats, [&](pbf_writer& pbf) {
    for (const float value : values) pbf.add_float(7, value);
  });
}

Attribute attribute_strings(std::string_view name, const std::vector<std::string>& values) {
  return attribute(name, kStrings, [&](pbf_writer& pbf) {
    for (const std::string& value : values) pbf.add_bytes(9, value);
  });
}

Attribute attribute_tensor(std::string_view name, const OnnxTensor& value) {
  return attribute(name, kTensor, [&](pbf_writer& pbf) { pbf.add_message(5, encode(value)); });
}

Attribute attribute_graph(std::string_view name, const Graph& value) {
  return attribute(name, kGraph, [&](pbf_writer& pbf) { pbf.add_message(6, value.encoded()); });
}

ValueType tensor_type(OnnxType type, const Dims& dims) {
  std::string content;
  pbf_writer pbf(content);
  pbf.add_int32(1, static_cast<int32_t>(type));
  pbf.add_message(2, encode_shape(dims));
  return wrap(1, content);
}

ValueType tensor_type_without_rank(OnnxType type) {
  std::string content;
  pbf_writer(content).add_int32(1, static_cast<int32_t>(type));
  return wrap(1, content);
}

ValueType sequence_type(const ValueType& element) {
  std::string content;
  pbf_writer(content).add_message(1, element.encoded);
  return wrap(4, content);
}

ValueType optional_type(const ValueType& element) {
  std::string content;
  pbf_writer(content).add_message(1, element.encoded);
  return wrap(9, content);
}

ValueType map_type(OnnxType key, const ValueType& value) {
  std::string content;
  pbf_writer pbf(content);
  pbf.add_int32(1, static_cast<int32_t>(key));
  pbf.add_message(2, value.encoded);
  return wrap(5, content);
}

Graph::Graph(std::string_view name) {
  pbf_writer(encoded_).add_string(2, name.data(), name.size());
}

Graph& Graph::input(std::string_view name, const ValueType& type) {
  pbf_writer(encoded_).add_message(11, encode_value(name, type));
  return *this;
}

Graph& Graph::input(std::string_view name, OnnxType type, const Dims& dims) {
  return input(name, tensor_type(type, dims));
}

Graph& Graph::output(std::string_view name, const ValueType& type) {
  pbf_writer(encoded_).add_message(12, encode_value(name, type));
  return *this;
}

Graph& Graph::output(std::string_view name, OnnxType type, const Dims& dims) {
  return output(name, tensor_type(type, dims));
}

Graph& Graph::initializer(const OnnxTensor& tensor) {
  pbf_writer(encoded_).add_message(5, encode(tensor));
  return *this;
}

Graph& Graph::node(std::string_view op, const std::vector<std::string>& inputs,
                   const std::vector<std::string>& outputs,
                   const std::vector<Attribute>& attributes, std::string_view domain) {
  std::string content;
  {
    pbf_writer pbf(content);
    for (const std::string& input : inputs) pbf.add_string(1, input);
    for (const std::string& output : outputs) pbf.add_string(2, output);
    pbf.add_string(3, std::string(op) + "_" + std::to_string(nodes_++));
    pbf.add_string(4, op.data(), op.size());
    for (const Attribute& attribute : attributes) pbf.add_message(5, attribute.encoded);
    if (!domain.empty()) pbf.add_string(7, domain.data(), domain.size());
  }
  pbf_writer(encoded_).add_message(1, content);
  return *this;
}

std::string onnx_model(const Graph& graph, const std::vector<Opset>& opsets, int64_t ir_version,
                       std::string_view producer) {
  std::string out;
  pbf_writer pbf(out);
  pbf.add_int64(1, ir_version);
  pbf.add_string(2, producer.data(), producer.size());
  pbf.add_message(7, graph.encoded());
  for (const Opset& opset : opsets) {
    pbf_writer item(pbf, 8);
    item.add_string(1, opset.domain);
    item.add_int64(2, opset.version);
  }
  return out;
}

}  // namespace supernova::test
