// Normalisation over channels, the last axis.
#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

constexpr float kSmallestNorm = 1e-6F;

void l2_normalisation(Context& c) {
  Value* x = c.in(0);
  Value* sum = c.b.reduce("ReduceSum", c.b.mul(x, x), {-1}, true);
  Value* norm = c.b.op("Max", {c.b.op("Sqrt", {sum}), c.b.scalar(kSmallestNorm)});
  c.out_activated(0, c.b.div(x, norm), c.activation(0));
}

// ONNX divides alpha by the window's size.
void local_response(Context& c) {
  const int64_t size = 2 * int64_t{c.options().integer(0)} + 1;
  if (!c.require(size > 0 && size < (1 << 16), "the radius is negative or beyond reason")) return;
  Value* y = c.b.op("LRN", {c.in_nchw(0)},
                    {{"size", size},
                     {"bias", c.options().real(1)},
                     {"alpha", c.options().real(2) * static_cast<float>(size)},
                     {"beta", c.options().real(3)}});
  c.out_nchw(0, y);
}

}  // namespace

void register_normalise(OpTable& table) {
  table.add("L2_NORMALIZATION", l2_normalisation);
  table.add("LOCAL_RESPONSE_NORMALIZATION", local_response);
}

}  // namespace supernova::import::tflite
