#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using tensor::DataType;

TEST(TfliteCompare, StoredNumbersOfDifferentScales) {
  TfModel model;
  const auto a = model.input({TfType::kInt8, {3}, "", {0.5F}, {0}});
  const auto b = model.input({TfType::kInt8, {3}, "", {1.0F}, {1}});
  const auto y = model.tensor({TfType::kBool, {3}});
  model.op("LESS", {a, b}, {y});
  model.set_outputs({y});
  // 1, 2, 3 < 1, 3, 2
  const auto result =
      run(model, {test::tensor_of("t0", DataType::kInt8, {3}, std::vector<int8_t>{2, 4, 6}),
                  test::tensor_of("t1", DataType::kInt8, {3}, std::vector<int8_t>{2, 4, 3})});
  EXPECT_THAT(test::values_of<uint8_t>(result), ElementsAre(0, 1, 0));
}

TEST(TfliteCompare, SelectTakesWholeRows) {
  TfModel model;
  const auto condition = model.input({TfType::kBool, {2}});
  const auto a = model.constant({2, 2}, {1, 2, 3, 4});
  const auto b = model.constant({2, 2}, {5, 6, 7, 8});
  const auto y = model.tensor({TfType::kFloat32, {2, 2}});
  model.op("SELECT", {condition, a, b}, {y});
  model.set_outputs({y});
  EXPECT_THAT(
      run_floats(model, {test::tensor_of("t0", DataType::kBool, {2}, std::vector<uint8_t>{0, 1})}),
      ElementsAre(5, 6, 3, 4));
}

TEST(TfliteCompare, WhereGivesRowsOfIndices) {
  TfModel model;
  const auto x = model.input({TfType::kBool, {2, 2}});
  const auto y = model.tensor({TfType::kInt64, {1, 2}});
  model.op("WHERE", {x}, {y});
  model.set_outputs({y});
  const auto result = run(
      model, {test::tensor_of("t0", DataType::kBool, {2, 2}, std::vector<uint8_t>{0, 1, 1, 0})});
  EXPECT_THAT(result.shape, ElementsAre(2, 2));
  EXPECT_THAT(test::values_of<int64_t>(result), ElementsAre(0, 1, 1, 0));
}

TEST(TfliteCompare, RefusesStrings) {
  TfModel model;
  const auto x = model.input({TfType::kString, {1}});
  const auto y = model.tensor({TfType::kBool, {1}});
  model.op("EQUAL", {x, x}, {y});
  model.set_outputs({y});
  EXPECT_THAT(refusal(model), HasSubstr("comparing strings is not supported"));
}

}  // namespace
}  // namespace supernova::import::tflite
