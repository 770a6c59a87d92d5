#include "import/graph/rebuild.h"

#include <set>

namespace supernova::import::graph {
namespace {

void collect(const Graph& body, std::set<const Value*>& own, std::vector<Value*>& out) {
  own.insert(body.inputs.begin(), body.inputs.end());
  for (const Node& node : body.nodes) own.insert(node.outputs.begin(), node.outputs.end());
  auto take = [&](Value* value) {
    if (value != nullptr && !own.contains(value)) out.push_back(value);
  };
  for (const Node& node : body.nodes) {
    for (Value* value : node.inputs) take(value);
    each_body(node, [&](Graph& inner) { collect(inner, own, out); });
  }
  for (Value* value : body.outputs) take(value);
}

}  // namespace

void each_body(const Node& node, const std::function<void(Graph&)>& use) {
  for (const auto& [name, attribute] : node.attributes) {
    if (const auto* body = std::get_if<std::shared_ptr<Graph>>(&attribute)) use(**body);
  }
}

void link_producers(Graph& graph) {
  for (const Node& node : graph.nodes) {
    for (Value* value : node.outputs) {
      if (value != nullptr) value->producer = &node;
    }
  }
}

std::vector<Value*> captured(const Graph& body) {
  std::set<const Value*> own;
  std::vector<Value*> out;
  collect(body, own, out);
  return out;
}

bool is_identity(const Permutation& order) {
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

Permutation inverse(const Permutation& order) {
  Permutation out(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    out[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
  }
  return out;
}

Permutation compose(const Permutation& first, const Permutation& second) {
  Permutation out;
  for (const int64_t axis : second) out.push_back(first[static_cast<size_t>(axis)]);
  return out;
}

}  // namespace supernova::import::graph
