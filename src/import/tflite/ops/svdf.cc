// SVDF: each filter keeps its last `memory` products with the input and weighs them over time.
// Inputs: data, feature weights [filters, in], time weights [filters, memory], bias, state.
#include "import/tflite/hybrid.h"
#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

void svdf(Context& c) {
  const auto feature_rank = c.rank(1);
  const auto time_rank = c.rank(2);
  const auto rank_of_data = c.rank(0);
  const auto rank_of_state = c.rank(4);
  if (!feature_rank || !time_rank || !rank_of_data || !rank_of_state) return;
  if (!c.require(*rank_of_data == 2 && *rank_of_state == 2, "data and state must have two axes")) {
    return;
  }
  const auto time = graph::constant_dims(c.stored(2)->dims());
  const int64_t rank = c.options().integer(0);
  if (!c.require(time && time->size() == 2 && rank > 0 && (*time)[0] % rank == 0 && (*time)[1] > 0,
                 "its weights don't fit its rank")) {
    return;
  }
  const int64_t filters = (*time)[0];
  const int64_t memory = (*time)[1];
  const TensorDef& state_def = c.in_def(4);
  // [batch, filters, 1]
  Value* x = round_rows(c.b, c.in(0), rounding_of(c, 0, 1, 2));
  Value* fresh = c.b.op("MatMul", {x, c.weights(1, {1, 0}, 0)});
  if (is_quantised(state_def)) {
    fresh = dequantise(c.b, quantise(c.b, fresh, state_def), state_def);
  }
  fresh = c.b.unsqueeze(fresh, {2});
  Value* kept = c.in_reshaped(4, {c.stored(4)->dims()[0], Dim(filters), Dim(memory)});
  if (memory > 1) {
    kept = c.b.slice(kept, {1}, {memory}, {2});
    fresh = c.b.concat({kept, fresh}, 2);
  }
  c.set_state(4, c.b.reshape(fresh, c.stored(4)->dims()));
  Value* y = c.b.reduce("ReduceSum", c.b.mul(fresh, c.weights(2, {0, 1}, 0)), {2}, false);
  if (rank > 1) {
    const Dims& dims = y->dims();
    if (y->poison) return;
    y = c.b.reshape(y, Dims{dims[0], Dim(filters / rank), Dim(rank)});
    y = c.b.reduce("ReduceSum", y, {2}, false);
  }
  if (c.has(3)) {
    Value* bias = c.in(3);
    if (bias->type.data_type == DataType::kInt32) {
      const float step = first_scale(state_def) * first_scale(c.in_def(2));
      bias = c.b.mul(c.b.cast(bias, DataType::kFp32), c.b.scalar(step));
    }
    y = c.b.add(y, bias);
  }
  c.out_activated(0, y, c.activation(1));
}

}  // namespace

void register_svdf(OpTable& table) { table.add("SVDF", svdf); }

}  // namespace supernova::import::tflite
