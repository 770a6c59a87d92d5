#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using test::float_tensor;

TEST(TfliteMatrix, SetsADiagonal) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {2, 3}});
  const auto y = model.tensor({TfType::kFloat32, {2, 3}});
  model.op("MATRIX_SET_DIAG", {x, model.constant({2}, {8, 9})}, {y});
  model.set_outputs({y});
  EXPECT_THAT(run_floats(model, {float_tensor("t0", {2, 3}, {1, 2, 3, 4, 5, 6})}),
              ElementsAre(8, 2, 3, 4, 9, 6));
}

TEST(TfliteMatrix, DistinctValuesInTheOrderTheyCame) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {4}});
  const auto values = model.tensor({TfType::kFloat32, {1}});
  const auto places = model.tensor({TfType::kInt32, {4}});
  model.op("UNIQUE", {x}, {values, places}, FlatTable().number(0, int8_t{2}));
  model.set_outputs({values, places});
  const auto input = float_tensor("t0", {4}, {7, 3, 7, 5});
  EXPECT_THAT(run_floats(model, {input}), ElementsAre(7, 3, 5));
  EXPECT_THAT(test::values_of<int32_t>(run(model, {input}, 1)), ElementsAre(0, 1, 0, 2));
}

TEST(TfliteMatrix, RefusesAScalar) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {}});
  const auto y = model.tensor({TfType::kFloat32, {1, 1}});
  model.op("MATRIX_DIAG", {x}, {y});
  model.set_outputs({y});
  EXPECT_THAT(refusal(model), HasSubstr("a scalar has no diagonal"));
}

}  // namespace
}  // namespace supernova::import::tflite
