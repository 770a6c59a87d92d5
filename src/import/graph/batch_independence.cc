// Where each value carries the batch: the axis along which items stay apart, followed from the
// graph's inputs to its outputs.
#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "import/graph/op_classes.h"
#include "import/graph/passes.h"
#include "import/graph/rebuild.h"

namespace supernova::import::graph {
namespace {

// Axis of the batch in a value; values that have none are the same for every batch.
using Axes = std::map<const Value*, size_t>;

class Follower {
 public:
  explicit Follower(const Graph& graph) : graph_(graph) {}

  BatchVerdict run() {
    if (graph_.inputs.empty()) return {false, "the model has no inputs"};
    for (const Value* input : graph_.inputs) {
      if (!input->type.rank_known || input->rank() == 0) {
        return {false, base::str_cat("input '", input->name, "' has no first axis")};
      }
      axes_[input] = 0;
    }
    for (const Node& node : graph_.nodes) {
      if (!carries(node)) continue;
      if (!follow(node)) {
        return {false,
                base::str_cat(node.op, node.source.empty() ? "" : " '", node.source,
                              node.source.empty() ? "" : "'", " mixes items along the first axis")};
      }
    }
    for (const Value* output : graph_.outputs) {
      const auto axis = axis_of(output);
      if (axis != 0) {
        return {false, base::str_cat("output '", output->name,
                                     axis ? "' has the batch on another axis than the first"
                                          : "' does not depend on the batch")};
      }
    }
    return {true, ""};
  }

 private:
  std::optional<size_t> axis_of(const Value* value) const {
    const auto at = axes_.find(value);
    if (at == axes_.end()) return std::nullopt;
    return at->second;
  }

  bool carries(const Node& node) const {
    bool any = std::any_of(node.inputs.begin(), node.inputs.end(),
                           [&](const Value* value) { return axes_.contains(value); });
    each_body(node, [&](Graph& body) {
      for (const Value* value : captured(body)) any = any || axes_.contains(value);
    });
    return any;
  }

  bool only_first(const Node& node) const {
    if (!axis_of(node.inputs[0])) return false;
    return std::none_of(node.inputs.begin() + 1, node.inputs.end(),
                        [&](const Value* value) { return axes_.contains(value); });
  }

  bool give(const Node& node, size_t axis) {
    for (const Value* value : node.outputs) {
      if (value != nullptr) axes_[value] = axis;
    }
    return true;
  }

  static size_t place(int64_t axis, size_t rank) {
    return static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(rank) : axis);
  }

  bool follow(const Node& node) {
    static const std::set<std::string_view> kImages = {"Conv",
                                                       "ConvTranspose",
                                                       "MaxPool",
                                                       "AveragePool",
                                                       "LpPool",
                                                       "GlobalMaxPool",
                                                       "GlobalAveragePool",
                                                       "GlobalLpPool",
                                                       "LRN",
                                                       "BatchNormalization",
                                                       "InstanceNormalization",
                                                       "DepthToSpace",
                                                       "SpaceToDepth"};
    const std::string& op = node.op;
    if (!node.domain.empty()) return false;
    if (unary_operators().contains(op) || op == "Dropout" || op == "QuantizeLinear" ||
        op == "DequantizeLinear") {
      return only_first(node) && give(node, *axis_of(node.inputs[0]));
    }
    if (kImages.contains(op)) {
      return only_first(node) && axis_of(node.inputs[0]) == 0 && give(node, 0);
    }
    if (broadcasting_operators().contains(op)) return follow_broadcast(node);
    if (op == "Shape" || op == "Size") return true;  // sizes are the same for every item
    if (op == "MatMul") return follow_matmul(node);
    if (op == "Gemm") {
      return only_first(node) && axis_of(node.inputs[0]) == 0 && node.int_or("transA", 0) == 0 &&
             bias_fits(node) && give(node, 0);
    }
    if (op == "Transpose") return follow_transpose(node);
    if (op == "Reshape" || op == "Flatten" || op == "Squeeze" || op == "Unsqueeze") {
      return follow_reshape(node);
    }
    if (op == "Concat") return follow_concat(node);
    if (op == "Softmax" || op == "LogSoftmax" || op == "Hardmax" || op == "TopK") {
      return off_axis(node, node.int_or("axis", -1));
    }
    if (op == "Split") return off_axis(node, node.int_or("axis", 0));
    if (op == "LayerNormalization") return follow_layer_norm(node);
    if (op == "ArgMax" || op == "ArgMin") return follow_reduction(node, {node.int_or("axis", 0)});
    if (op.substr(0, 6) == "Reduce") return follow_reduction(node, reduced_axes(node));
    if (op == "Slice" || op == "Pad" || op == "Resize" || op == "Tile" || op == "Expand") {
      return follow_same_size(node);
    }
    if (op == "Gather") return follow_gather(node);
    if (op == "LSTM" || op == "GRU" || op == "RNN") return follow_recurrent(node);
    return false;
  }

  bool follow_broadcast(const Node& node) {
    std::optional<size_t> from_end;
    for (const Value* value : node.inputs) {
      const auto axis = axis_of(value);
      if (!axis) continue;
      const size_t here = value->rank() - *axis;
      if (from_end && *from_end != here) return false;
      from_end = here;
    }
    const Value* out = node.outputs[0];
    if (!from_end || !out->type.rank_known || out->rank() < *from_end) return false;
    // What has no batch must be the same for all items.
    for (const Value* value : node.inputs) {
      if (value == nullptr || axis_of(value)) continue;
      if (!value->type.rank_known) return false;
      if (value->rank() >= *from_end && !(value->dims()[value->rank() - *from_end] == Dim(1))) {
        return false;
      }
    }
    return give(node, out->rank() - *from_end);
  }

  bool follow_matmul(const Node& node) {
    const auto a = axis_of(node.inputs[0]);
    const auto b = axis_of(node.inputs[1]);
    const Value* out = node.outputs[0];
    if (!out->type.rank_known) return false;
    const size_t left = node.inputs[0]->rank();
    const size_t right = node.inputs[1]->rank();
    if (a && b) {
      return left == right && *a == *b && *a + 2 < left && give(node, *a);
    }
    if (a) return *a + 1 < left && out->rank() == left && give(node, *a);
    return b && *b + 2 < right && out->rank() == right && give(node, *b);
  }

  static bool bias_fits(const Node& node) {
    if (node.inputs.size() < 3 || node.inputs[2] == nullptr) return true;
    const Value* bias = node.inputs[2];
    return bias->type.rank_known && (bias->rank() < 2 || bias->dims()[0] == Dim(1));
  }

  bool follow_transpose(const Node& node) {
    const std::vector<int64_t> order = node.ints_or("perm", {});
    const auto axis = static_cast<int64_t>(*axis_of(node.inputs[0]));
    const auto at = std::find(order.begin(), order.end(), axis);
    return at != order.end() && give(node, static_cast<size_t>(at - order.begin()));
  }

  // Row-major order keeps items apart where all before the batch and the batch itself stay.
  bool follow_reshape(const Node& node) {
    if (!only_first(node)) return false;
    const Value* in = node.inputs[0];
    const Value* out = node.outputs[0];
    if (!in->type.rank_known || !out->type.rank_known) return false;
    const size_t axis = *axis_of(in);
    const Dim before =
        product({in->dims().begin(), in->dims().begin() + static_cast<int64_t>(axis)});
    Dim made = 1;
    for (size_t i = 0; i < out->rank(); ++i) {
      if (made == before && out->dims()[i] == in->dims()[axis]) return give(node, i);
      made = made * out->dims()[i];
    }
    return false;
  }

  bool follow_concat(const Node& node) {
    const auto axis = axis_of(node.inputs[0]);
    for (const Value* value : node.inputs) {
      if (!axis || axis_of(value) != axis) return false;
    }
    return off_axis(node, node.int_or("axis", 0), true);
  }

  // Fine where the operator works along another axis than the batch.
  bool off_axis(const Node& node, int64_t works_on, bool several = false) {
    if (!several && !only_first(node)) return false;
    const Value* in = node.inputs[0];
    const size_t axis = *axis_of(in);
    return in->type.rank_known && place(works_on, in->rank()) != axis && give(node, axis);
  }

  bool follow_layer_norm(const Node& node) {
    if (!only_first(node) || !node.inputs[0]->type.rank_known) return false;
    const size_t axis = *axis_of(node.inputs[0]);
    return axis < place(node.int_or("axis", -1), node.inputs[0]->rank()) && give(node, axis);
  }

  static std::vector<int64_t> reduced_axes(const Node& node) {
    if (node.op == "ReduceSum" && node.inputs.size() > 1 && node.inputs[1] != nullptr &&
        node.inputs[1]->constant) {
      return node.inputs[1]->constant->integers();
    }
    return node.ints_or("axes", {});
  }

  bool follow_reduction(const Node& node, const std::vector<int64_t>& axes) {
    if (!only_first(node) || !node.inputs[0]->type.rank_known || axes.empty()) return false;
    const size_t axis = *axis_of(node.inputs[0]);
    size_t gone = 0;
    for (const int64_t reduced : axes) {
      const size_t at = place(reduced, node.inputs[0]->rank());
      if (at == axis) return false;
      if (at < axis) ++gone;
    }
    return give(node, node.int_or("keepdims", 1) != 0 ? axis : axis - gone);
  }

  // A slice that steps along the batch reorders its items.
  static bool slices_beside(const Node& node, size_t axis) {
    const Value* steps = node.inputs.size() > 4 ? node.inputs[4] : nullptr;
    const Value* axes = node.inputs.size() > 3 ? node.inputs[3] : nullptr;
    if (steps == nullptr) return true;
    if (axes == nullptr || !axes->constant) return false;
    const std::vector<int64_t> cut = axes->constant->integers();
    return std::none_of(cut.begin(), cut.end(),
                        [&](int64_t at) { return place(at, node.inputs[0]->rank()) == axis; });
  }

  // The operator leaves the batch axis alone where its size stays.
  bool follow_same_size(const Node& node) {
    const Value* in = node.inputs[0];
    const Value* out = node.outputs[0];
    if (!only_first(node) || !in->type.rank_known || !out->type.rank_known ||
        out->rank() < in->rank()) {
      return false;
    }
    const size_t axis = *axis_of(in);
    if (node.op == "Slice" && !slices_beside(node, axis)) return false;
    const size_t at = axis + out->rank() - in->rank();
    // A constant size could be changed and changed back; a symbol can't.
    return !in->dims()[axis].is_constant() && out->dims()[at] == in->dims()[axis] && give(node, at);
  }

  bool follow_gather(const Node& node) {
    const auto data = axis_of(node.inputs[0]);
    const auto indices = axis_of(node.inputs[1]);
    if (!node.inputs[0]->type.rank_known || !node.inputs[1]->type.rank_known) return false;
    const size_t axis = place(node.int_or("axis", 0), node.inputs[0]->rank());
    if (data && indices) return false;
    if (indices) return give(node, axis + *indices);
    if (*data == axis) return false;
    return give(node, *data < axis ? *data : *data + node.inputs[1]->rank() - 1);
  }

  bool follow_recurrent(const Node& node) {
    if (node.int_or("layout", 0) != 0 || axis_of(node.inputs[0]) != 1) return false;
    for (size_t i = 1; i < node.inputs.size(); ++i) {
      const Value* value = node.inputs[i];
      if (value == nullptr) continue;
      const auto axis = axis_of(value);
      // States carry the batch on axis 1; weights carry none.
      if (axis && (*axis != 1 || i < 5)) return false;
      if (!axis && i >= 5 && i != 7 &&
          !(value->type.rank_known && value->rank() == 3 &&
            value->dims()[1] == node.inputs[0]->dims()[1])) {
        return false;
      }
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != nullptr) axes_[node.outputs[i]] = i == 0 ? 2 : 1;
    }
    return true;
  }

  const Graph& graph_;
  Axes axes_;
};

}  // namespace

BatchVerdict batch_independence(const Model& model) { return Follower(model.graph).run(); }

}  // namespace supernova::import::graph
