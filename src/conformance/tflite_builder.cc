#include "conformance/tflite_builder.h"

#include <algorithm>
#include <map>

#include "tensor/tflite/builtin_names.h"

namespace supernova::conformance {
namespace {

void align(std::string& out, size_t to) {
  while (out.size() % to != 0) out += '\0';
}

template <typename T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

template <typename T>
void patch(std::string& out, size_t at, T value) {
  std::memcpy(out.data() + at, &value, sizeof(T));
}

}  // namespace

// What a field points at comes after it, as offsets count forwards.
void FlatTable::write_target(std::string& out, size_t reference, const Field& field) {
  align(out, 16);
  size_t at = out.size();
  if (const auto* vector = std::get_if<Vector>(&field)) {
    // The elements are aligned, the count before them.
    out.append(12, '\0');
    at = out.size();
    append(out, static_cast<uint32_t>(vector->count));
    out += vector->bytes;
  } else if (const auto* table = std::get_if<std::shared_ptr<FlatTable>>(&field)) {
    at = (*table)->write(out);
  } else if (const auto* tables = std::get_if<std::vector<FlatTable>>(&field)) {
    append(out, static_cast<uint32_t>(tables->size()));
    const size_t first = out.size();
    out.append(tables->size() * sizeof(uint32_t), '\0');
    for (size_t i = 0; i < tables->size(); ++i) {
      const size_t entry = first + i * sizeof(uint32_t);
      const size_t target = (*tables)[i].write(out);
      patch(out, entry, static_cast<uint32_t>(target - entry));
    }
  }
  patch(out, reference, static_cast<uint32_t>(at - reference));
}

size_t FlatTable::write(std::string& out) const {
  int slots = 0;
  for (const auto& [slot, _] : fields_) slots = std::max(slots, slot + 1);
  align(out, 8);
  const size_t vtable = out.size();
  out.append(4 + 2 * static_cast<size_t>(slots), '\0');
  align(out, 8);
  const size_t table = out.size();
  append(out, static_cast<int32_t>(table - vtable));
  std::vector<std::pair<size_t, const Field*>> references;
  for (const auto& [slot, field] : fields_) {
    const auto* inline_bytes = std::get_if<std::string>(&field);
    align(out, inline_bytes != nullptr ? std::max<size_t>(inline_bytes->size(), 1) : 4);
    patch(out, vtable + 4 + 2 * static_cast<size_t>(slot),
          static_cast<uint16_t>(out.size() - table));
    if (inline_bytes != nullptr) {
      out += *inline_bytes;
    } else {
      references.emplace_back(out.size(), &field);
      append(out, uint32_t{0});
    }
  }
  patch(out, vtable, static_cast<uint16_t>(4 + 2 * slots));
  patch(out, vtable + 2, static_cast<uint16_t>(out.size() - table));
  for (const auto& [reference, field] : references) write_target(out, reference, *field);
  return table;
}

std::string FlatTable::file(std::string_view identifier) const {
  std::string out(4, '\0');
  out += identifier;
  const size_t root = write(out);
  patch(out, 0, static_cast<uint32_t>(root));
  return out;
}

TfModel::TfModel() {
  buffers_.emplace_back();
  begin_graph();
}

void TfModel::begin_graph() { graphs_.emplace_back(); }

int32_t TfModel::tensor(const TfTensor& tensor) {
  Graph& graph = graphs_.back();
  FlatTable table;
  table.numbers(0, tensor.shape).number(1, static_cast<int8_t>(tensor.type));
  if (!tensor.data.empty()) {
    table.number(2, static_cast<uint32_t>(buffers_.size()));
    buffers_.push_back(
        FlatTable().numbers(0, std::vector<uint8_t>(tensor.data.begin(), tensor.data.end())));
  }
  const std::string name =
      tensor.name.empty() ? "t" + std::to_string(graph.tensors.size()) : tensor.name;
  table.text(3, name == "-" ? "" : name);
  if (!tensor.scales.empty()) {
    FlatTable quantisation;
    quantisation.numbers(2, tensor.scales).numbers(3, tensor.zero_points).number(6, tensor.axis);
    table.table(4, quantisation);
  }
  table.flag(5, tensor.variable);
  if (tensor.sparse) table.table(6, tensor.sparsity);
  if (!tensor.signature.empty()) table.numbers(7, tensor.signature);
  graph.tensors.push_back(std::move(table));
  return static_cast<int32_t>(graph.tensors.size()) - 1;
}

int32_t TfModel::input(const TfTensor& it) {
  const int32_t number = tensor(it);
  graphs_.back().inputs.push_back(number);
  return number;
}

int32_t TfModel::constant(std::vector<int32_t> shape, const std::vector<float>& values) {
  return tensor({TfType::kFloat32, std::move(shape), bytes_of(values)});
}

int32_t TfModel::ints(const std::vector<int32_t>& values) {
  return tensor({TfType::kInt32, {static_cast<int32_t>(values.size())}, bytes_of(values)});
}

int32_t TfModel::int_scalar(int32_t value) {
  return tensor({TfType::kInt32, {}, bytes_of(std::vector<int32_t>{value})});
}

uint32_t TfModel::code(std::string_view name) {
  const auto at = std::find(code_names_.begin(), code_names_.end(), name);
  if (at != code_names_.end()) return static_cast<uint32_t>(at - code_names_.begin());
  int32_t number = 0;
  while (!tensor::tflite::builtin_name(number).empty() &&
         tensor::tflite::builtin_name(number) != name) {
    ++number;
  }
  FlatTable table;
  if (tensor::tflite::builtin_name(number).empty()) {
    number = tensor::tflite::kCustomCode;
    table.text(1, name);
  }
  table.number(0, static_cast<int8_t>(std::min(number, 127))).number(3, number);
  for (const auto& [op, version] : versions_) {
    if (op == name) table.number(2, version);
  }
  codes_.push_back(std::move(table));
  code_names_.emplace_back(name);
  return static_cast<uint32_t>(codes_.size()) - 1;
}

void TfModel::set_version(std::string_view name, int32_t version) {
  versions_.emplace_back(name, version);
}

namespace {

// Numbers of the schema's BuiltinOptions: without one the runtime does not read an operator's
// options.
uint8_t options_type(std::string_view op) {
  static const std::map<std::string_view, uint8_t> kTypes = {
      {"CONV_2D", 1},
      {"DEPTHWISE_CONV_2D", 2},
      {"AVERAGE_POOL_2D", 5},
      {"MAX_POOL_2D", 5},
      {"L2_POOL_2D", 5},
      {"SVDF", 6},
      {"RNN", 7},
      {"FULLY_CONNECTED", 8},
      {"SOFTMAX", 9},
      {"CONCATENATION", 10},
      {"ADD", 11},
      {"L2_NORMALIZATION", 12},
      {"LSTM", 14},
      {"RESIZE_BILINEAR", 15},
      {"RESHAPE", 17},
      {"SPACE_TO_DEPTH", 19},
      {"MUL", 21},
      {"GATHER", 23},
      {"MEAN", 27},
      {"SUM", 27},
      {"REDUCE_MAX", 27},
      {"REDUCE_MIN", 27},
      {"REDUCE_PROD", 27},
      {"REDUCE_ANY", 27},
      {"SUB", 28},
      {"DIV", 29},
      {"SQUEEZE", 30},
      {"STRIDED_SLICE", 32},
      {"SPLIT", 35},
      {"CAST", 37},
      {"ARG_MAX", 40},
      {"TRANSPOSE_CONV", 49},
      {"ARG_MIN", 57},
      {"PACK", 59},
      {"ONE_HOT", 61},
      {"UNPACK", 64},
      {"RESIZE_NEAREST_NEIGHBOR", 74},
      {"LEAKY_RELU", 75},
      {"WHILE", 93},
  };
  const auto found = kTypes.find(op);
  return found != kTypes.end() ? found->second : 0;
}

}  // namespace

int32_t TfModel::op(std::string_view name, std::vector<int32_t> inputs,
                    std::vector<int32_t> outputs, const FlatTable& options,
                    std::string_view custom) {
  FlatTable table;
  table.number(0, code(name)).numbers(1, inputs).numbers(2, outputs).table(4, options);
  if (const uint8_t type = options_type(name); type != 0) table.number(3, type);
  if (!custom.empty()) table.numbers(5, std::vector<uint8_t>(custom.begin(), custom.end()));
  graphs_.back().operators.push_back(std::move(table));
  return outputs.empty() ? -1 : outputs[0];
}

void TfModel::set_inputs(std::vector<int32_t> inputs) { graphs_.back().inputs = std::move(inputs); }
void TfModel::set_outputs(std::vector<int32_t> outputs) {
  graphs_.back().outputs = std::move(outputs);
}

FlatTable TfModel::root() const {
  std::vector<FlatTable> graphs;
  for (const Graph& graph : graphs_) {
    graphs.push_back(FlatTable()
                         .tables(0, graph.tensors)
                         .numbers(1, graph.inputs)
                         .numbers(2, graph.outputs)
                         .tables(3, graph.operators));
  }
  return FlatTable()
      .number(0, uint32_t{3})
      .tables(1, codes_)
      .tables(2, graphs)
      .text(3, "supernova conformance")
      .tables(4, buffers_);
}

std::string TfModel::file() const { return root().file("TFL3"); }

}  // namespace supernova::conformance
