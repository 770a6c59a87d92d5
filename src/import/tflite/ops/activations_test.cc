#include <cmath>

#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

const std::vector<float> kX{-4, -1, -0.3F, 0, 0.5F, 2, 7};

std::vector<float> through(std::string_view op, const FlatTable& options = {}) {
  TfModel model;
  const auto in = model.input({TfType::kFloat32, {7}});
  const auto y = model.tensor({TfType::kFloat32, {7}});
  model.op(op, {in}, {y}, options);
  model.set_outputs({y});
  return run_floats(model, {test::float_tensor("t0", {7}, kX)});
}

template <typename Function>
std::vector<float> each(Function function) {
  std::vector<float> out;
  for (const float x : kX) out.push_back(static_cast<float>(function(static_cast<double>(x))));
  return out;
}

TEST(TfliteActivations, AreWhatTheyAreCalled) {
  EXPECT_THAT(through("RELU"), near(each([](double x) { return std::max(x, 0.0); })));
  EXPECT_THAT(through("RELU6"), near(each([](double x) { return std::clamp(x, 0.0, 6.0); })));
  EXPECT_THAT(through("RELU_N1_TO_1"),
              near(each([](double x) { return std::clamp(x, -1.0, 1.0); })));
  EXPECT_THAT(through("TANH"), near(each([](double x) { return std::tanh(x); })));
  EXPECT_THAT(through("LOGISTIC"), near(each([](double x) { return 1 / (1 + std::exp(-x)); })));
  EXPECT_THAT(through("ELU"), near(each([](double x) { return x < 0 ? std::expm1(x) : x; })));
  EXPECT_THAT(through("HARD_SWISH"),
              near(each([](double x) { return x * std::clamp(x + 3, 0.0, 6.0) / 6; })));
  EXPECT_THAT(through("LEAKY_RELU", FlatTable().number(0, 0.1F)),
              near(each([](double x) { return x < 0 ? 0.1 * x : x; })));
  EXPECT_THAT(through("GELU"),
              near(each([](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); })));
}

TEST(TfliteActivations, SoftmaxWithBeta) {
  double sum = 0;
  for (const float x : kX) sum += std::exp(0.5 * x);
  EXPECT_THAT(through("SOFTMAX", FlatTable().number(0, 0.5F)),
              near(each([&](double x) { return std::exp(0.5 * x) / sum; })));
}

TEST(TfliteActivations, QuantisedSoftmaxOfOne) {
  TfModel model;
  const auto in = model.input({TfType::kUint8, {2, 1}, "", {0.1F}, {100}});
  const auto y = model.tensor({TfType::kUint8, {2, 1}, "", {1.0F / 256}, {0}});
  model.op("SOFTMAX", {in}, {y}, FlatTable().number(0, 1.0F));
  model.set_outputs({y});
  const auto result =
      run(model,
          {test::tensor_of("t0", tensor::DataType::kUint8, {2, 1}, std::vector<uint8_t>{7, 99})});
  EXPECT_THAT(test::values_of<uint8_t>(result), ElementsAre(255, 255));
}

TEST(TfliteActivations, QuantisedLogistic) {
  TfModel model;
  const auto in = model.input({TfType::kInt8, {3}, "", {0.1F}, {0}});
  const auto y = model.tensor({TfType::kInt8, {3}, "", {1.0F / 256}, {-128}});
  model.op("LOGISTIC", {in}, {y});
  model.set_outputs({y});
  const auto result =
      run(model,
          {test::tensor_of("t0", tensor::DataType::kInt8, {3}, std::vector<int8_t>{-100, 0, 20})});
  EXPECT_THAT(test::values_of<int8_t>(result), ElementsAre(-128, 0, 97));
}

TEST(TfliteActivations, RefusesAnUnknownFusedOne) {
  TfModel model;
  const auto in = model.input({TfType::kFloat32, {1}});
  const auto y = model.tensor({TfType::kFloat32, {1}});
  model.op("ADD", {in, in}, {y}, FlatTable().number(0, int8_t{5}));
  model.set_outputs({y});
  EXPECT_THAT(refusal(model), HasSubstr("ADD 't1': fused activation 5 is not supported"));
}

}  // namespace
}  // namespace supernova::import::tflite
