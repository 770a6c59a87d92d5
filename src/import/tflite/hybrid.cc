#include "import/tflite/hybrid.h"

namespace supernova::import::tflite {
namespace {

constexpr float kTiny = 1e-30F;  // in place of a range of nothing but zeros

bool is_hybrid(Context& c, size_t x, size_t w) {
  if (c.session().exact_activations || !c.has(x) || !c.has(w)) return false;
  const TensorDef& weights = c.in_def(w);
  return c.in_def(x).type == Element::kFloat32 && is_quantised(weights) &&
         weights.type != Element::kInt16;
}

Value* round_evenly(Builder& b, Value* x, const std::vector<int64_t>& axes) {
  constexpr float kSteps = 127;
  Value* range = b.reduce("ReduceMax", b.op("Abs", {x}), axes, true);
  range = b.op("Max", {range, b.scalar(kTiny)});
  Value* steps = b.op("Round", {b.mul(x, b.div(b.scalar(kSteps), range))});
  return b.mul(steps, b.div(range, b.scalar(kSteps)));
}

Value* round_in_range(Builder& b, Value* x, const std::vector<int64_t>& axes) {
  constexpr float kSteps = 255;
  Value* zero = b.scalar(0.0F);
  Value* low = b.op("Min", {b.reduce("ReduceMin", x, axes, true), zero});
  Value* high = b.op("Max", {b.reduce("ReduceMax", x, axes, true), zero});
  Value* scale = b.div(b.sub(high, low), b.scalar(kSteps));
  scale = b.op("Max", {scale, b.scalar(kTiny)});
  Value* zero_point = b.op("Round", {b.op("Neg", {b.div(low, scale)})});
  Value* steps = b.op("Round", {b.add(b.div(x, scale), zero_point)});
  return b.mul(b.sub(b.clip(steps, 0, kSteps), zero_point), scale);
}

Value* round_along(Builder& b, Value* x, Rounding rounding, const std::vector<int64_t>& axes) {
  if (rounding == Rounding::kNone || x->poison) return x;
  return rounding == Rounding::kEven ? round_evenly(b, x, axes) : round_in_range(b, x, axes);
}

}  // namespace

Rounding rounding_of(Context& c, size_t x, size_t w, int asymmetric) {
  if (!is_hybrid(c, x, w)) return Rounding::kNone;
  return c.options().flag(asymmetric) ? Rounding::kRange : Rounding::kEven;
}

Rounding rounding_of_picture(Context& c, size_t x, size_t w, bool depthwise) {
  if (!is_hybrid(c, x, w)) return Rounding::kNone;
  return depthwise || is_per_axis(c.in_def(w)) ? Rounding::kRange : Rounding::kEven;
}

Value* round_rows(Builder& b, Value* x, Rounding rounding) {
  return round_along(b, x, rounding, {-1});
}

Value* round_items(Builder& b, Value* x, Rounding rounding) {
  if (x->poison || !x->type.rank_known || x->rank() == 0) return x;
  if (rounding == Rounding::kRange && x->dims()[0] == Dim(1)) {
    // One scale for all is an operator of its own.
    const auto parts = b.op_outputs("DynamicQuantizeLinear", {x}, {}, 3);
    return b.dequantize(parts[0], parts[1], parts[2]);
  }
  std::vector<int64_t> axes;
  for (size_t i = 1; i < x->rank(); ++i) axes.push_back(static_cast<int64_t>(i));
  return round_along(b, x, rounding, axes);
}

}  // namespace supernova::import::tflite
