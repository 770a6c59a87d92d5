#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using test::float_tensor;

TfModel dense(std::vector<int32_t> shape, const FlatTable& options) {
  TfModel model;
  const auto in = model.input({TfType::kFloat32, std::move(shape)});
  const auto w = model.constant({2, 3}, {1, 2, 3, -1, 0, 1});
  const auto y = model.tensor({TfType::kFloat32, {1, 2}});
  model.op("FULLY_CONNECTED", {in, w, model.constant({2}, {10, 20})}, {y}, options);
  model.set_outputs({y});
  return model;
}

TEST(TfliteFullyConnected, FlattensItsInput) {
  const auto result =
      run(dense({2, 1, 3}, {}), {float_tensor("t0", {2, 1, 3}, {1, 2, 3, 4, 5, 6})});
  EXPECT_THAT(result.shape, ElementsAre(2, 2));
  EXPECT_THAT(test::values_of<float>(result), near({24, 22, 42, 22}));
}

TEST(TfliteFullyConnected, KeepsTheAxes) {
  const auto result = run(dense({2, 1, 3}, FlatTable().flag(2, true)),
                          {float_tensor("t0", {2, 1, 3}, {1, 2, 3, 4, 5, 6})});
  EXPECT_THAT(result.shape, ElementsAre(2, 1, 2));
}

// 1 becomes 42 steps of 3 / 127, as in the runtime.
TEST(TfliteFullyConnected, IntegerWeightsForRealNumbers) {
  TfModel model;
  const auto in = model.input({TfType::kFloat32, {1, 2}});
  const auto w =
      model.tensor({TfType::kInt8, {1, 2}, bytes_of(std::vector<int8_t>{4, -8}), {0.5F}, {0}});
  const auto y = model.tensor({TfType::kFloat32, {1, 1}});
  model.op("FULLY_CONNECTED", {in, w}, {y});
  model.set_outputs({y});
  EXPECT_THAT(run_floats(model, {float_tensor("t0", {1, 2}, {3, 1})}), near({2.0314961F}));
}

// Zeros that the file leaves out come back: rows 0 and 2 of one column each.
TEST(TfliteFullyConnected, SparseWeightsAreFilledUp) {
  TfModel model;
  const auto in = model.input({TfType::kFloat32, {1, 3}});
  TfTensor sparse{TfType::kFloat32, {2, 3}, bytes_of(std::vector<float>{5, 7})};
  sparse.sparse = true;
  const auto dense_level = FlatTable().number(0, int8_t{0}).number(1, 2);
  const auto sparse_level = FlatTable()
                                .number(0, int8_t{1})
                                .number(2, uint8_t{1})
                                .table(3, FlatTable().numbers(0, std::vector<int32_t>{0, 1, 2}))
                                .number(4, uint8_t{3})
                                .table(5, FlatTable().numbers(0, std::vector<uint8_t>{2, 0}));
  sparse.sparsity.numbers(0, std::vector<int32_t>{0, 1}).tables(2, {dense_level, sparse_level});
  const auto y = model.tensor({TfType::kFloat32, {1, 2}});
  model.op("FULLY_CONNECTED", {in, model.tensor(sparse)}, {y});
  model.set_outputs({y});
  EXPECT_THAT(run_floats(model, {float_tensor("t0", {1, 3}, {1, 2, 3})}), near({15, 7}));
}

TEST(TfliteFullyConnected, ProductOfMatricesWithOneAdjoint) {
  TfModel model;
  const auto a = model.input({TfType::kFloat32, {1, 2, 1}});
  const auto b = model.input({TfType::kFloat32, {1, 2, 2}});
  const auto y = model.tensor({TfType::kFloat32, {1, 1, 2}});
  model.op("BATCH_MATMUL", {a, b}, {y}, FlatTable().flag(0, true));
  model.set_outputs({y});
  EXPECT_THAT(run_floats(model, {float_tensor("t0", {1, 2, 1}, {1, 2}),
                                 float_tensor("t1", {1, 2, 2}, {1, 2, 3, 4})}),
              near({7, 10}));
}

TEST(TfliteFullyConnected, RefusesShuffledWeights) {
  EXPECT_THAT(refusal(dense({1, 3}, FlatTable().number(1, int8_t{1}))),
              HasSubstr("weights in the shuffled 4x16 format"));
}

}  // namespace
}  // namespace supernova::import::tflite
