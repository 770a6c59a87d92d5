// Spectra. Complex tensors are two real ones (Scope::imaginary).
#include <cmath>

#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

constexpr int64_t kMaxLength = 4096;

// [length, length / 2 + 1]: cosines, or sines counted downwards.
Value* waves(Context& c, int64_t length, bool sines) {
  const int64_t bins = length / 2 + 1;
  std::vector<float> out(length * bins);
  for (int64_t i = 0; i < length; ++i) {
    for (int64_t k = 0; k < bins; ++k) {
      const double angle =
          2 * M_PI * static_cast<double>(i * k % length) / static_cast<double>(length);
      out[i * bins + k] = static_cast<float>(sines ? -std::sin(angle) : std::cos(angle));
    }
  }
  return c.b.constant(Constant::floats({length, bins}, out));
}

void rfft_2d(Context& c) {
  const auto rank = c.rank(0);
  const auto lengths = c.need_ints(1, "length");
  if (!rank || !lengths ||
      !c.require(*rank >= 2 && lengths->size() == 2 && (*lengths)[0] == 1 && (*lengths)[1] > 0 &&
                     (*lengths)[1] <= kMaxLength,
                 "only transforms along the last axis, up to 4096 long, are supported")) {
    return;
  }
  const Dims& d = c.stored(0)->dims();
  const auto size = d.back().constant();
  const int64_t length = (*lengths)[1];
  if (!c.require(size && d[*rank - 2] == Dim(1), "the axis before the last must be of size 1"))
    return;
  Value* x = c.in(0);
  const auto last = static_cast<int64_t>(*rank) - 1;
  if (*size > length) x = c.b.slice(x, {0}, {length}, {last});
  if (*size < length) {
    std::vector<std::pair<int64_t, int64_t>> pads(*rank, {0, 0});
    pads.back().second = length - *size;
    x = c.b.pad(x, pads);
  }
  c.out_complex(0, c.b.op("MatMul", {x, waves(c, length, false)}),
                c.b.op("MatMul", {x, waves(c, length, true)}));
}

void complex_abs(Context& c) {
  Value* real = c.stored(0);
  Value* imaginary = c.imaginary(0);
  c.out(0, c.b.op("Sqrt", {c.b.add(c.b.mul(real, real), c.b.mul(imaginary, imaginary))}));
}

}  // namespace

void register_signal(OpTable& table) {
  table.add("RFFT2D", rfft_2d, "transforms along two axes");
  table.add("COMPLEX_ABS", complex_abs);
  table.add("REAL", [](Context& c) { c.out(0, c.stored(0)); });
  table.add("IMAG", [](Context& c) { c.out(0, c.imaginary(0)); });
}

}  // namespace supernova::import::tflite
