#include "import/graph/infer.h"

#include <algorithm>

#include "import/graph/infer_table.h"

namespace supernova::import::graph {
namespace {

const InferTable& table() {
  static const InferTable built = [] {
    InferTable out;
    add_elementwise(out);
    add_shape_operators(out);
    add_indexing(out);
    add_neural(out);
    add_reductions(out);
    add_quantisation(out);
    add_control_flow(out);
    return out;
  }();
  return built;
}

}  // namespace

const Type& Inference::type(size_t i) const {
  static const Type nothing;
  const Value* value = input(i);
  return value != nullptr ? value->type : nothing;
}

std::optional<std::vector<int64_t>> Inference::integers(size_t i) const {
  const Value* value = input(i);
  if (value == nullptr) return std::nullopt;
  if (value->constant) {
    std::vector<int64_t> out = value->constant->integers();
    if (static_cast<int64_t>(out.size()) == value->constant->count()) return out;
    return std::nullopt;
  }
  return value->elements ? constant_dims(*value->elements) : std::nullopt;
}

std::optional<Dims> Inference::elements(size_t i) const {
  const Value* value = input(i);
  if (value == nullptr) return std::nullopt;
  if (value->elements) return value->elements;
  if (const auto numbers = integers(i)) return to_dims(*numbers);
  return std::nullopt;
}

base::Result<size_t> Inference::axis(int64_t axis, size_t rank) {
  const auto count = static_cast<int64_t>(rank);
  if (axis < -count || axis >= count) {
    return absl::InvalidArgumentError(
        base::str_cat("axis ", axis, " of a tensor with ", rank, " axes"));
  }
  return static_cast<size_t>(axis < 0 ? axis + count : axis);
}

void Inference::set(size_t i, Type type) {
  if (i < node_.outputs.size() && node_.outputs[i] != nullptr) {
    node_.outputs[i]->type = std::move(type);
  }
}

Dims Inference::unknown_dims(size_t rank) {
  Dims out;
  for (size_t i = 0; i < rank; ++i) out.push_back(Model::fresh_dim());
  return out;
}

base::Result<Dims> broadcast(const Dims& a, const Dims& b) {
  const size_t rank = std::max(a.size(), b.size());
  Dims out(rank);
  for (size_t i = 0; i < rank; ++i) {
    const Dim x = i + a.size() >= rank ? a[i + a.size() - rank] : Dim(1);
    const Dim y = i + b.size() >= rank ? b[i + b.size() - rank] : Dim(1);
    if (x == y || y == Dim(1)) {
      out[i] = x;
    } else if (x == Dim(1)) {
      out[i] = y;
    } else if (x.is_constant() && y.is_constant()) {
      return absl::InvalidArgumentError(
          base::str_cat("shapes ", to_string(a), " and ", to_string(b), " do not fit together"));
    } else if (x.is_constant() || y.is_constant()) {
      out[i] = x.is_constant() ? x : y;  // the other one is this or 1
    } else {
      out[i] = Model::fresh_dim();
    }
  }
  return out;
}

base::Status infer(Model& model, Node& node) {
  const auto at = table().find(node.op);
  if (at == table().end()) {
    return absl::InternalError(base::str_cat("no rule for the result of ONNX operator ", node.op));
  }
  Inference inference(model, node);
  return at->second(inference);
}

bool is_known(std::string_view op) { return table().contains(op); }

}  // namespace supernova::import::graph
