#include "import/graph/passes.h"

#include <algorithm>
#include <map>
#include <set>

#include "import/graph/infer.h"
#include "import/graph/rebuild.h"
#include "import/onnx/schema.h"

namespace supernova::import::graph {
namespace {

void remove_unused_in(Graph& graph) {
  std::set<const Value*> needed(graph.outputs.begin(), graph.outputs.end());
  std::deque<Node> kept;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const bool used = std::any_of(node->outputs.begin(), node->outputs.end(),
                                  [&](const Value* value) { return needed.contains(value); });
    if (!used) continue;
    each_body(*node, [&](Graph& body) {
      remove_unused_in(body);
      for (const Value* value : captured(body)) needed.insert(value);
    });
    needed.insert(node->inputs.begin(), node->inputs.end());
    kept.push_front(std::move(*node));
  }
  graph.nodes = std::move(kept);
  link_producers(graph);
}

void collect_read(const Graph& graph, std::set<const Value*>& out) {
  for (const Node& node : graph.nodes) {
    out.insert(node.inputs.begin(), node.inputs.end());
    each_body(node, [&](Graph& body) { collect_read(body, out); });
  }
  out.insert(graph.outputs.begin(), graph.outputs.end());
}

// Text that two nodes share only if they do the same; "" for those that can't be compared.
struct KeyWriter {
  std::string& out;
  bool& comparable;
  void operator()(int64_t value) const { base::append_text(out, value); }
  void operator()(float value) const { base::append_text(out, value); }
  void operator()(const std::string& value) const { out += value; }
  void operator()(const std::vector<int64_t>& values) const { out += base::str_join(values, ","); }
  void operator()(const std::vector<float>& values) const { out += base::str_join(values, ","); }
  void operator()(const std::vector<std::string>& values) const {
    out += base::str_join(values, ",");
  }
  void operator()(const Constant& /*value*/) const { comparable = false; }
  void operator()(const std::shared_ptr<Graph>& /*value*/) const { comparable = false; }
};

constexpr size_t kMaxCompared = 256;

std::string value_key(const Value* value) {
  if (value == nullptr) return "-";
  if (value->constant && value->producer == nullptr &&
      value->constant->byte_size() <= kMaxCompared &&
      value->type.data_type != tensor::DataType::kBytes) {
    const Constant& content = *value->constant;
    return base::str_cat("c", static_cast<int>(content.type()), "[",
                         base::str_join(content.shape(), ","), "]", content.bytes());
  }
  return base::str_cat("v", reinterpret_cast<uintptr_t>(value));
}

std::string node_key(const Node& node) {
  std::string out = base::str_cat(node.domain, ":", node.op, "(");
  for (const Value* value : node.inputs) out += value_key(value) + ";";
  bool comparable = true;
  for (const auto& [name, value] : node.attributes) {
    out += base::str_cat(name, "=", value.index(), ":");
    std::visit(KeyWriter{out, comparable}, value);
    out += ";";
  }
  return comparable ? base::str_cat(out, ")", node.outputs.size()) : "";
}

void replace_everywhere(Graph& graph, const std::map<const Value*, Value*>& by) {
  auto swap = [&](Value*& value) {
    if (const auto at = by.find(value); at != by.end()) value = at->second;
  };
  for (Node& node : graph.nodes) {
    for (Value*& value : node.inputs) swap(value);
    each_body(node, [&](Graph& body) {
      replace_everywhere(body, by);
      for (Value*& value : body.outputs) swap(value);
    });
  }
}

void merge_equal_in(Graph& graph) {
  std::map<std::string, const Node*> seen;
  std::map<const Value*, Value*> replaced;
  const std::set<const Value*> outputs(graph.outputs.begin(), graph.outputs.end());
  for (Node& node : graph.nodes) {
    for (Value*& value : node.inputs) {
      if (const auto at = replaced.find(value); at != replaced.end()) value = at->second;
    }
    const bool gives_output =
        std::any_of(node.outputs.begin(), node.outputs.end(),
                    [&](const Value* value) { return outputs.contains(value); });
    const std::string key = node_key(node);
    if (key.empty() || gives_output) continue;
    const auto [at, added] = seen.try_emplace(key, &node);
    if (added) continue;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      Value* first = at->second->outputs[i];
      if (node.outputs[i] != nullptr && first != nullptr) replaced[node.outputs[i]] = first;
    }
  }
  replace_everywhere(graph, replaced);
}

class Namer {
 public:
  void name_ends(Graph& graph) {
    for (Value* value : graph.inputs) take(*value);
    for (Value* value : graph.outputs) take(*value);
  }

  void name_graph(Graph& graph) {
    for (Node& node : graph.nodes) {
      for (Value* value : node.inputs) {
        if (value != nullptr && value->constant && value->producer == nullptr) {
          give(*value, node.source.empty() ? "constant" : node.source + "/constant");
        }
      }
      for (Value* value : node.outputs) {
        if (value != nullptr) give(*value, node.source.empty() ? node.op : node.source);
      }
      each_body(node, [&](Graph& body) {
        for (Value* value : body.inputs) give(*value, "input");
        for (Value* value : body.outputs) give(*value, "output");
        name_graph(body);
      });
    }
    for (Value* value : graph.outputs) give(*value, "output");
  }

 private:
  void take(Value& value) {
    if (done_.insert(&value).second) used_.insert(value.name);
  }
  void give(Value& value, std::string_view otherwise) {
    if (!done_.insert(&value).second) return;
    const std::string stem = value.name.empty() ? std::string(otherwise) : value.name;
    std::string name = stem;
    for (int& times = counts_[stem]; !used_.insert(name).second;) {
      name = base::str_cat(stem, "_", ++times);
    }
    value.name = std::move(name);
  }

  std::set<const Value*> done_;
  std::set<std::string> used_;
  std::map<std::string, int> counts_;
};

base::Status check_graph(const Model& model, const Graph& graph) {
  for (const Node& node : graph.nodes) {
    const bool foreign = std::any_of(model.domains.begin(), model.domains.end(),
                                     [&](const auto& entry) { return entry.first == node.domain; });
    if (node.domain.empty() ? !is_known(node.op) : !foreign) {
      return absl::InternalError(base::str_cat("operator ", node.domain,
                                               node.domain.empty() ? "" : ":", node.op, " of '",
                                               node.source, "' is not in opset ", model.opset));
    }
    base::Status status;
    each_body(node, [&](Graph& body) {
      if (status.ok()) status = check_graph(model, body);
    });
    SN_TRY(status);
  }
  return absl::OkStatus();
}

}  // namespace

void release_unused(Model& model) {
  std::set<const Value*> read;
  collect_read(model.graph, read);
  for (Value& value : model.values()) {
    if (value.constant && !read.contains(&value)) value.constant.reset();
  }
}

void keep_halves(Model& model) {
  std::vector<Value*> widened;
  for (Value& value : model.values()) {
    if (value.constant && value.constant->halves()) widened.push_back(&value);
  }
  std::deque<Node> casts;
  for (Value* value : widened) {
    Value* halves = model.new_value(value->name.empty() ? "" : value->name + "/half");
    halves->constant = value->constant->halves();
    halves->type = Type::of(tensor::DataType::kFp16, value->type.dims);
    Node& cast = casts.emplace_back();
    cast.op = "Cast";
    cast.source = value->name;
    cast.inputs = {halves};
    cast.outputs = {value};
    cast.attributes = {{"to", onnx::element_type_of(tensor::DataType::kFp32)}};
    value->constant.reset();
  }
  for (auto cast = casts.rbegin(); cast != casts.rend(); ++cast) {
    model.graph.nodes.push_front(std::move(*cast));
  }
  link_producers(model.graph);
}

void remove_unused(Model& model) { remove_unused_in(model.graph); }

void merge_equal(Model& model) {
  merge_equal_in(model.graph);
  remove_unused(model);
}

void name_all(Model& model) {
  Namer namer;
  namer.name_ends(model.graph);
  namer.name_graph(model.graph);
}

void optimise(Model& model) {
  remove_unused(model);
  merge_equal(model);
  cancel_transposes(model);
  merge_equal(model);
  use_quicker_forms(model);
  release_unused(model);
  keep_halves(model);
  name_all(model);
}

base::Status check_target(const Model& model) { return check_graph(model, model.graph); }

}  // namespace supernova::import::graph
