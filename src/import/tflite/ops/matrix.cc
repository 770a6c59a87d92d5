// Diagonals, distinct values, buckets.
#include <algorithm>

#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

constexpr int64_t kMaxSide = 4096;

// [rows, columns], true on the diagonal.
Value* diagonal(Context& c, int64_t rows, int64_t columns) {
  std::vector<uint8_t> content(rows * columns, 0);
  for (int64_t i = 0; i < std::min(rows, columns); ++i) content[i * columns + i] = 1;
  return c.b.constant(Constant::of<uint8_t>(DataType::kBool, {rows, columns}, content));
}

void matrix_diag(Context& c) {
  const auto rank = c.rank(0);
  if (!rank || !c.require(*rank >= 1, "a scalar has no diagonal")) return;
  const auto side = c.stored(0)->dims().back().constant();
  if (!c.require(side && *side <= kMaxSide, "the diagonal's size must be fixed")) return;
  c.move_elements(0, 1, [&](const std::vector<Value*>& x) {
    Value* rows = c.widened(c.b.unsqueeze(x[0], {static_cast<int64_t>(*rank) - 1}));
    return c.b.op("Where", {diagonal(c, *side, *side), rows, c.scalar_like(rows, 0)});
  });
}

void matrix_set_diag(Context& c) {
  const auto rank = c.rank(0);
  if (!rank || !c.require(*rank >= 2, "the input is no matrix")) return;
  const Dims d = c.stored(0)->dims();
  const auto rows = d[*rank - 2].constant();
  const auto columns = d[*rank - 1].constant();
  if (!c.require(rows && columns && *rows <= kMaxSide && *columns <= kMaxSide,
                 "the matrix' size must be fixed")) {
    return;
  }
  c.move_elements(0, 2, [&](const std::vector<Value*>& x) {
    Value* diag = c.widened(x[1]);
    // A diagonal shorter than the rows are long is filled up; what is added is not chosen.
    if (*rows < *columns) {
      std::vector<std::pair<int64_t, int64_t>> pads(*rank - 1, {0, 0});
      pads.back().second = *columns - *rows;
      diag = c.b.pad(diag, pads);
    }
    diag = c.b.unsqueeze(diag, {static_cast<int64_t>(*rank) - 2});
    return c.b.op("Where", {diagonal(c, *rows, *columns), diag, c.widened(x[0])});
  });
}

void unique(Context& c) {
  Value* x = c.in(0);
  const bool whole = x->type.data_type != DataType::kFp32;
  if (whole) x = c.b.cast(x, DataType::kInt64);
  const auto results = c.b.op_outputs("Unique", {x}, {{"sorted", int64_t{0}}}, 3);
  c.out(0, results[0]);
  c.out_stored(1, results[2]);
}

// How many boundaries each number reaches.
void bucketize(Context& c) {
  const auto boundaries = c.options().numbers<float>(0).copy();
  Value* limits =
      c.b.constant(Constant::floats({static_cast<int64_t>(boundaries.size())}, boundaries));
  Value* x = c.b.unsqueeze(c.b.cast(c.in(0), DataType::kFp32), {-1});
  Value* reached = c.b.cast(c.b.op("GreaterOrEqual", {x, limits}), DataType::kInt32);
  c.out_stored(0, c.b.reduce("ReduceSum", reached, {-1}, false));
}

}  // namespace

void register_matrix(OpTable& table) {
  table.add("MATRIX_DIAG", matrix_diag, "sizes that are not fixed");
  table.add("MATRIX_SET_DIAG", matrix_set_diag, "sizes that are not fixed");
  table.add("UNIQUE", unique);
  table.add("BUCKETIZE", bucketize);
}

}  // namespace supernova::import::tflite
