#include "engine/tflite/signature.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "tensor/tflite/names.h"

namespace supernova::engine::tflite {
namespace {

using tensor::tflite::Element;
using tensor::tflite::File;
using tensor::tflite::Operator;
using tensor::tflite::SubGraph;
using tensor::tflite::TensorDef;

base::Result<Value> describe(const TensorDef& shifted, std::string name, std::string_view side) {
  const TensorDef def = tensor::tflite::as_in_file(shifted);
  Value value;
  value.dtype = static_cast<int32_t>(tensor::tflite::data_type(def.type));
  if (value.dtype == SN_DTYPE_INVALID || def.type == Element::kInt4) {
    return absl::UnimplementedError(base::str_cat(side, " '", name, "' has type ",
                                                  tensor::tflite::element_name(def.type),
                                                  ", which can't be served"));
  }
  value.dims = def.signature.empty() ? def.shape : def.signature;
  for (size_t i = 0; i < value.dims.size(); ++i) {
    const bool open = value.dims[i] < 0;
    value.dim_names.push_back(!open ? "" : i == 0 ? "batch" : base::str_cat(name, "_", i));
  }
  value.name = std::move(name);
  return value;
}

base::Status add_values(const SubGraph& graph, const std::vector<int32_t>& numbers,
                        std::string_view side, tensor::tflite::Names& names,
                        std::vector<Value>& out) {
  std::set<int32_t> inputs;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] < 0) continue;
    const TensorDef& def = graph.tensors[static_cast<size_t>(numbers[i])];
    std::string name = names.give(def, side, i);
    if (side == "input" && !inputs.insert(numbers[i]).second) continue;
    SN_ASSIGN(Value value, describe(def, std::move(name), side));
    value.position = static_cast<int32_t>(i);
    out.push_back(std::move(value));
  }
  for (Value& value : out) {
    for (const std::string& symbol : value.dim_names) {
      value.dim_symbols.push_back(symbol.empty() ? nullptr : symbol.c_str());
    }
  }
  return {};
}

// Operators that run other graphs, by their number.
bool runs_graphs(const Operator& op) {
  static const std::set<std::string_view> kSuch{"CALL", "IF", "WHILE", "CALL_ONCE"};
  return kSuch.contains(op.name) || op.name.starts_with("STABLEHLO_");
}

base::Result<uint32_t> graph_of_signature(const File& file, const std::string& key) {
  std::vector<std::string> keys;
  for (const auto& signature : file.signatures) {
    if (signature.key == key && signature.subgraph < file.subgraphs.size()) {
      return signature.subgraph;
    }
    if (tensor::tflite::is_name(signature.key)) keys.emplace_back(signature.key);
  }
  return absl::InvalidArgumentError(base::str_cat("the model has no signature '", key,
                                                  "'; it has: ", base::str_join(keys, ", ")));
}

}  // namespace

base::Result<Values> read_values(const SubGraph& graph) {
  if (graph.outputs.empty()) return absl::InvalidArgumentError("the model has no outputs");
  Values values;
  tensor::tflite::Names names;
  SN_TRY(add_values(graph, graph.inputs, "input", names, values.inputs));
  SN_TRY(add_values(graph, graph.outputs, "output", names, values.outputs));
  return values;
}

base::Result<bool> choose_graph(const File& file, const Options& options, ModelBytes& bytes) {
  const auto option = options.find("signature");
  if (option == options.end()) return false;
  SN_ASSIGN(const uint32_t number, graph_of_signature(file, option->second));
  if (number == 0) return false;
  for (const SubGraph& graph : file.subgraphs) {
    for (const Operator& op : graph.operators) {
      if (!runs_graphs(op)) continue;
      return absl::UnimplementedError(
          base::str_cat("the signature '", option->second,
                        "' is another graph than the first, which "
                        "TensorFlow Lite's C interface runs only where no operator runs graphs; "
                        "here ",
                        op.name, " does. Leave the engine out: the imported model can"));
    }
  }
  // Two offsets change places; each counts from where it stands.
  const uint64_t first = file.graph_tables.entry(0);
  const uint64_t wanted = file.graph_tables.entry(number);
  SN_ASSIGN(char* const data, bytes.writable());
  uint32_t to_first = 0;
  uint32_t to_wanted = 0;
  std::memcpy(&to_first, data + first, sizeof(uint32_t));
  std::memcpy(&to_wanted, data + wanted, sizeof(uint32_t));
  const auto apart = static_cast<uint32_t>(wanted - first);
  if (to_first <= apart || to_wanted > UINT32_MAX - apart) {
    return absl::InvalidArgumentError("the file's list of graphs is damaged");
  }
  to_wanted += apart;
  to_first -= apart;
  std::memcpy(data + first, &to_wanted, sizeof(uint32_t));
  std::memcpy(data + wanted, &to_first, sizeof(uint32_t));
  return true;
}

base::Status check_stateless(const File& file) {
  // What CALL_ONCE runs sets variables before the first request.
  std::set<size_t> once;
  for (const SubGraph& graph : file.subgraphs) {
    for (const Operator& op : graph.operators) {
      if (op.name == "CALL_ONCE") once.insert(static_cast<size_t>(op.options.integer(0)));
    }
  }
  for (size_t i = 0; i < file.subgraphs.size(); ++i) {
    if (i != 0 && once.contains(i)) continue;
    for (const Operator& op : file.subgraphs[i].operators) {
      if (op.name != "ASSIGN_VARIABLE") continue;
      return absl::UnimplementedError(
          "a variable that changes while the model runs (state between requests, ASSIGN_VARIABLE) "
          "is "
          "not supported; export the model with the state as inputs and outputs");
    }
  }
  return {};
}

std::string shown_name(const Operator& op) {
  constexpr std::string_view kCustom = "CUSTOM:";
  return op.name.starts_with(kCustom) ? op.name.substr(kCustom.size()) : op.name;
}

bool is_edge_tpu_operator(const Operator& op) { return op.name == "CUSTOM:edgetpu-custom-op"; }

bool needs_edge_tpu(const File& file) {
  return std::any_of(file.subgraphs.begin(), file.subgraphs.end(), [](const SubGraph& graph) {
    return std::any_of(graph.operators.begin(), graph.operators.end(), is_edge_tpu_operator);
  });
}

}  // namespace supernova::engine::tflite
