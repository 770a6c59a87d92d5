// Arithmetic on shapes: small integer tensors whose elements are known as sizes.
#include <algorithm>

#include "import/graph/fold.h"

namespace supernova::import::graph {
namespace {

using tensor::DataType;

constexpr size_t kMaxElements = 64;

// What an input holds, where it is a tensor of integers with at most one axis.
std::optional<Dims> elements_of(const Node& node, size_t i) {
  const Value* value = i < node.inputs.size() ? node.inputs[i] : nullptr;
  if (value == nullptr) return std::nullopt;
  if (value->elements) return value->elements;
  if (!value->constant || value->constant->shape().size() > 1) return std::nullopt;
  if (value->type.data_type != DataType::kInt64 && value->type.data_type != DataType::kInt32) {
    return std::nullopt;
  }
  if (value->constant->count() > static_cast<int64_t>(kMaxElements)) return std::nullopt;
  return to_dims(value->constant->integers());
}

std::optional<Dims> shape_part(const Node& node) {
  const Value* x = node.inputs[0];
  if (x == nullptr || !x->type.rank_known) return std::nullopt;
  const auto rank = static_cast<int64_t>(x->rank());
  auto place = [&](int64_t at) { return std::clamp(at < 0 ? at + rank : at, int64_t{0}, rank); };
  const int64_t start = place(node.int_or("start", 0));
  const int64_t end = std::max(start, place(node.int_or("end", rank)));
  return Dims(x->dims().begin() + start, x->dims().begin() + end);
}

std::optional<Dims> arithmetic(const Node& node) {
  const auto a = elements_of(node, 0);
  const auto b = elements_of(node, 1);
  if (!a || !b || a->empty() || b->empty()) return std::nullopt;
  if (a->size() != b->size() && a->size() != 1 && b->size() != 1) return std::nullopt;
  Dims out;
  for (size_t i = 0; i < std::max(a->size(), b->size()); ++i) {
    const Dim& x = (*a)[a->size() == 1 ? 0 : i];
    const Dim& y = (*b)[b->size() == 1 ? 0 : i];
    if (node.op == "Add") {
      out.push_back(x + y);
    } else if (node.op == "Sub") {
      out.push_back(x - y);
    } else if (node.op == "Mul") {
      out.push_back(x * y);
    } else if (node.op == "Max") {
      out.push_back(max(x, y));
    } else if (node.op == "Min") {
      out.push_back(min(x, y));
    } else {
      // Integer Div rounds towards zero: the same as floor for sizes, which are not negative.
      const auto number = x.constant();
      const auto by = y.constant();
      if (!by || *by <= 0 || (number && *number < 0)) return std::nullopt;
      out.push_back(floor_div(x, y));
    }
  }
  return out;
}

std::optional<Dims> gathered(const Node& node) {
  const auto from = elements_of(node, 0);
  const auto indices = elements_of(node, 1);
  if (!from || !indices || node.int_or("axis", 0) != 0) return std::nullopt;
  Dims out;
  const auto size = static_cast<int64_t>(from->size());
  for (const Dim& index : *indices) {
    const auto at = index.constant();
    if (!at || *at < -size || *at >= size) return std::nullopt;
    out.push_back((*from)[static_cast<size_t>(*at < 0 ? *at + size : *at)]);
  }
  return out;
}

std::optional<Dims> sliced(const Node& node) {
  const auto from = elements_of(node, 0);
  const auto starts = elements_of(node, 1);
  const auto ends = elements_of(node, 2);
  const auto steps = elements_of(node, 4);
  if (!from || !starts || !ends || starts->size() != 1 || ends->size() != 1) return std::nullopt;
  const bool stepped = node.inputs.size() > 4 && node.inputs[4] != nullptr;
  const int64_t step = steps && steps->size() == 1 ? steps->front().constant().value_or(0) : 1;
  const auto start = starts->front().constant();
  const auto end = ends->front().constant();
  if ((stepped && !steps) || step < 1 || !start || !end) return std::nullopt;
  const auto size = static_cast<int64_t>(from->size());
  auto place = [&](int64_t at) {
    return at < -size ? int64_t{0} : std::clamp(at < 0 ? at + size : at, int64_t{0}, size);
  };
  Dims out;
  for (int64_t i = place(*start); i < place(*end); i += step) {
    out.push_back((*from)[static_cast<size_t>(i)]);
    if (step > size) break;
  }
  return out;
}

std::optional<Dims> concatenated(const Node& node) {
  Dims out;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const auto part = elements_of(node, i);
    if (!part) return std::nullopt;
    out.insert(out.end(), part->begin(), part->end());
  }
  return out;
}

std::optional<Dims> chosen(const Node& node) {
  // Element-wise selection by a known condition.
  const Value* condition = node.inputs[0];
  const auto yes = elements_of(node, 1);
  const auto no = elements_of(node, 2);
  if (condition == nullptr || !condition->constant || !yes || !no) return std::nullopt;
  const std::vector<int64_t> flags = condition->constant->integers();
  if (flags.size() != yes->size() || flags.size() != no->size()) return std::nullopt;
  Dims out;
  for (size_t i = 0; i < flags.size(); ++i) out.push_back(flags[i] != 0 ? (*yes)[i] : (*no)[i]);
  return out;
}

std::optional<Dims> evaluate(const Node& node) {
  const std::string& op = node.op;
  if (op == "Shape") return shape_part(node);
  if (op == "Size") {
    const Value* x = node.inputs[0];
    if (x == nullptr || !x->type.rank_known) return std::nullopt;
    return Dims{product(x->dims())};
  }
  if (op == "Identity" || op == "Cast" || op == "Reshape" || op == "Squeeze" || op == "Unsqueeze") {
    return elements_of(node, 0);
  }
  if (op == "Add" || op == "Sub" || op == "Mul" || op == "Div" || op == "Max" || op == "Min") {
    return node.inputs.size() == 2 ? arithmetic(node) : std::nullopt;
  }
  if (op == "Gather") return gathered(node);
  if (op == "Slice") return sliced(node);
  if (op == "Concat") return concatenated(node);
  if (op == "Where") return chosen(node);
  if (op == "ReduceProd") {
    const auto all = elements_of(node, 0);
    if (!all) return std::nullopt;
    return Dims{product(*all)};
  }
  return std::nullopt;
}

}  // namespace

bool fold_sizes(const Node& node) {
  if (node.inputs.empty() || node.outputs.size() != 1 || node.outputs[0] == nullptr) return false;
  Value& out = *node.outputs[0];
  const bool integer =
      out.type.data_type == DataType::kInt64 || out.type.data_type == DataType::kInt32;
  if (!integer || !out.type.rank_known || out.rank() > 1) return false;
  auto elements = evaluate(node);
  if (!elements || elements->size() > kMaxElements) return false;
  if (out.rank() == 0 && elements->size() != 1) return false;
  const auto numbers = constant_dims(*elements);
  if (!numbers) {
    out.elements = std::move(elements);
    if (out.rank() == 1) out.type.dims = {static_cast<int64_t>(out.elements->size())};
    return false;
  }
  std::vector<int64_t> shape;
  if (out.rank() == 1) shape.push_back(static_cast<int64_t>(numbers->size()));
  if (out.type.data_type == DataType::kInt64) {
    out.constant = Constant::of(DataType::kInt64, shape, *numbers);
  } else {
    std::vector<int32_t> narrow;
    for (const int64_t number : *numbers) {
      if (number < INT32_MIN || number > INT32_MAX) return false;
      narrow.push_back(static_cast<int32_t>(number));
    }
    out.constant = Constant::of(DataType::kInt32, shape, narrow);
  }
  out.type.dims = to_dims(shape);
  return true;
}

}  // namespace supernova::import::graph
