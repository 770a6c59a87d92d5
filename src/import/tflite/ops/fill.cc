// Tensors made from nothing but a shape or a few numbers.
#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

void fill(Context& c) {
  Value* shape = c.int64s(0);
  c.move_elements(1, 2, [&](const auto& x) { return c.b.op("Expand", {x[0], shape}); });
}

void zeros_like(Context& c) {
  Value* x = c.in(0);
  c.out(0, c.b.op("Expand", {c.scalar_like(x, 0), c.b.op("Shape", {x})}));
}

void range(Context& c) { c.out(0, c.b.op("Range", {c.in(0), c.in(1), c.in(2)})); }

// Compared with the numbers up to `depth`, so that indices outside give rows without a mark.
void one_hot(Context& c) {
  const auto rank = c.rank(0);
  if (!rank) return;
  const int64_t stated = c.options().integer(0);
  const auto axis = c.axis(stated, *rank + 1);
  if (!axis) return;
  Value* depth = c.b.reshape(c.int64s(1), c.b.ints({}));
  Value* numbers = c.b.op("Range", {c.b.scalar(int64_t{0}), depth, c.b.scalar(int64_t{1})});
  std::vector<int64_t> after;
  for (int64_t i = 1; i <= static_cast<int64_t>(*rank) - *axis; ++i) after.push_back(i);
  Value* hit =
      c.b.op("Equal", {c.b.unsqueeze(c.int64s(0), {*axis}), c.b.unsqueeze(numbers, after)});
  c.move_elements(2, 4, [&](const std::vector<Value*>& values) {
    return c.b.op("Where", {hit, c.widened(values[0]), c.widened(values[1])});
  });
}

}  // namespace

void register_fill(OpTable& table) {
  table.add("FILL", fill);
  table.add("ZEROS_LIKE", zeros_like);
  table.add("RANGE", range);
  table.add("ONE_HOT", one_hot);
}

}  // namespace supernova::import::tflite
