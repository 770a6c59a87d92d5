#include <cmath>

#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using tensor::DataType;

std::vector<int32_t> ints_through(std::string_view op, const std::vector<int32_t>& a,
                                  const std::vector<int32_t>& b) {
  TfModel model;
  const auto size = static_cast<int32_t>(a.size());
  const auto x = model.input({TfType::kInt32, {size}});
  const auto z = model.input({TfType::kInt32, {size}});
  const auto y = model.tensor({TfType::kInt32, {size}});
  model.op(op, {x, z}, {y});
  model.set_outputs({y});
  return test::values_of<int32_t>(run(model, {test::tensor_of("t0", DataType::kInt32, {size}, a),
                                              test::tensor_of("t1", DataType::kInt32, {size}, b)}));
}

TEST(TfliteElementwise, QuotientsOfIntegers) {
  const std::vector<int32_t> a{7, -7, 7, -7};
  const std::vector<int32_t> b{2, 2, -2, -2};
  EXPECT_THAT(ints_through("DIV", a, b), ElementsAre(3, -3, -3, 3));
  EXPECT_THAT(ints_through("FLOOR_DIV", a, b), ElementsAre(3, -4, -4, 3));
  EXPECT_THAT(ints_through("FLOOR_MOD", a, b), ElementsAre(1, 1, -1, -1));
}

std::vector<float> floats_through(std::string_view op, const std::vector<float>& a,
                                  const std::vector<float>& b) {
  TfModel model;
  const auto size = static_cast<int32_t>(a.size());
  const auto x = model.input({TfType::kFloat32, {size}});
  const auto z = model.input({TfType::kFloat32, {size}});
  const auto y = model.tensor({TfType::kFloat32, {size}});
  model.op(op, {x, z}, {y});
  model.set_outputs({y});
  return run_floats(model,
                    {test::float_tensor("t0", {size}, a), test::float_tensor("t1", {size}, b)});
}

TEST(TfliteElementwise, RemaindersAndAngles) {
  EXPECT_THAT(floats_through("FLOOR_MOD", {5.5F, -5.5F, 5.5F}, {2, 2, -2}),
              near({1.5F, 0.5F, -0.5F}));
  const std::vector<float> y{0, 1, 1, -1, -1, 0, 2};
  const std::vector<float> x{0, 1, -1, -1, 1, -2, 0};
  std::vector<float> expected;
  for (size_t i = 0; i < x.size(); ++i) expected.push_back(std::atan2(y[i], x[i]));
  EXPECT_THAT(floats_through("ATAN2", y, x), near(expected));
}

TEST(TfliteElementwise, AddsQuantisedWithStretchingAndRelu) {
  TfModel model;
  const auto x = model.input({TfType::kInt8, {2, 2}, "", {0.5F}, {1}});
  const auto z =
      model.tensor({TfType::kInt8, {2}, bytes_of(std::vector<int8_t>{10, -10}), {0.25F}, {0}});
  const auto y = model.tensor({TfType::kInt8, {2, 2}, "", {1.0F}, {-5}});
  model.op("ADD", {x, z}, {y}, FlatTable().number(0, int8_t{1}));
  model.set_outputs({y});
  // Real numbers: 0.5 (x - 1) + {2.5, -2.5}, not below 0.
  const auto result = run(
      model, {test::tensor_of("t0", DataType::kInt8, {2, 2}, std::vector<int8_t>{2, 12, -20, 3})});
  EXPECT_THAT(test::values_of<int8_t>(result), ElementsAre(-2, -2, -5, -5));
}

TEST(TfliteElementwise, RefusesSizesThatDoNotFit) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {2}});
  const auto z = model.input({TfType::kFloat32, {3}});
  const auto y = model.tensor({TfType::kFloat32, {3}});
  model.op("MUL", {x, z}, {y});
  model.set_outputs({y});
  EXPECT_THAT(refusal(model), HasSubstr("MUL 't2': shapes [2] and [3] do not fit together"));
}

}  // namespace
}  // namespace supernova::import::tflite
