#include "import/graph/write_onnx.h"

#include <cstring>
#include <iterator>
#include <map>
#include <protozero/pbf_writer.hpp>
#include <protozero/varint.hpp>
#include <set>

#include "import/graph/passes.h"
#include "import/onnx/schema.h"

namespace supernova::import::graph {
namespace {

using protozero::pbf_writer;
using tensor::DataType;

constexpr int64_t kIrVersion = 8;
constexpr uint64_t kMaxFile = uint64_t{1} << 31U;
namespace attribute_field = onnx::attribute;
namespace tensor_field = onnx::tensor_field;

int32_t onnx_type(DataType type) { return static_cast<int32_t>(onnx::element_type_of(type)); }

void add(pbf_writer& writer, uint32_t field, std::string_view text) {
  writer.add_bytes(field, text.data(), text.size());
}

// A TensorProto up to its raw bytes, which follow as the last field's content.
std::string tensor_head(const Constant& content, std::string_view name) {
  std::string out;
  pbf_writer writer(out);
  const std::vector<int64_t>& shape = content.shape();
  writer.add_packed_int64(tensor_field::kDims, shape.begin(), shape.end());
  writer.add_int32(tensor_field::kDataType, onnx_type(content.type()));
  if (!name.empty()) add(writer, tensor_field::kName, name);
  if (content.type() == DataType::kBytes) {
    for (const std::string& text : content.strings()) add(writer, tensor_field::kStringData, text);
  }
  return out;
}

// The file as pieces: made text, and weights where they lie or to be made.
class Pieces {
 public:
  std::string& text() {
    if (pieces_.empty() || pieces_.back().constant != nullptr) pieces_.emplace_back();
    return pieces_.back().text;
  }
  void content(const Constant& constant) { pieces_.push_back({{}, &constant}); }
  uint64_t size() const {
    uint64_t out = 0;
    for (const Piece& piece : pieces_) out += piece.size();
    return out;
  }
  // `to` has room for size() bytes.
  void copy_to(std::byte* to) const {
    for (const Piece& piece : pieces_) {
      if (piece.constant != nullptr) {
        piece.constant->write(reinterpret_cast<char*>(to));
      } else {
        std::memcpy(to, piece.text.data(), piece.text.size());
      }
      to += piece.size();
    }
  }

 private:
  struct Piece {
    std::string text;
    const Constant* constant = nullptr;
    size_t size() const { return constant != nullptr ? constant->byte_size() : text.size(); }
  };
  std::vector<Piece> pieces_;
};

void append_key(std::string& out, uint32_t field, uint64_t length) {
  constexpr uint64_t kLengthDelimited = 2;
  protozero::write_varint(std::back_inserter(out), (uint64_t{field} << 3U) | kLengthDelimited);
  protozero::write_varint(std::back_inserter(out), length);
}

void append_initializer(Pieces& out, const Value& value) {
  const Constant& content = *value.constant;
  std::string head = tensor_head(content, value.name);
  if (content.type() != DataType::kBytes) {
    append_key(head, tensor_field::kRawData, content.byte_size());
  }
  append_key(out.text(), onnx::graph::kInitializer, head.size() + content.byte_size());
  out.text() += head;
  constexpr size_t kCopyBelow = 1024;
  if (content.byte_size() < kCopyBelow) {
    out.text() += content.bytes();
  } else {
    out.content(content);
  }
}

std::string value_info(const Value& value) {
  std::string tensor;
  pbf_writer tensor_writer(tensor);
  tensor_writer.add_int32(onnx::type::kElement, onnx_type(value.type.data_type));
  if (value.type.rank_known) {
    std::string shape;
    for (const Dim& size : value.dims()) {
      std::string dim;
      if (const auto number = size.constant()) {
        pbf_writer(dim).add_int64(onnx::shape::kDimValue, *number);
      } else if (!size.symbol_name().empty()) {
        pbf_writer writer(dim);
        add(writer, onnx::shape::kDimParam, size.symbol_name());
      }
      pbf_writer writer(shape);
      add(writer, onnx::shape::kDim, dim);
    }
    add(tensor_writer, onnx::type::kShape, shape);
  }
  std::string type;
  pbf_writer type_writer(type);
  add(type_writer, onnx::type::kTensor, tensor);
  std::string out;
  pbf_writer writer(out);
  add(writer, onnx::value_info::kName, value.name);
  add(writer, onnx::value_info::kType, type);
  return out;
}

std::string encode_body(const Graph& graph);

struct AttributeWriter {
  pbf_writer& out;
  void operator()(int64_t value) const {
    out.add_int64(attribute_field::kInt, value);
    type(2);
  }
  void operator()(float value) const {
    out.add_float(attribute_field::kFloat, value);
    type(1);
  }
  void operator()(const std::string& value) const {
    add(out, attribute_field::kString, value);
    type(3);
  }
  void operator()(const std::vector<int64_t>& values) const {
    out.add_packed_int64(attribute_field::kInts, values.begin(), values.end());
    type(7);
  }
  void operator()(const std::vector<float>& values) const {
    out.add_packed_float(attribute_field::kFloats, values.begin(), values.end());
    type(6);
  }
  void operator()(const std::vector<std::string>& values) const {
    for (const std::string& value : values) add(out, attribute_field::kStrings, value);
    type(8);
  }
  void operator()(const Constant& value) const {
    std::string tensor = tensor_head(value, "");
    if (value.type() != DataType::kBytes) {
      pbf_writer writer(tensor);
      add(writer, tensor_field::kRawData, value.bytes());
    }
    add(out, attribute_field::kTensor, tensor);
    type(4);
  }
  void operator()(const std::shared_ptr<Graph>& value) const {
    add(out, attribute_field::kGraph, encode_body(*value));
    type(5);
  }
  void type(int32_t number) const { out.add_int32(attribute_field::kType, number); }
};

std::string encode_node(const Node& node, std::string_view name) {
  std::string out;
  pbf_writer writer(out);
  // An optional value that is left out has the empty name; at the end it needs none.
  auto add_values = [&](uint32_t field, const std::vector<Value*>& values) {
    size_t count = values.size();
    while (count > 0 && values[count - 1] == nullptr) --count;
    for (size_t i = 0; i < count; ++i) {
      add(writer, field, values[i] != nullptr ? std::string_view(values[i]->name) : "");
    }
  };
  add_values(onnx::node::kInput, node.inputs);
  add_values(onnx::node::kOutput, node.outputs);
  add(writer, onnx::node::kName, name);
  add(writer, onnx::node::kOpType, node.op);
  for (const auto& [key, value] : node.attributes) {
    std::string attribute;
    pbf_writer attribute_writer(attribute);
    add(attribute_writer, attribute_field::kName, key);
    std::visit(AttributeWriter{attribute_writer}, value);
    add(writer, onnx::node::kAttribute, attribute);
  }
  if (!node.domain.empty()) add(writer, onnx::node::kDomain, node.domain);
  return out;
}

void append_nodes(std::string& out, const Graph& graph) {
  pbf_writer writer(out);
  // Node names are the source's, numbered where several nodes come of one operator.
  std::map<std::string, int> used;
  for (const Node& node : graph.nodes) {
    std::string name = node.source.empty() ? node.op : node.source;
    if (const int times = used[name]++; times > 0) name += base::str_cat("/", node.op, "_", times);
    add(writer, onnx::graph::kNode, encode_node(node, name));
  }
}

void append_ends(std::string& out, const Graph& graph) {
  pbf_writer writer(out);
  add(writer, onnx::graph::kName, graph.name.empty() ? "main" : graph.name);
  for (const Value* value : graph.inputs) add(writer, onnx::graph::kInput, value_info(*value));
  for (const Value* value : graph.outputs) add(writer, onnx::graph::kOutput, value_info(*value));
}

std::string encode_body(const Graph& graph) {
  std::string out;
  append_nodes(out, graph);
  append_ends(out, graph);
  return out;
}

// Constants that nodes read, in bodies too, and outputs; in the order they were made.
void collect_constants(const Graph& graph, std::set<const Value*>& out) {
  auto take = [&](const Value* value) {
    if (value != nullptr && value->constant && value->producer == nullptr) out.insert(value);
  };
  for (const Node& node : graph.nodes) {
    for (const Value* value : node.inputs) take(value);
    for (const auto& [name, attribute] : node.attributes) {
      if (const auto* body = std::get_if<std::shared_ptr<Graph>>(&attribute)) {
        collect_constants(**body, out);
      }
    }
  }
  for (const Value* value : graph.outputs) take(value);
}

Pieces encode(const Model& model) {
  Pieces graph;
  append_nodes(graph.text(), model.graph);
  std::set<const Value*> constants;
  collect_constants(model.graph, constants);
  for (const Value& value : model.values()) {
    if (constants.contains(&value)) append_initializer(graph, value);
  }
  append_ends(graph.text(), model.graph);
  return graph;
}

std::string encode_head(const Model& model) {
  std::string out;
  pbf_writer writer(out);
  writer.add_int64(onnx::model::kIrVersion, kIrVersion);
  add(writer, onnx::model::kProducerName, model.producer_name);
  auto opset = [&](std::string_view domain, int64_t version) {
    std::string entry;
    pbf_writer entry_writer(entry);
    if (!domain.empty()) add(entry_writer, onnx::opset::kDomain, domain);
    entry_writer.add_int64(onnx::opset::kVersion, version);
    add(writer, onnx::model::kOpset, entry);
  };
  opset("", model.opset);
  for (const auto& [domain, version] : model.domains) opset(domain, version);
  for (const auto& [key, value] : model.metadata) {
    std::string entry;
    pbf_writer entry_writer(entry);
    add(entry_writer, onnx::entry::kKey, key);
    add(entry_writer, onnx::entry::kValue, value);
    add(writer, onnx::model::kMetadata, entry);
  }
  return out;
}

tensor::TensorInfo tensor_info(const Value& value) {
  tensor::TensorInfo info;
  info.name = value.name;
  info.data_type = value.type.data_type;
  info.rank_known = value.type.rank_known;
  for (const Dim& size : value.dims()) {
    info.shape.push_back(size.constant().value_or(-1));
    info.dim_names.emplace_back(size.symbol_name());
  }
  return info;
}

void count_operators(const Graph& graph, std::map<std::string, int64_t>& counts) {
  for (const Node& node : graph.nodes) {
    ++counts[node.domain.empty() ? node.op : base::str_cat(node.domain, ":", node.op)];
    for (const auto& [name, attribute] : node.attributes) {
      if (const auto* body = std::get_if<std::shared_ptr<Graph>>(&attribute)) {
        count_operators(**body, counts);
      }
    }
  }
}

}  // namespace

base::Result<tensor::Buffer> write_onnx(const Model& model) {
  const Pieces graph = encode(model);
  std::string head = encode_head(model);
  append_key(head, onnx::model::kGraph, graph.size());
  const uint64_t size = head.size() + graph.size();
  if (size >= kMaxFile) {
    return absl::UnimplementedError("the model is larger than the 2 GiB that one ONNX file holds");
  }
  tensor::Buffer out = tensor::Buffer::allocate(size);
  if (out.data() == nullptr) {
    return absl::ResourceExhaustedError(base::str_cat("no memory for ", size, " bytes of model"));
  }
  std::memcpy(out.data(), head.data(), head.size());
  graph.copy_to(out.data() + head.size());
  return out;
}

base::Result<tensor::ImportedModel> finish_import(Model& model,
                                                  tensor::ModelDescription description) {
  optimise(model);
  SN_TRY(check_target(model));
  tensor::ImportedModel out;
  out.artefact.format = "onnx";
  SN_ASSIGN(out.artefact.bytes, write_onnx(model));
  for (const Value* value : model.graph.inputs) description.inputs.push_back(tensor_info(*value));
  for (const Value* value : model.graph.outputs) {
    description.outputs.push_back(tensor_info(*value));
  }
  if (description.operators.empty()) count_operators(model.graph, description.operators);
  out.description = std::move(description);
  return out;
}

}  // namespace supernova::import::graph
