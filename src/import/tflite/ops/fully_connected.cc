// Dense layers and products of matrices. Dense weights: [out, in].
#include <numeric>

#include "import/tflite/hybrid.h"
#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

namespace fc_slot {
enum FullyConnected { kActivation, kWeightsFormat, kKeepDims, kAsymmetric };
enum BatchMatMul { kAdjointX, kAdjointY, kMatMulAsymmetric };
}  // namespace fc_slot

// How many rows there are when `dims` are cut into rows of `width`.
Dim rows_of(Context& c, const Dims& dims, int64_t width) {
  if (!dims.empty() && dims.back() == Dim(width)) {
    return graph::product({dims.begin(), dims.end() - 1});
  }
  const auto rows = exact_div(graph::product(dims), Dim(width));
  if (rows) return *rows;
  const Dim total = graph::product(dims);
  c.require(!total.is_constant(), base::str_cat("inputs of ", graph::to_string(dims),
                                                " don't divide into rows of ", width));
  return c.b.model().fresh_dim();
}

void fully_connected(Context& c) {
  const auto rank = c.rank(0);
  const auto weight_rank = c.rank(1);
  if (!rank || !weight_rank) return;
  const auto w = graph::constant_dims(c.stored(1)->dims());
  if (!c.require(w && w->size() == 2 && (*w)[1] > 0,
                 "the weights must be [out, in] of fixed size") ||
      !c.require(c.options().byte(fc_slot::kWeightsFormat) == 0,
                 "weights in the shuffled 4x16 format are not supported")) {
    return;
  }
  const Dims dims = c.stored(0)->dims();
  Dims rows{rows_of(c, dims, (*w)[1]), Dim((*w)[1])};
  if (c.b.failed()) return;
  Value* x = round_rows(c.b, c.in_reshaped(0, rows), rounding_of(c, 0, 1, fc_slot::kAsymmetric));
  std::vector<Value*> operands{x, c.weights(1, {0, 1}, 0)};
  if (Value* bias = c.bias(2, 0, 1)) operands.push_back(bias);
  Value* y = c.finish(0, c.b.op("Gemm", operands, {{"transB", int64_t{1}}}),
                      c.activation(fc_slot::kActivation));
  if (c.options().flag(fc_slot::kKeepDims) && !dims.empty() && !c.b.failed()) {
    Dims kept(dims.begin(), dims.end() - 1);
    kept.emplace_back((*w)[0]);
    y = c.b.reshape(y, kept);
  }
  c.out_stored(0, y);
}

Value* matrix(Context& c, size_t i, bool adjoint) {
  const auto rank = c.rank(i);
  if (!rank) return c.stored(i);
  if (!adjoint) return c.in(i);
  if (!c.require(*rank >= 2, "a factor is no matrix")) return c.stored(i);
  std::vector<int64_t> permutation(*rank);
  std::iota(permutation.begin(), permutation.end(), 0);
  std::swap(permutation[*rank - 1], permutation[*rank - 2]);
  return c.in_transposed(i, permutation);
}

void batch_matmul(Context& c) {
  Value* x = matrix(c, 0, c.options().flag(fc_slot::kAdjointX));
  Value* y = matrix(c, 1, c.options().flag(fc_slot::kAdjointY));
  x = round_rows(c.b, x, rounding_of(c, 0, 1, fc_slot::kMatMulAsymmetric));
  c.out(0, c.b.op("MatMul", {x, y}));
}

}  // namespace

void register_fully_connected(OpTable& table) {
  table.add("FULLY_CONNECTED", fully_connected, "weights in the shuffled 4x16 format");
  table.add("BATCH_MATMUL", batch_matmul);
}

}  // namespace supernova::import::tflite
