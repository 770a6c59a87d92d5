#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using tensor::DataType;
using test::float_tensor;

TEST(TfliteGather, InBatches) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {2, 2, 3}});
  const auto indices = model.tensor({TfType::kInt32, {2, 1}, bytes_of(std::vector<int32_t>{2, 0})});
  const auto y = model.tensor({TfType::kFloat32, {2, 2, 1}});
  model.op("GATHER", {x, indices}, {y}, FlatTable().number(0, 2).number(1, 1));
  model.set_outputs({y});
  const auto result =
      run(model, {float_tensor("t0", {2, 2, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})});
  EXPECT_THAT(result.shape, ElementsAre(2, 2, 1));
  EXPECT_THAT(test::values_of<float>(result), ElementsAre(2, 5, 6, 9));
}

TEST(TfliteGather, ScatteredDuplicatesAdd) {
  TfModel model;
  const auto indices =
      model.tensor({TfType::kInt32, {3, 1}, bytes_of(std::vector<int32_t>{1, 1, 3})});
  const auto updates = model.input({TfType::kFloat32, {3}});
  const auto y = model.tensor({TfType::kFloat32, {4}});
  model.op("SCATTER_ND", {indices, updates, model.ints({4})}, {y});
  model.set_outputs({y});
  EXPECT_THAT(run_floats(model, {float_tensor("t1", {3}, {1, 2, 3})}), ElementsAre(0, 3, 0, 3));
}

TEST(TfliteGather, UpdateIsMovedInside) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {4}});
  const auto start = model.input({TfType::kInt32, {1}});
  const auto y = model.tensor({TfType::kFloat32, {4}});
  model.op("DYNAMIC_UPDATE_SLICE", {x, model.constant({2}, {8, 9}), start}, {y});
  model.set_outputs({y});
  EXPECT_THAT(
      run_floats(model, {float_tensor("t0", {4}, {1, 2, 3, 4}),
                         test::tensor_of("t1", DataType::kInt32, {1}, std::vector<int32_t>{7})}),
      ElementsAre(1, 2, 8, 9));
}

TEST(TfliteGather, RowsOfAQuantisedTable) {
  TfModel model;
  const auto ids = model.input({TfType::kInt32, {2}});
  const auto table = model.tensor(
      {TfType::kInt8, {3, 2}, bytes_of(std::vector<int8_t>{1, 2, 3, 4, 5, 6}), {0.5F}, {0}});
  const auto y = model.tensor({TfType::kFloat32, {2, 2}});
  model.op("EMBEDDING_LOOKUP", {ids, table}, {y});
  model.set_outputs({y});
  EXPECT_THAT(
      run_floats(model, {test::tensor_of("t0", DataType::kInt32, {2}, std::vector<int32_t>{2, 0})}),
      ElementsAre(2.5F, 3, 0.5F, 1));
}

TEST(TfliteGather, RefusesMoreBatchAxesThanThereAre) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {2, 2}});
  const auto y = model.tensor({TfType::kFloat32, {2}});
  model.op("GATHER", {x, model.ints({0})}, {y}, FlatTable().number(0, 0).number(1, 1));
  model.set_outputs({y});
  EXPECT_THAT(refusal(model), HasSubstr("the number of batch axes does not fit"));
}

}  // namespace
}  // namespace supernova::import::tflite
