// From real numbers to stored ones and back, and between types.
#include <algorithm>
#include <cmath>

#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

Value* real_of_int32(Context& c, size_t i) {
  const TensorDef& def = c.in_def(i);
  if (def.type != Element::kInt32 || !def.quantisation.present()) return c.in(i);
  return dequantise(c.b, c.stored(i), def, 0);
}

void quantize(Context& c) {
  Value* x = real_of_int32(c, 0);
  const TensorDef& def = c.out_def();
  if (def.type == Element::kInt32 && def.quantisation.present()) {
    c.out_stored(0, quantise(c.b, x, def));
  } else {
    c.out(0, x);
  }
}

void dequantize(Context& c) { c.out(0, real_of_int32(c, 0)); }

void cast(Context& c) {
  const DataType to = data_type(as_in_file(c.out_def()).type);
  if (!c.require(to != DataType::kInvalid && to != DataType::kBytes &&
                     c.stored(0)->type.data_type != DataType::kBytes,
                 "this type can't be cast")) {
    return;
  }
  c.out_from_file(0, c.b.cast(c.as_in_file(0), to));
}

// Rounds to a grid of 2^bits - 1 steps on which zero lies.
void fake_quant(Context& c) {
  const float low = c.options().real(0);
  const float high = c.options().real(1);
  const int32_t bits = c.options().integer(2);
  const float first = c.options().flag(3) ? 1.0F : 0.0F;
  if (!c.require(low < high && low <= 0 && high >= 0 && bits >= 2 && bits <= 16,
                 "its range or number of bits is not valid")) {
    return;
  }
  const float last = static_cast<float>((1 << bits) - 1);
  const float scale = (high - low) / (last - first);
  const float zero = std::clamp(std::round(first - low / scale), first, last);
  Value* x = c.b.clip(c.in(0), (first - zero) * scale, (last - zero) * scale);
  Value* step = c.b.scalar(scale);
  c.out(0, c.b.mul(c.b.op("Round", {c.b.div(x, step)}), step));
}

}  // namespace

void register_quantise(OpTable& table) {
  table.add("QUANTIZE", quantize);
  table.add("DEQUANTIZE", dequantize);
  table.add("CAST", cast, "strings");
  // Sparse constants are filled up when they are read.
  table.add("DENSIFY", [](Context& c) { c.out_from_file(0, c.as_in_file(0)); });
  table.add("FAKE_QUANT", fake_quant);
}

}  // namespace supernova::import::tflite
