// Reductions along axes, and choosing the largest.
#include <algorithm>

#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

struct Reduction {
  std::vector<int64_t> axes;
  bool keep = false;
};

std::optional<Reduction> read_reduction(Context& c) {
  const auto stated = c.need_ints(1, "axes");
  const auto rank = c.rank(0);
  if (!stated || !rank) return std::nullopt;
  Reduction out{{}, c.options().flag(0)};
  for (const int64_t at : *stated) {
    const auto axis = c.axis(at, *rank);
    if (!axis) return std::nullopt;
    if (std::find(out.axes.begin(), out.axes.end(), *axis) == out.axes.end()) {
      out.axes.push_back(*axis);
    }
  }
  std::sort(out.axes.begin(), out.axes.end());
  return out;
}

// No axes means nothing to do here, but all axes in ONNX.
Value* reduced(Context& c, std::string_view op, Value* x, const Reduction& reduction) {
  return reduction.axes.empty() ? x : c.b.reduce(op, x, reduction.axes, reduction.keep);
}

void arithmetic(Context& c, std::string_view op) {
  const auto reduction = read_reduction(c);
  if (reduction) c.out(0, reduced(c, op, c.widened(c.in(0)), *reduction));
}

// Whole numbers are summed, then divided towards zero.
void mean(Context& c) {
  const auto reduction = read_reduction(c);
  if (!reduction) return;
  Value* x = c.widened(c.in(0));
  if (x->type.data_type != DataType::kFp32) {
    Dims sizes;
    for (const int64_t axis : reduction->axes) sizes.push_back(x->dims()[axis]);
    const auto count = graph::product(sizes).constant();
    if (!c.require(count && *count > 0, "the mean of whole numbers along open axes")) return;
    Value* sum = reduced(c, "ReduceSum", x, *reduction);
    c.out(0, c.b.div(sum, c.scalar_like(sum, static_cast<double>(*count))));
    return;
  }
  c.out(0, reduced(c, "ReduceMean", x, *reduction));
}

// The largest stored number stands for the largest real one.
void extreme(Context& c, std::string_view op) {
  const auto reduction = read_reduction(c);
  if (!reduction) return;
  c.move_elements(0, 1, [&](const auto& x) { return reduced(c, op, c.widened(x[0]), *reduction); });
}

void logical(Context& c, std::string_view op) {
  const auto reduction = read_reduction(c);
  if (!reduction) return;
  c.out_stored(0, c.b.cast(reduced(c, op, c.b.cast(c.stored(0), DataType::kInt32), *reduction),
                           DataType::kBool));
}

void arg(Context& c, std::string_view op) {
  const auto axes = c.need_ints(1, "axis");
  const auto rank = c.rank(0);
  if (!axes || !rank || !c.require(axes->size() == 1, "the axis must be one number")) return;
  const auto axis = c.axis(axes->front(), *rank);
  if (!axis) return;
  c.out_stored(0,
               c.b.op(op, {c.widened(c.stored(0))}, {{"axis", *axis}, {"keepdims", int64_t{0}}}));
}

void top_k(Context& c) {
  Value* count = c.b.reshape(c.int64s(1), c.b.ints({1}));
  const bool as_stored = same_scale(c.in_def(0), c.out_def());
  Value* x = c.widened(as_stored ? c.stored(0) : c.in(0));
  const auto results = c.b.op_outputs("TopK", {x, count}, {{"axis", int64_t{-1}}}, 2);
  if (as_stored) {
    c.out_stored(0, results[0]);
  } else {
    c.out(0, results[0]);
  }
  c.out_stored(1, results[1]);
}

void cumsum(Context& c) {
  Value* x = c.widened(c.in(0));
  const auto as_int = [&](int slot) { return int64_t{c.options().flag(slot) ? 1 : 0}; };
  Value* axis = c.b.reshape(c.int64s(1), c.b.ints({}));
  c.out(0, c.b.op("CumSum", {x, axis}, {{"exclusive", as_int(0)}, {"reverse", as_int(1)}}));
}

}  // namespace

void register_reduce(OpTable& table) {
  constexpr std::string_view kConstant = "axes that are not constant";
  table.add("MEAN", mean, kConstant);
  table.add(
      "SUM", [](Context& c) { arithmetic(c, "ReduceSum"); }, kConstant);
  table.add(
      "REDUCE_PROD", [](Context& c) { arithmetic(c, "ReduceProd"); }, kConstant);
  table.add(
      "REDUCE_MAX", [](Context& c) { extreme(c, "ReduceMax"); }, kConstant);
  table.add(
      "REDUCE_MIN", [](Context& c) { extreme(c, "ReduceMin"); }, kConstant);
  table.add(
      "REDUCE_ANY", [](Context& c) { logical(c, "ReduceMax"); }, kConstant);
  table.add(
      "REDUCE_ALL", [](Context& c) { logical(c, "ReduceMin"); }, kConstant);
  table.add(
      "ARG_MAX", [](Context& c) { arg(c, "ArgMax"); }, kConstant);
  table.add(
      "ARG_MIN", [](Context& c) { arg(c, "ArgMin"); }, kConstant);
  table.add("TOPK_V2", top_k);
  table.add("CUMSUM", cumsum);
}

}  // namespace supernova::import::tflite
