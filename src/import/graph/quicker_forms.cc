// What frameworks spell x + 3, clipped to 0..6, divided by 6 is one operator, which the runtime can
// make part of a convolution. And a softmax over the channels of a large picture, for which the
// runtime turns all of it round and back, is quicker as its parts, which stay in place. A mean over
// pictures is a pooling, which takes the layout that the convolution before it gives.
#include <cmath>
#include <deque>
#include <map>
#include <optional>

#include "import/graph/passes.h"
#include "import/graph/rebuild.h"

namespace supernova::import::graph {
namespace {

class Joiner {
 public:
  explicit Joiner(const Graph& graph) {
    for (const Node& node : graph.nodes) {
      for (const Value* value : node.inputs) ++uses_[value];
      each_body(node, [&](Graph& body) {
        for (const Value* value : captured(body)) uses_[value] += 2;
      });
    }
    for (const Value* value : graph.outputs) ++uses_[value];
  }

  void join(Node& node) const {
    if (!node.domain.empty() || (node.op != "Mul" && node.op != "Div")) return;
    for (size_t i = 0; i < (node.op == "Mul" ? 2U : 1U); ++i) {
      const Node* clip = only_reader(node.inputs[i], "Clip");
      const auto factor = number(node.inputs[1 - i]);
      if (clip == nullptr || !factor || clip->inputs.size() != 3) continue;
      const auto low = number(clip->inputs[1]);
      const auto high = number(clip->inputs[2]);
      const Node* add = only_reader(clip->inputs[0], "Add");
      if (!low || *low != 0 || !high || !(*high > 0) || add == nullptr) continue;
      const double wanted = node.op == "Mul" ? 1 / *high : *high;
      if (std::abs(*factor / wanted - 1) > 1e-6) continue;
      if (replace(node, *add, *high)) return;
    }
  }

 private:
  // What gives the value, if it is such an operator and nobody else reads it.
  const Node* only_reader(const Value* value, std::string_view op) const {
    if (value == nullptr || value->producer == nullptr) return nullptr;
    const Node& node = *value->producer;
    const auto uses = uses_.find(value);
    const bool fits = node.domain.empty() && node.op == op && uses != uses_.end();
    return fits && uses->second == 1 ? &node : nullptr;
  }

  static std::optional<double> number(const Value* value) {
    if (value == nullptr || !value->constant || value->constant->count() != 1 ||
        value->type.data_type != tensor::DataType::kFp32) {
      return std::nullopt;
    }
    return value->constant->numbers().front();
  }

  static bool replace(Node& node, const Node& add, double high) {
    for (size_t i = 0; i < 2; ++i) {
      Value* x = add.inputs[i];
      const auto shift = number(add.inputs[1 - i]);
      if (!shift || x == nullptr || x->constant || x->type.data_type != tensor::DataType::kFp32 ||
          !x->type.rank_known || !(x->dims() == node.outputs[0]->dims())) {
        continue;
      }
      node.op = "HardSigmoid";
      node.inputs = {x};
      node.attributes = {{"alpha", static_cast<float>(1 / high)},
                         {"beta", static_cast<float>(*shift / high)}};
      return true;
    }
    return false;
  }

  std::map<const Value*, int> uses_;
};

// Fewer elements behind the axis are not worth five operators.
constexpr int64_t kLarge = 4096;

bool is_better_in_parts(const Node& node) {
  if (!node.domain.empty() || node.op != "Softmax" || node.inputs.size() != 1) return false;
  const Type& type = node.inputs[0]->type;
  if (type.data_type != tensor::DataType::kFp32 || !type.rank_known) return false;
  const auto rank = static_cast<int64_t>(type.dims.size());
  const int64_t axis = node.int_or("axis", -1);
  int64_t behind = 1;
  for (int64_t i = (axis < 0 ? axis + rank : axis) + 1; i < rank; ++i) {
    const auto size = type.dims[static_cast<size_t>(i)].constant();
    if (!size || __builtin_mul_overflow(behind, *size, &behind)) return false;
  }
  return behind >= kLarge;
}

// Puts the parts of softmaxes in their places.
class Splitter {
 public:
  Splitter(Model& model, Graph& graph) : model_(model), graph_(graph) {}

  void run() {
    std::deque<Node> nodes;
    nodes.swap(graph_.nodes);
    for (Node& node : nodes) {
      if (is_better_in_parts(node)) {
        split(node);
      } else {
        graph_.nodes.push_back(std::move(node));
      }
    }
    link_producers(graph_);
  }

 private:
  void split(const Node& node) {
    Value* x = node.inputs[0];
    const auto rank = static_cast<int64_t>(x->rank());
    const int64_t given = node.int_or("axis", -1);
    const int64_t axis = given < 0 ? given + rank : given;
    Type reduced = x->type;
    reduced.dims[static_cast<size_t>(axis)] = 1;
    Value* axes = model_.new_value("");
    axes->constant = Constant::int64s({axis});
    axes->type = Type::of(tensor::DataType::kInt64, {1});
    Value* most = add(node, "ReduceMax", {x}, reduced, {{"axes", std::vector<int64_t>{axis}}});
    Value* powers = add(node, "Exp", {add(node, "Sub", {x, most}, x->type)}, x->type);
    Value* sum = add(node, "ReduceSum", {powers, axes}, reduced);
    add(node, "Div", {powers, sum}, x->type);
    graph_.nodes.back().outputs = node.outputs;
  }

  Value* add(const Node& of, std::string_view op, std::vector<Value*> inputs, const Type& type,
             Attributes attributes = {}) {
    Value* out = model_.new_value("");
    out->type = type;
    Node& node = graph_.nodes.emplace_back();
    node.op = op;
    node.inputs = std::move(inputs);
    node.outputs = {out};
    node.attributes = std::move(attributes);
    node.source = of.source;
    return out;
  }

  Model& model_;
  Graph& graph_;
};

void pool_mean(Node& node) {
  if (!node.domain.empty() || node.op != "ReduceMean" || node.int_or("keepdims", 1) == 0) return;
  const Value* x = node.inputs[0];
  if (x->type.data_type != tensor::DataType::kFp32 || !x->type.rank_known || x->rank() != 4 ||
      node.inputs.size() != 1 || node.ints_or("axes", {}) != std::vector<int64_t>{2, 3}) {
    return;
  }
  // Of integers nothing comes in that layout.
  const Node* before = x->producer;
  if (before == nullptr || before->op == "DequantizeLinear" || before->op == "Cast") return;
  node.op = "GlobalAveragePool";
  node.attributes.clear();
}

void change(Model& model, Graph& graph) {
  const Joiner joiner(graph);
  for (Node& node : graph.nodes) {
    joiner.join(node);
    pool_mean(node);
    each_body(node, [&](Graph& body) { change(model, body); });
  }
  Splitter(model, graph).run();
}

}  // namespace

void use_quicker_forms(Model& model) {
  change(model, model.graph);
  remove_unused(model);
}

}  // namespace supernova::import::graph
