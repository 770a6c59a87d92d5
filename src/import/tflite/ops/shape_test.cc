#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using tensor::DataType;
using test::float_tensor;

TEST(TfliteShape, ReshapesAnOpenBatch) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1, 2, 3}, "", {}, {}, 0, false, {-1, 2, 3}});
  const auto y = model.tensor({TfType::kFloat32, {1, 6}});
  model.op("RESHAPE", {x, model.ints({-1, 6})}, {y});
  model.set_outputs({y});
  const auto model_info = imported(model.file());
  ASSERT_TRUE(model_info.ok()) << model_info.status();
  EXPECT_THAT(model_info->description.inputs[0].shape, ElementsAre(-1, 2, 3));
  EXPECT_THAT(model_info->description.outputs[0].shape, ElementsAre(-1, 6));
  EXPECT_EQ(model_info->description.outputs[0].dim_names[0],
            model_info->description.inputs[0].dim_names[0]);
  const auto result = run(model, {float_tensor("t0", {2, 2, 3}, std::vector<float>(12, 1))});
  EXPECT_THAT(result.shape, ElementsAre(2, 6));
}

// A shape computed from the input's, as TensorFlow's converter writes flattening.
TEST(TfliteShape, FollowsAShapeThatIsComputed) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1, 4}, "", {}, {}, 0, false, {-1, 4}});
  const auto shape = model.tensor({TfType::kInt32, {2}});
  const auto batch = model.tensor({TfType::kInt32, {}});
  const auto joined = model.tensor({TfType::kInt32, {3}});
  const auto y = model.tensor({TfType::kFloat32, {1, 2, 2}});
  model.op("SHAPE", {x}, {shape});
  model.op("STRIDED_SLICE", {shape, model.ints({0}), model.ints({1}), model.ints({1})}, {batch},
           FlatTable().number(4, 1));
  model.op("PACK", {batch, model.int_scalar(2), model.int_scalar(2)}, {joined},
           FlatTable().number(0, 3));
  model.op("RESHAPE", {x, joined}, {y});
  model.set_outputs({y});
  const auto result = run(model, {float_tensor("t0", {3, 4}, std::vector<float>(12, 1))});
  EXPECT_THAT(result.shape, ElementsAre(3, 2, 2));
}

TEST(TfliteShape, TransposesAndTiles) {
  TfModel model;
  const auto x = model.input({TfType::kInt8, {2, 2}});
  const auto turned = model.tensor({TfType::kInt8, {2, 2}});
  const auto y = model.tensor({TfType::kInt8, {2, 4}});
  model.op("TRANSPOSE", {x, model.ints({1, 0})}, {turned});
  model.op("TILE", {turned, model.ints({1, 2})}, {y});
  model.set_outputs({y});
  const auto result =
      run(model, {test::tensor_of("t0", DataType::kInt8, {2, 2}, std::vector<int8_t>{1, 2, 3, 4})});
  EXPECT_THAT(test::values_of<int8_t>(result), ElementsAre(1, 3, 1, 3, 2, 4, 2, 4));
}

TEST(TfliteShape, RefusesAShapeThatDoesNotFit) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {3}});
  const auto y = model.tensor({TfType::kFloat32, {2, 2}});
  model.op("RESHAPE", {x, model.ints({2, -1})}, {y});
  model.set_outputs({y});
  EXPECT_THAT(refusal(model), HasSubstr("[3] can't be reshaped to these sizes"));
}

}  // namespace
}  // namespace supernova::import::tflite
