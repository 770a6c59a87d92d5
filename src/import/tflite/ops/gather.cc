// Taking and putting elements by index.
#include <numeric>

#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

constexpr int64_t kMaxIndices = 1 << 22;

namespace gather_slot {
enum Gather { kAxis, kBatchDims };
}  // namespace gather_slot

// Each row of the first `batch` axes has indices of its own: the axis is moved behind them.
Value* gather_in_batches(Context& c, Value* x, int64_t axis, int64_t batch, size_t index_rank) {
  const auto rank = static_cast<int64_t>(x->rank());
  std::vector<int64_t> there(rank);
  std::iota(there.begin(), there.end(), 0);
  there.erase(there.begin() + axis);
  there.insert(there.begin() + batch, axis);
  Value* indices = c.b.unsqueeze(c.int64s(1), {static_cast<int64_t>(index_rank)});
  Value* y = c.b.op("GatherND", {c.b.transpose(x, there), indices}, {{"batch_dims", batch}});
  // Now: batch, indices, axes before `axis`, axes after it; the indices go back to their place.
  const auto picked = static_cast<int64_t>(index_rank) - batch;
  const int64_t before = axis - batch;
  std::vector<int64_t> back;
  for (int64_t i = 0; i < batch; ++i) back.push_back(i);
  for (int64_t i = 0; i < before; ++i) back.push_back(batch + picked + i);
  for (int64_t i = 0; i < picked; ++i) back.push_back(batch + i);
  for (int64_t i = batch + picked + before; i < rank + picked - 1; ++i) back.push_back(i);
  return c.b.transpose(y, back);
}

void gather(Context& c) {
  const auto rank = c.rank(0);
  const auto index_rank = c.rank(1);
  if (!rank || !index_rank) return;
  const auto axis = c.axis(c.options().integer(gather_slot::kAxis), *rank);
  if (!axis) return;
  int64_t batch = c.options().integer(gather_slot::kBatchDims);
  if (batch < 0) batch += static_cast<int64_t>(*index_rank);
  if (!c.require(batch >= 0 && batch <= *axis && batch <= static_cast<int64_t>(*index_rank),
                 "the number of batch axes does not fit")) {
    return;
  }
  c.move_elements(0, 1, [&](const std::vector<Value*>& x) {
    if (batch > 0) return gather_in_batches(c, x[0], *axis, batch, *index_rank);
    return c.b.gather(x[0], c.stored(1), *axis);
  });
}

void gather_nd(Context& c) {
  c.move_elements(0, 1, [&](const auto& x) { return c.b.op("GatherND", {x[0], c.int64s(1)}); });
}

Value* filled(Context& c, Value* value, Value* shape) { return c.b.op("Expand", {value, shape}); }

// Values that fall on one place are added.
void scatter_nd(Context& c) {
  Value* updates = c.widened(c.in(1));
  Value* zeros = filled(c, c.scalar_like(updates, 0), c.int64s(2));
  c.out(0, c.b.op("ScatterND", {zeros, c.int64s(0), updates}, {{"reduction", std::string("add")}}));
}

void sparse_to_dense(Context& c) {
  const auto index_rank = c.rank(0);
  const auto value_rank = c.rank(2);
  if (!index_rank || !value_rank) return;
  Value* indices = c.int64s(0);
  if (*index_rank < 2) indices = c.b.reshape(indices, c.b.ints({-1, 1}));
  Value* values = c.in(2);
  if (*value_rank == 0) {
    Value* count = c.b.slice(c.b.op("Shape", {indices}), {0}, {1}, {0});
    values = filled(c, values, count);
  }
  Value* base = filled(c, c.in(3), c.int64s(1));
  c.out(0, c.b.op("ScatterND", {base, indices, values}));
}

// Writes over a part of a tensor; a start that is too far is moved so that the part fits.
void dynamic_update_slice(Context& c) {
  const auto rank = c.rank(0);
  if (!rank || !c.rank(1)) return;
  const auto whole = graph::constant_dims(c.stored(0)->dims());
  const auto part = graph::constant_dims(c.stored(1)->dims());
  if (!c.require(whole && part && part->size() == *rank, "the sizes must be fixed")) return;
  int64_t count = 1;
  std::vector<int64_t> room;
  for (size_t i = 0; i < *rank; ++i) {
    room.push_back((*whole)[i] - (*part)[i]);
    if (!c.require(room.back() >= 0 && !__builtin_mul_overflow(count, (*part)[i], &count) &&
                       count <= kMaxIndices,
                   "the part is larger than the whole, or too large")) {
      return;
    }
  }
  const auto axes = static_cast<int64_t>(*rank);
  std::vector<int64_t> grid(count * axes);
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i;
    for (int64_t axis = axes; axis-- > 0;) {
      grid[i * axes + axis] = rest % (*part)[axis];
      rest /= (*part)[axis];
    }
  }
  std::vector<int64_t> shape = *part;
  shape.push_back(axes);
  Value* from = c.b.op("Max", {c.int64s(2), c.b.scalar(int64_t{0})});
  from = c.b.op("Min", {from, c.b.ints(room)});
  Value* indices =
      c.b.add(c.b.constant(Constant::of<int64_t>(DataType::kInt64, shape, grid)), from);
  c.move_elements(0, 2, [&](const auto& x) { return c.b.op("ScatterND", {x[0], indices, x[1]}); });
}

// Rows with one number are joined by `reduction`, beginning with `start`.
void segments(Context& c, std::string_view reduction, double start, bool counted) {
  const auto rank = c.rank(0);
  const auto id_rank = c.rank(1);
  if (!rank || !id_rank || !c.require(*id_rank <= *rank, "more axes of numbers than of data"))
    return;
  Value* x = c.widened(c.in(0));
  Value* ids = c.int64s(1);
  Value* count = nullptr;
  if (counted) {
    count = c.b.reshape(c.int64s(2), c.b.ints({1}));
  } else {
    Value* last = c.b.op("ReduceMax", {ids}, {{"keepdims", int64_t{1}}});
    count = c.b.add(c.b.reshape(last, c.b.ints({1})), c.b.ints({1}));
  }
  Value* rest = c.b.slice(c.b.op("Shape", {x}), {static_cast<int64_t>(*id_rank)}, {1 << 30}, {0});
  Value* base = filled(c, c.scalar_like(x, start), c.b.concat({count, rest}, 0));
  Value* indices = c.b.unsqueeze(ids, {static_cast<int64_t>(*id_rank)});
  c.out(0, c.b.op("ScatterND", {base, indices, x}, {{"reduction", std::string(reduction)}}));
}

// Rows of a table; a quantised table's rows become real after they are taken.
void embedding_lookup(Context& c) {
  const TensorDef& table = c.in_def(1);
  if (!is_quantised(table) || is_per_axis(table)) {
    c.out(0, c.b.gather(c.in(1), c.stored(0), 0));
    return;
  }
  c.out(0, dequantise(c.b, c.b.gather(c.stored(1), c.stored(0), 0), table));
}

}  // namespace

void register_gather(OpTable& table) {
  table.add("GATHER", gather);
  table.add("GATHER_ND", gather_nd);
  table.add("SCATTER_ND", scatter_nd);
  table.add("SPARSE_TO_DENSE", sparse_to_dense);
  table.add("DYNAMIC_UPDATE_SLICE", dynamic_update_slice, "sizes that are not fixed");
  table.add("SEGMENT_SUM", [](Context& c) { segments(c, "add", 0, false); });
  table.add("UNSORTED_SEGMENT_SUM", [](Context& c) { segments(c, "add", 0, true); });
  table.add("UNSORTED_SEGMENT_PROD", [](Context& c) { segments(c, "mul", 1, true); });
  table.add("EMBEDDING_LOOKUP", embedding_lookup);
}

}  // namespace supernova::import::tflite
