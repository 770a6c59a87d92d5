// Transposes move down lazily: a value that is only another one in another order of axes is kept as
// that pair, and an operator that can work in either order takes the other value. What cannot gets
// a Transpose of its own, once.
#include <algorithm>
#include <map>
#include <set>

#include "import/graph/fold.h"
#include "import/graph/op_classes.h"
#include "import/graph/passes.h"
#include "import/graph/rebuild.h"

namespace supernova::import::graph {
namespace {

// value == Transpose(base, order): its axis i is base's axis order[i].
struct Alias {
  Value* base = nullptr;
  Permutation order;
};

const std::set<std::string_view>& with_axis() {
  static const std::set<std::string_view> ops = {"Softmax", "LogSoftmax", "Hardmax", "Concat",
                                                 "Split"};
  return ops;
}

bool is_reduction(std::string_view op) {
  return op.substr(0, 6) == "Reduce" || op == "ArgMax" || op == "ArgMin";
}

class Mover {
 public:
  Mover(Model& model, Graph& graph) : model_(model), graph_(graph) {}

  void run() {
    std::deque<Node> nodes;
    nodes.swap(graph_.nodes);
    for (Node& node : nodes) {
      if (!moved(node)) keep(std::move(node));
    }
    for (Value* value : graph_.outputs) materialise(value);
    link_producers(graph_);
  }

 private:
  const Alias* alias_of(const Value* value) const {
    const auto at = aliases_.find(value);
    return at != aliases_.end() ? &at->second : nullptr;
  }

  // Gives `value` a node of its own where it is an alias.
  void materialise(Value* value) {
    const auto at = aliases_.find(value);
    if (at == aliases_.end()) return;
    const Alias alias = at->second;
    aliases_.erase(at);
    Node& node = graph_.nodes.emplace_back();
    node.op = is_identity(alias.order) ? "Identity" : "Transpose";
    node.inputs = {alias.base};
    node.outputs = {value};
    node.source = sources_[value];
    if (node.op == "Transpose") node.attributes = {{"perm", alias.order}};
  }

  // An alias in the order of its base is the base itself.
  Value* direct(Value* value) const {
    const Alias* alias = value != nullptr ? alias_of(value) : nullptr;
    return alias != nullptr && is_identity(alias->order) ? alias->base : value;
  }

  void keep(Node node) {
    for (Value*& value : node.inputs) {
      value = direct(value);
      if (value != nullptr) materialise(value);
    }
    each_body(node, [&](Graph& body) {
      for (Value* value : captured(body)) materialise(value);
      Mover(model_, body).run();
    });
    graph_.nodes.push_back(std::move(node));
  }

  void remember(Value* value, Value* base, Permutation order, const std::string& source) {
    aliases_[value] = {base, std::move(order)};
    sources_[value] = source;
  }

  // A new value with the axes of `like`, which is in the order of the source, back in base order.
  Value* in_base_order(const Value& like, const Permutation& order) {
    Value* out = model_.new_value(like.name);
    out->type = like.type;
    for (size_t i = 0; i < order.size(); ++i) {
      out->type.dims[static_cast<size_t>(order[i])] = like.dims()[i];
    }
    return out;
  }

  bool moved(Node& node) {
    if (!node.domain.empty()) return false;
    if (node.op == "Transpose") return join(node);
    // The order that the first aliased input has.
    const Alias* alias = nullptr;
    for (const Value* input : node.inputs) {
      if (input == nullptr) continue;
      const Alias* found = alias_of(input);
      if (found != nullptr && !is_identity(found->order)) {
        alias = found;
        break;
      }
    }
    if (alias == nullptr) return false;
    const Permutation order = alias->order;
    if (unary_operators().contains(node.op)) return pass_unary(node, order);
    if (node.op == "QuantizeLinear" || node.op == "DequantizeLinear") {
      return pass_quantisation(node, order);
    }
    if (broadcasting_operators().contains(node.op)) return pass_broadcast(node, order);
    if (with_axis().contains(node.op)) return pass_axis(node, order);
    if (is_reduction(node.op)) return pass_reduction(node, order);
    if (node.op == "Pad") return pass_pad(node, order);
    if (node.op == "Slice") return pass_slice(node, order);
    if (node.op == "Resize") return pass_resize(node, order);
    if (node.op == "Squeeze") return pass_squeeze(node, order);
    if (node.op == "Reshape" || node.op == "Flatten") return pass_reshape(node, order);
    return false;
  }

  bool join(Node& node) {
    Value* x = node.inputs[0];
    Permutation order = node.ints_or("perm", {});
    if (order.empty()) return false;
    Value* base = x;
    if (const Alias* alias = alias_of(x)) {
      order = compose(alias->order, order);
      base = alias->base;
    }
    remember(node.outputs[0], base, std::move(order), node.source);
    return true;
  }

  bool first_only(const Node& node) const {
    const Value* x = node.inputs[0];
    return x != nullptr && alias_of(x) != nullptr;
  }

  // The node over base values; its outputs become aliases in `order`.
  bool finish(Node& node, const Permutation& order) {
    std::vector<Value*> outputs;
    for (Value* value : node.outputs) {
      if (value == nullptr) {
        outputs.push_back(nullptr);
        continue;
      }
      Value* base = in_base_order(*value, order);
      remember(value, base, order, node.source);
      outputs.push_back(base);
    }
    node.outputs = std::move(outputs);
    graph_.nodes.push_back(std::move(node));
    return true;
  }

  bool pass_unary(Node& node, const Permutation& order) {
    if (!first_only(node)) return false;
    for (size_t i = 1; i < node.inputs.size(); ++i) {
      const Value* other = node.inputs[i];
      if (other != nullptr &&
          (alias_of(other) != nullptr || !other->type.rank_known || other->rank() != 0)) {
        return false;
      }
    }
    node.inputs[0] = alias_of(node.inputs[0])->base;
    return finish(node, order);
  }

  bool pass_quantisation(Node& node, const Permutation& order) {
    if (!first_only(node)) return false;
    const Value* scale = node.inputs[1];
    if (!scale->type.rank_known) return false;
    if (scale->rank() == 1) set_axis(node, order, node.int_or("axis", 1));
    node.inputs[0] = alias_of(node.inputs[0])->base;
    return finish(node, order);
  }

  static void set(Node& node, std::string_view name, Attribute value) {
    for (auto& [key, attribute] : node.attributes) {
      if (key == name) {
        attribute = std::move(value);
        return;
      }
    }
    node.attributes.emplace_back(std::string(name), std::move(value));
  }

  static int64_t moved_axis(const Permutation& order, int64_t axis) {
    const auto rank = static_cast<int64_t>(order.size());
    return order[static_cast<size_t>(axis < 0 ? axis + rank : axis)];
  }
  static void set_axis(Node& node, const Permutation& order, int64_t axis) {
    set(node, "axis", moved_axis(order, axis));
  }

  // A constant that broadcasts against a tensor in source order, for one in base order; null where
  // it can't be had.
  Value* reordered_constant(const Value& constant, const Permutation& order) {
    if (constant.rank() == 0 || constant.constant->count() == 1) {
      if (constant.rank() <= order.size()) {
        Value* out = model_.new_value("");
        out->constant = constant.constant->reshaped({});
        out->type = Type::of(constant.type.data_type, {});
        return out;
      }
      return nullptr;
    }
    if (constant.rank() > order.size()) return nullptr;
    std::vector<int64_t> shape(order.size() - constant.rank(), 1);
    shape.insert(shape.end(), constant.constant->shape().begin(), constant.constant->shape().end());
    Value* full = model_.new_value(constant.name);
    full->constant = constant.constant->reshaped(shape);
    full->type = Type::of(constant.type.data_type, to_dims(shape));
    return transposed_constant(full, inverse(order));
  }

  Value* transposed_constant(Value* x, const Permutation& order) {
    Node node;
    node.op = "Transpose";
    node.inputs = {x};
    node.attributes = {{"perm", order}};
    Value* out = model_.new_value(x->name);
    out->type = x->type;
    for (size_t i = 0; i < order.size(); ++i) {
      out->type.dims[i] = x->dims()[static_cast<size_t>(order[i])];
    }
    node.outputs = {out};
    return fold_constants(node) ? out : nullptr;
  }

  // Few elements beside a feature map: one size at most is not 1.
  static bool is_thin(const Value& value) {
    const auto wide = std::count_if(value.dims().begin(), value.dims().end(),
                                    [](const Dim& dim) { return !(dim == Dim(1)); });
    return wide <= 2 && value.rank() > 2;
  }

  bool pass_broadcast(Node& node, const Permutation& order) {
    std::vector<Value*> inputs = node.inputs;
    std::vector<std::pair<size_t, Value*>> to_turn;
    for (size_t i = 0; i < inputs.size(); ++i) {
      Value*& value = inputs[i];
      if (value == nullptr || !value->type.rank_known) return false;
      value = direct(value);
      const Alias* alias = alias_of(value);
      if (alias != nullptr && alias->order == order) {
        value = alias->base;
      } else if (alias == nullptr && value->constant) {
        value = reordered_constant(*value, order);
        if (value == nullptr) return false;
      } else if (alias == nullptr && value->rank() == 0) {
        continue;
      } else if (alias == nullptr && value->rank() == order.size() && is_thin(*value)) {
        to_turn.emplace_back(i, value);
      } else {
        return false;
      }
    }
    if (!node.outputs[0]->type.rank_known || node.outputs[0]->rank() != order.size()) return false;
    for (auto& [i, value] : to_turn) inputs[i] = turned(value, inverse(order), node.source);
    node.inputs = std::move(inputs);
    return finish(node, order);
  }

  // A Transpose of a value that is no alias, made once.
  Value* turned(Value* value, const Permutation& order, const std::string& source) {
    auto [at, added] = turned_.try_emplace({value, order}, nullptr);
    if (!added) return at->second;
    Value* out = model_.new_value(value->name);
    out->type = value->type;
    for (size_t i = 0; i < order.size(); ++i) {
      out->type.dims[i] = value->dims()[static_cast<size_t>(order[i])];
    }
    Node& node = graph_.nodes.emplace_back();
    node.op = "Transpose";
    node.inputs = {value};
    node.outputs = {out};
    node.attributes = {{"perm", order}};
    node.source = source;
    at->second = out;
    return out;
  }

  bool pass_axis(Node& node, const Permutation& order) {
    const size_t tensors = node.op == "Concat" ? node.inputs.size() : 1;
    std::vector<Value*> inputs = node.inputs;
    for (size_t i = 0; i < tensors; ++i) {
      inputs[i] = direct(inputs[i]);
      const Alias* alias = alias_of(inputs[i]);
      if (alias != nullptr && alias->order == order) {
        inputs[i] = alias->base;
      } else if (alias == nullptr && inputs[i]->constant && inputs[i]->rank() == order.size()) {
        inputs[i] = transposed_constant(inputs[i], inverse(order));
        if (inputs[i] == nullptr) return false;
      } else {
        return false;
      }
    }
    const bool from_start = node.op == "Concat" || node.op == "Split";
    set_axis(node, order, node.int_or("axis", from_start ? 0 : -1));
    node.inputs = std::move(inputs);
    return finish(node, order);
  }

  static std::optional<std::vector<int64_t>> known(const Node& node, size_t i) {
    if (i >= node.inputs.size() || node.inputs[i] == nullptr || !node.inputs[i]->constant) {
      return std::nullopt;
    }
    return node.inputs[i]->constant->integers();
  }
  Value* ints(const std::vector<int64_t>& values,
              tensor::DataType type = tensor::DataType::kInt64) {
    Value* out = model_.new_value("");
    if (type == tensor::DataType::kInt32) {
      out->constant = Constant::of<int32_t>(type, {static_cast<int64_t>(values.size())},
                                            {values.begin(), values.end()});
    } else {
      out->constant = Constant::int64s(values);
    }
    out->type = Type::of(type, {static_cast<int64_t>(values.size())});
    return out;
  }

  bool pass_reduction(Node& node, const Permutation& order) {
    if (!first_only(node)) return false;
    const auto rank = static_cast<int64_t>(order.size());
    std::vector<int64_t> axes;
    const bool as_input = node.op == "ReduceSum";
    if (node.op == "ArgMax" || node.op == "ArgMin") {
      axes = {node.int_or("axis", 0)};
    } else if (as_input) {
      const auto given = known(node, 1);
      if (!given || given->empty()) return false;
      axes = *given;
    } else {
      axes = node.ints_or("axes", {});
      if (axes.empty()) return false;
    }
    for (int64_t& axis : axes) axis = axis < 0 ? axis + rank : axis;
    const std::vector<int64_t> source_axes = axes;
    for (int64_t& axis : axes) axis = order[static_cast<size_t>(axis)];
    if (node.op == "ArgMax" || node.op == "ArgMin") {
      set(node, "axis", axes.front());
    } else if (as_input) {
      node.inputs[1] = ints(axes);
    } else {
      std::vector<int64_t> sorted = axes;
      std::sort(sorted.begin(), sorted.end());
      set(node, "axes", sorted);
    }
    node.inputs[0] = alias_of(node.inputs[0])->base;
    if (node.int_or("keepdims", 1) != 0) return finish(node, order);
    return finish(node, without(order, source_axes));
  }

  // The order of the axes that are left when `axes` (in source order) are gone.
  static Permutation without(const Permutation& order, const std::vector<int64_t>& axes) {
    Permutation left;
    for (size_t i = 0; i < order.size(); ++i) {
      if (std::find(axes.begin(), axes.end(), static_cast<int64_t>(i)) == axes.end()) {
        left.push_back(order[i]);
      }
    }
    Permutation sorted = left;
    std::sort(sorted.begin(), sorted.end());
    for (int64_t& axis : left) {
      axis = std::lower_bound(sorted.begin(), sorted.end(), axis) - sorted.begin();
    }
    return left;
  }

  bool pass_squeeze(Node& node, const Permutation& order) {
    auto axes = known(node, 1);
    if (!first_only(node) || !axes) return false;
    const auto rank = static_cast<int64_t>(order.size());
    std::vector<int64_t> moved_axes;
    for (int64_t& axis : *axes) {
      axis = axis < 0 ? axis + rank : axis;
      moved_axes.push_back(order[static_cast<size_t>(axis)]);
    }
    node.inputs[1] = ints(moved_axes);
    node.inputs[0] = alias_of(node.inputs[0])->base;
    return finish(node, without(order, *axes));
  }

  bool pass_pad(Node& node, const Permutation& order) {
    const auto pads = known(node, 1);
    const size_t rank = order.size();
    if (!first_only(node) || !pads || pads->size() != 2 * rank) return false;
    std::vector<int64_t> out(2 * rank);
    for (size_t i = 0; i < rank; ++i) {
      const auto to = static_cast<size_t>(order[i]);
      out[to] = (*pads)[i];
      out[to + rank] = (*pads)[i + rank];
    }
    node.inputs[1] = ints(out);
    node.inputs[0] = alias_of(node.inputs[0])->base;
    return finish(node, order);
  }

  bool pass_slice(Node& node, const Permutation& order) {
    auto axes = known(node, 3);
    if (!first_only(node) || !axes) return false;
    for (size_t i = 1; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != nullptr && alias_of(node.inputs[i]) != nullptr) return false;
    }
    for (int64_t& axis : *axes) axis = moved_axis(order, axis);
    node.inputs[3] = ints(*axes, node.inputs[3]->type.data_type);
    node.inputs[0] = alias_of(node.inputs[0])->base;
    return finish(node, order);
  }

  bool pass_resize(Node& node, const Permutation& order) {
    if (!first_only(node) || node.inputs.size() != 4 || node.inputs[1] != nullptr) return false;
    const auto sizes = known(node, 3);
    if (node.inputs[2] != nullptr || !sizes || sizes->size() != order.size()) return false;
    std::vector<int64_t> out(sizes->size());
    for (size_t i = 0; i < out.size(); ++i) out[static_cast<size_t>(order[i])] = (*sizes)[i];
    node.inputs[3] = ints(out);
    node.inputs[0] = alias_of(node.inputs[0])->base;
    return finish(node, order);
  }

  // Where only axes of one element change places, the elements lie as before.
  static bool keeps_elements(const Alias& alias) {
    int64_t last = -1;
    for (const int64_t axis : alias.order) {
      if (alias.base->dims()[static_cast<size_t>(axis)] == Dim(1)) continue;
      if (axis < last) return false;
      last = axis;
    }
    return true;
  }

  bool pass_reshape(Node& node, const Permutation& order) {
    if (!first_only(node)) return false;
    const Alias* alias = alias_of(node.inputs[0]);
    const Value* out = node.outputs[0];
    if (!alias->base->type.rank_known || !keeps_elements(*alias) || !out->type.rank_known) {
      return false;
    }
    if (node.op == "Flatten") {
      // As a reshape, which takes any number of axes in any place.
      const auto numbers = constant_dims(out->dims());
      if (!numbers) return false;
      node.op = "Reshape";
      node.attributes.clear();
      node.inputs = {node.inputs[0], ints(*numbers)};
    } else {
      const auto shape = known(node, 1);
      if (!shape) return false;
      for (size_t i = 0; i < shape->size(); ++i) {
        // A copied size must be that of the same axis.
        if ((*shape)[i] == 0 && (i >= order.size() || order[i] != static_cast<int64_t>(i))) {
          return false;
        }
      }
    }
    node.inputs[0] = alias->base;
    graph_.nodes.push_back(std::move(node));
    return true;
  }

  Model& model_;
  Graph& graph_;
  std::map<const Value*, Alias> aliases_;
  std::map<const Value*, std::string> sources_;
  std::map<std::pair<const Value*, Permutation>, Value*> turned_;
};

}  // namespace

void cancel_transposes(Model& model) {
  Mover(model, model.graph).run();
  remove_unused(model);
}

}  // namespace supernova::import::graph
