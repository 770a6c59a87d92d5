#include "import/caffe/test_case.h"

namespace supernova::import::caffe {
namespace {

using namespace testing_;  // NOLINT
using testing::ElementsAre;
using testing::HasSubstr;

float sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

TEST(CaffeActivation, FormulasAreCaffes) {
  expect_elementwise("ReLU", "", [](float x) { return std::max(x, 0.0F); });
  expect_elementwise("ReLU", "relu_param { negative_slope: 0.1 }",
                     [](float x) { return x > 0 ? x : 0.1F * x; });
  expect_elementwise("ELU", "elu_param { alpha: 0.5 }",
                     [](float x) { return x > 0 ? x : 0.5F * (std::exp(x) - 1); });
  expect_elementwise("Sigmoid", "", sigmoid);
  expect_elementwise("TanH", "", [](float x) { return std::tanh(x); });
  expect_elementwise("AbsVal", "", [](float x) { return std::fabs(x); });
  expect_elementwise("BNLL", "", [](float x) { return std::log(1 + std::exp(x)); });
  expect_elementwise("ReLU6", "", [](float x) { return std::clamp(x, 0.0F, 6.0F); });
  expect_elementwise("Clip", "clip_param { min: -1 max: 0.5 }",
                     [](float x) { return std::clamp(x, -1.0F, 0.5F); });
  expect_elementwise("Threshold", "threshold_param { threshold: 0.5 }",
                     [](float x) { return x > 0.5F ? 1.0F : 0.0F; });
  expect_elementwise("Swish", "swish_param { beta: 2 }",
                     [](float x) { return x * sigmoid(2 * x); });
  expect_elementwise("HardSwish", "",
                     [](float x) { return x * std::clamp(x / 6 + 0.5F, 0.0F, 1.0F); });
  expect_elementwise("HardSigmoid", "",
                     [](float x) { return std::clamp(0.2F * x + 0.5F, 0.0F, 1.0F); });
  expect_elementwise("Mish", "", [](float x) { return x * std::tanh(std::log1p(std::exp(x))); });
}

TEST(CaffeActivation, PowersLogarithmsAndExponentials) {
  expect_elementwise("Power", "", [](float x) { return x; });
  expect_elementwise("Power", "power_param { scale: 0.5 shift: 2 }",
                     [](float x) { return 0.5F * x + 2; });
  expect_elementwise("Power", "power_param { power: 2 scale: 0.5 shift: 2 }",
                     [](float x) { return (0.5F * x + 2) * (0.5F * x + 2); });
  expect_elementwise("Power", "power_param { power: 3 }", [](float x) { return x * x * x; });
  expect_elementwise("Power", "power_param { power: 0.5 scale: 0 shift: 9 }",
                     [](float) { return 3.0F; });
  expect_elementwise("Power", "power_param { power: 0 }", [](float) { return 1.0F; });
  expect_elementwise("Exp", "", [](float x) { return std::exp(x); });
  expect_elementwise("Exp", "exp_param { base: 2 scale: 0.5 shift: 1 }",
                     [](float x) { return std::pow(2.0F, 0.5F * x + 1); });
  expect_elementwise("Log", "log_param { base: 10 scale: 1 shift: 5 }",
                     [](float x) { return std::log10(x + 5); });
}

TEST(CaffePrelu, SlopesPerChannelSharedAndByFiller) {
  const Floats x{-1, 2, -3, 4};
  const auto run = [&](const std::string& params, const std::vector<Trained>& weights) {
    return numbers(run_net(net_of({1, 2, 1, 2}, "PReLU", params), weights,
                           {float_tensor("data", {1, 2, 1, 2}, x)}));
  };
  EXPECT_THAT(run("", {{"op", {{{2}, {0.5, 0.1}}}}}),
              ElementsAre(-0.5, 2, testing::FloatEq(-0.3F), 4));
  EXPECT_THAT(run("prelu_param { channel_shared: true }", {{"op", {{{1}, {2}}}}}),
              ElementsAre(-2, 2, -6, 4));
  EXPECT_THAT(run("", {{"another", {{{1}, {2}}}}}), ElementsAre(-0.25, 2, -0.75, 4));
}

TEST(CaffeCrelu, PutsTheNegativePartBehind) {
  const auto got =
      run_net(net_of({1, 2, 1, 1}, "CReLU"), {}, {float_tensor("data", {1, 2, 1, 1}, {-1, 2})});
  EXPECT_THAT(numbers(got), ElementsAre(0, 2, 1, 0));
}

TEST(CaffeSoftmax, TakesItsAxis) {
  const Floats x{0, 1, 2, 3};
  const auto over_channels =
      run_net(net_of({1, 2, 1, 2}, "Softmax"), {}, {float_tensor("data", {1, 2, 1, 2}, x)});
  const float high = std::exp(2.0F) / (1 + std::exp(2.0F));
  expect_near(numbers(over_channels), {1 - high, 1 - high, high, high});
  const auto over_columns = run_net(net_of({1, 2, 1, 2}, "Softmax", "softmax_param { axis: -1 }"),
                                    {}, {float_tensor("data", {1, 2, 1, 2}, x)});
  const float part = sigmoid(1);
  expect_near(numbers(over_columns), {1 - part, part, 1 - part, part});
}

TEST(CaffeSoftmax, ALossGivesTheProbabilities) {
  const std::string net = input_layer("data", {1, 2}) +
                          "layer { name: \"op\" type: \"SoftmaxWithLoss\" bottom: \"data\" bottom: "
                          "\"label\" top: \"out\" }";
  expect_near(numbers(run_net(net, {}, {float_tensor("data", {1, 2}, {0, 0})})), {0.5, 0.5});
}

TEST(CaffeActivation, RefusesWhatCannotBe) {
  EXPECT_THAT(refusal(net_of({1, 2}, "Exp", "exp_param { base: -2 }")), HasSubstr("base is -2"));
  EXPECT_THAT(refusal(net_of({1, 2}, "Log", "log_param { base: 1 }")), HasSubstr("base is 1"));
  EXPECT_THAT(refusal(net_of({1, 2}, "Clip")), HasSubstr("needs clip_param"));
  EXPECT_THAT(refusal(net_of({1, 2}, "Softmax", "softmax_param { axis: 5 }")),
              HasSubstr("axis 5 is not one of"));
  EXPECT_THAT(
      refusal(net_of({1, 2}, "ReLU", "relu_param { negative_slope: \"a\" }")),
      testing::MatchesRegex(".*relu_param.negative_slope at 2:[0-9]+ is '.a.', not a number.*"));
}

}  // namespace
}  // namespace supernova::import::caffe
