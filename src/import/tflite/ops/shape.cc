// Operators that change the shape and keep the elements, and those about shapes.
#include <algorithm>

#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

// Puts a size in the place of -1.
Dims resolve(Context& c, const Dims& from, Dims to) {
  const auto open = std::find(to.begin(), to.end(), Dim(-1));
  if (open == to.end()) return to;
  *open = Dim(1);
  const auto size = exact_div(graph::product(from), graph::product(to));
  if (size) {
    *open = *size;
  } else if (graph::product(from).is_constant() && graph::product(to).is_constant()) {
    c.b.fail(base::str_cat(graph::to_string(from), " can't be reshaped to these sizes"));
  } else {
    *open = c.b.model().fresh_dim();
  }
  return to;
}

void reshape(Context& c) {
  std::optional<Dims> to;
  if (c.has(1)) {
    to = c.sizes(1);
  } else {
    const auto stated = c.options().numbers<int32_t>(0);
    to.emplace();
    for (size_t i = 0; i < stated.size(); ++i) to->emplace_back(int64_t{stated[i]});
  }
  // Once a scalar's shape was written as one zero.
  const bool scalar = to && to->size() == 1 && to->front() == Dim(0) &&
                      graph::product(c.stored(0)->dims()) == Dim(1);
  if (scalar) to->clear();
  const bool known = to && c.stored(0)->type.rank_known;
  if (known) to = resolve(c, c.stored(0)->dims(), *to);
  c.move_elements(0, 1, [&](const std::vector<Value*>& x) {
    return known ? c.b.reshape(x[0], *to) : c.b.reshape(x[0], c.int64s(1));
  });
}

void squeeze(Context& c) {
  const auto rank = c.rank(0);
  if (!rank) return;
  std::vector<int64_t> axes;
  const auto stated = c.options().numbers<int32_t>(0);
  for (size_t i = 0; i < stated.size(); ++i) {
    const auto axis = c.axis(stated[i], *rank);
    if (!axis) return;
    if (std::find(axes.begin(), axes.end(), *axis) == axes.end()) axes.push_back(*axis);
  }
  for (size_t i = 0; stated.empty() && i < *rank; ++i) {
    if (c.stored(0)->dims()[i] == Dim(1)) axes.push_back(static_cast<int64_t>(i));
  }
  std::sort(axes.begin(), axes.end());
  c.move_elements(0, 1, [&](const auto& x) { return c.b.squeeze(x[0], axes); });
}

void expand_dims(Context& c) {
  const auto axes = c.need_ints(1, "axis");
  const auto rank = c.rank(0);
  if (!axes || !rank || !c.require(axes->size() == 1, "the axis must be one number")) return;
  const auto axis = c.axis(axes->front(), *rank + 1);
  if (!axis) return;
  c.move_elements(0, 1, [&](const auto& x) { return c.b.unsqueeze(x[0], {*axis}); });
}

void transpose(Context& c) {
  const auto stated = c.need_ints(1, "order of axes");
  const auto rank = c.rank(0);
  if (!stated || !rank) return;
  std::vector<int64_t> permutation;
  std::vector<bool> seen(*rank, false);
  for (const int64_t at : *stated) {
    const auto axis = c.axis(at, *rank);
    if (!axis) return;
    if (!c.require(!seen[*axis], "the order names an axis twice")) return;
    seen[*axis] = true;
    permutation.push_back(*axis);
  }
  if (!c.require(permutation.size() == *rank, "the order does not name every axis")) return;
  c.move_elements(0, 1, [&](const auto& x) { return c.b.transpose(x[0], permutation); });
}

void shape(Context& c) { c.out_stored(0, c.b.op("Shape", {c.stored(0)})); }

void rank(Context& c) {
  const auto rank = c.rank(0);
  if (rank) c.out_stored(0, c.b.scalar(static_cast<int64_t>(*rank)));
}

void broadcast_to(Context& c) {
  Value* to = c.int64s(1);
  c.move_elements(0, 1, [&](const auto& x) { return c.b.op("Expand", {x[0], to}); });
}

// The shape that two shapes stretch to.
void broadcast_args(Context& c) {
  Value* a = c.int64s(0);
  Value* b = c.int64s(1);
  if (c.b.failed()) return;
  const auto length = [](Value* x) {
    return x->type.rank_known && x->rank() == 1 ? x->dims()[0].constant() : std::nullopt;
  };
  const auto [x, y] = std::pair(length(a), length(b));
  if (!c.require(x && y && *x <= 8 && *y <= 8, "the number of axes must be known")) return;
  const int64_t most = std::max(*x, *y);
  const auto filled = [&](Value* shape, int64_t count) {
    if (count == most) return shape;
    return c.b.concat({c.b.ints(std::vector<int64_t>(most - count, 1)), shape}, 0);
  };
  a = filled(a, *x);
  b = filled(b, *y);
  Value* one = c.b.op("Equal", {a, c.b.scalar(int64_t{1})});
  c.out_stored(0, c.b.op("Where", {one, b, a}));
}

void tile(Context& c) {
  Value* times = c.int64s(1);
  c.move_elements(0, 1, [&](const auto& x) { return c.b.op("Tile", {x[0], times}); });
}

}  // namespace

void register_shape(OpTable& table) {
  table.add("RESHAPE", reshape);
  table.add("SQUEEZE", squeeze);
  table.add("EXPAND_DIMS", expand_dims, "an axis that is not constant");
  table.add("TRANSPOSE", transpose, "an order that is not constant");
  table.add("SHAPE", shape);
  table.add("RANK", rank);
  table.add("BROADCAST_TO", broadcast_to);
  table.add("BROADCAST_ARGS", broadcast_args);
  table.add("TILE", tile);
}

}  // namespace supernova::import::tflite
