#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using tensor::DataType;
using test::float_tensor;

TEST(TfliteJoin, ConcatenatesDifferentScales) {
  TfModel model;
  const auto a = model.input({TfType::kUint8, {1}, "", {1.0F}, {0}});
  const auto b = model.input({TfType::kUint8, {1}, "", {0.5F}, {10}});
  const auto y = model.tensor({TfType::kUint8, {2}, "", {1.0F}, {0}});
  model.op("CONCATENATION", {a, b}, {y}, FlatTable().number(0, -1));
  model.set_outputs({y});
  const auto result =
      run(model, {test::tensor_of("t0", DataType::kUint8, {1}, std::vector<uint8_t>{7}),
                  test::tensor_of("t1", DataType::kUint8, {1}, std::vector<uint8_t>{30})});
  EXPECT_THAT(test::values_of<uint8_t>(result), ElementsAre(7, 10));
}

TEST(TfliteJoin, PacksAndUnpacks) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {2, 2}});
  const auto a = model.tensor({TfType::kFloat32, {2}});
  const auto b = model.tensor({TfType::kFloat32, {2}});
  const auto y = model.tensor({TfType::kFloat32, {2, 2}});
  model.op("UNPACK", {x}, {a, b}, FlatTable().number(0, 2).number(1, 1));
  model.op("PACK", {b, a}, {y}, FlatTable().number(0, 2).number(1, 0));
  model.set_outputs({y});
  EXPECT_THAT(run_floats(model, {float_tensor("t0", {2, 2}, {1, 2, 3, 4})}),
              ElementsAre(2, 4, 1, 3));
}

TEST(TfliteJoin, SplitsIntoPartsOfGivenSizes) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {5}});
  const auto a = model.tensor({TfType::kFloat32, {2}});
  const auto b = model.tensor({TfType::kFloat32, {3}});
  model.op("SPLIT_V", {x, model.ints({2, -1}), model.int_scalar(0)}, {a, b},
           FlatTable().number(0, 2));
  model.set_outputs({a, b});
  EXPECT_THAT(run_floats(model, {float_tensor("t0", {5}, {1, 2, 3, 4, 5})}, 1),
              ElementsAre(3, 4, 5));
}

TEST(TfliteJoin, RefusesAnUnevenSplit) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {5}});
  const auto a = model.tensor({TfType::kFloat32, {2}});
  const auto b = model.tensor({TfType::kFloat32, {3}});
  model.op("SPLIT", {model.int_scalar(0), x}, {a, b}, FlatTable().number(0, 2));
  model.set_outputs({a, b});
  EXPECT_THAT(refusal(model), HasSubstr("SPLIT 't1': the axis does not divide evenly"));
}

}  // namespace
}  // namespace supernova::import::tflite
