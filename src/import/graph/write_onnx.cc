#include "import/graph/write_onnx.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <memory>
#include <protozero/pbf_writer.hpp>
#include <protozero/varint.hpp>
#include <set>
#include <utility>
#include <vector>

#include "import/graph/passes.h"
#include "import/onnx/schema.h"

namespace supernova::import::graph {
namespace {

using protozero::pbf_writer;
using tensor::DataType;

constexpr int64_t kIrVersion = 8;
// Smaller weights stay in the model: sizes and shapes among them have to be known when it is read.
constexpr uint64_t kExternalAtLeast = 1024;
// Where they begin in their file: what is large at multiples of the largest unit in which systems
// map files (the ONNX format's advice), the rest on cache lines.
constexpr uint64_t kLarge = uint64_t{1} << 20U;
constexpr uint64_t kLargeAlignment = uint64_t{1} << 16U;
static_assert(tensor::kWeightsBase % kLargeAlignment == 0);
constexpr uint64_t kSmallAlignment = 64;
constexpr int32_t kExternalData = 1;  // TensorProto.DataLocation
constexpr uint64_t kKeyRoom = 16;     // of a field's number and length
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

// Weights one behind the other in a file of their own.
class WeightsLayout {
 public:
  // Where these begin.
  uint64_t place(const Constant& content) {
    const uint64_t alignment = content.byte_size() >= kLarge ? kLargeAlignment : kSmallAlignment;
    const uint64_t offset = (size_ + alignment - 1) / alignment * alignment;
    size_ = offset + content.byte_size();
    placed_.emplace_back(offset, content);
    return tensor::kWeightsBase + offset;
  }
  tensor::Weights take() && {
    const auto placed = std::make_shared<const Placed>(std::move(placed_));
    return {size_, [placed](const tensor::Weights::Sink& sink) { return write(*placed, sink); }};
  }

 private:
  using Placed = std::vector<std::pair<uint64_t, Constant>>;

  static base::Status write(const Placed& placed, const tensor::Weights::Sink& sink) {
    static constexpr std::byte kGap[kLargeAlignment] = {};
    uint64_t at = 0;
    for (const auto& [offset, content] : placed) {
      if (offset > at) SN_TRY(sink(std::span(kGap).first(offset - at)));
      // What is made for this is not kept: one of them at a time is in memory.
      const std::string made = content.is_deferred() ? content.copy() : std::string();
      const std::string_view bytes = content.is_deferred() ? made : content.bytes();
      SN_TRY(sink(std::as_bytes(std::span(bytes.data(), bytes.size()))));
      at = offset + bytes.size();
    }
    return {};
  }

  Placed placed_;
  uint64_t size_ = 0;
};

void append_entry(std::string& tensor, std::string_view key, std::string_view value) {
  std::string entry;
  pbf_writer writer(entry);
  add(writer, onnx::entry::kKey, key);
  add(writer, onnx::entry::kValue, value);
  pbf_writer outer(tensor);
  add(outer, tensor_field::kExternal, entry);
}

// `weights`: where what is not small goes; null = into the model.
void append_initializer(Pieces& out, const Value& value, WeightsLayout* weights) {
  const Constant& content = *value.constant;
  std::string head = tensor_head(content, value.name);
  if (weights != nullptr && content.type() != DataType::kBytes &&
      content.byte_size() >= kExternalAtLeast) {
    append_entry(head, "location", tensor::kWeightsPlace);
    append_entry(head, "offset", base::str_cat(weights->place(content)));
    append_entry(head, "length", base::str_cat(content.byte_size()));
    pbf_writer(head).add_int32(tensor_field::kLocation, kExternalData);
    append_key(out.text(), onnx::graph::kInitializer, head.size());
    out.text() += head;
    return;
  }
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

Pieces encode(const Model& model, WeightsLayout* weights) {
  Pieces graph;
  append_nodes(graph.text(), model.graph);
  std::set<const Value*> constants;
  collect_constants(model.graph, constants);
  for (const Value& value : model.values()) {
    if (constants.contains(&value)) append_initializer(graph, value, weights);
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

base::Result<uint64_t> external_data_from(const tensor::Options& options) {
  const auto option = options.find(kExternalDataFrom);
  uint64_t bytes = kOneFileHolds;
  if (option != options.end() && !base::parse_whole(option->second, bytes)) {
    return absl::InvalidArgumentError(base::str_cat("option ", kExternalDataFrom, " is '",
                                                    option->second, "'; it is a number of bytes"));
  }
  return bytes;
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

base::Result<OnnxFile> write_onnx(const Model& model, uint64_t external_from) {
  OnnxFile out;
  Pieces graph = encode(model, nullptr);
  std::string head = encode_head(model);
  if (head.size() + kKeyRoom + graph.size() >= std::min(external_from, kOneFileHolds)) {
    WeightsLayout weights;
    graph = encode(model, &weights);
    out.weights = std::move(weights).take();
  }
  append_key(head, onnx::model::kGraph, graph.size());
  const uint64_t size = head.size() + graph.size();
  if (size >= kOneFileHolds) {
    return absl::UnimplementedError(
        "the model is larger, even without its weights, than the 2 GiB that one ONNX file holds");
  }
  out.model = tensor::Buffer::allocate(size);
  if (out.model.data() == nullptr) {
    return absl::ResourceExhaustedError(base::str_cat("no memory for ", size, " bytes of model"));
  }
  std::memcpy(out.model.data(), head.data(), head.size());
  graph.copy_to(out.model.data() + head.size());
  return out;
}

base::Result<tensor::ImportedModel> finish_import(Model& model,
                                                  tensor::ModelDescription description,
                                                  const tensor::Options& options) {
  SN_ASSIGN(const uint64_t external_from, external_data_from(options));
  optimise(model);
  SN_TRY(check_target(model));
  tensor::ImportedModel out;
  out.artefact.format = "onnx";
  SN_ASSIGN(OnnxFile written, write_onnx(model, external_from));
  out.artefact.bytes = std::move(written.model);
  out.weights = std::move(written.weights);
  for (const Value* value : model.graph.inputs) description.inputs.push_back(tensor_info(*value));
  for (const Value* value : model.graph.outputs) {
    description.outputs.push_back(tensor_info(*value));
  }
  if (description.operators.empty()) count_operators(model.graph, description.operators);
  out.description = std::move(description);
  return out;
}

}  // namespace supernova::import::graph
