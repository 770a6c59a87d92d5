#include "import/caffe/test_case.h"

namespace supernova::import::caffe {
namespace {

using namespace testing_;  // NOLINT
using testing::ElementsAre;
using testing::HasSubstr;

TEST(CaffeBatchNorm, DividesTheSumsByTheirCount) {
  const Floats x{1, 2, 3, 4};
  const auto got = run_net(net_of({1, 2, 1, 2}, "BatchNorm", "batch_norm_param { eps: 0.01 }"),
                           {{"op", {{{2}, {2, 4}}, {{2}, {8, 18}}, {{1}, {2}}}}},
                           {float_tensor("data", {1, 2, 1, 2}, x)});
  const float a = 1 / std::sqrt(4.01F);
  const float b = 1 / std::sqrt(9.01F);
  expect_near(numbers(got), {0, a, b, 2 * b});
}

TEST(CaffeBatchNorm, ACountOfZeroMeansNoStatistics) {
  const auto got = run_net(net_of({1, 1, 1, 2}, "BatchNorm", "batch_norm_param { eps: 0.25 }"),
                           {{"op", {{{1}, {5}}, {{1}, {7}}, {{1}, {0}}}}},
                           {float_tensor("data", {1, 1, 1, 2}, {1, 2})});
  expect_near(numbers(got), {2, 4});
}

TEST(CaffeBatchNorm, ScaleAfterItBecomesOneNode) {
  const std::string net = input_layer("data", {1, 2, 1, 1}) +
                          "layer { name: \"bn\" type: \"BatchNorm\" bottom: \"data\" top: \"out\" }"
                          "layer { name: \"scale\" type: \"Scale\" bottom: \"out\" top: \"out\" "
                          "scale_param { bias_term: true } }";
  const std::vector<Trained> weights{{"bn", {{{2}, {1, 2}}, {{2}, {4, 9}}, {{1}, {1}}}},
                                     {"scale", {{{2}, {2, 3}}, {{2}, {10, 20}}}}};
  const auto got = run_net(net, weights, {float_tensor("data", {1, 2, 1, 1}, {3, 5})});
  expect_near(numbers(got), {12, 23});
  const auto model = import_net(net, weights);
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(model->artefact.bytes.view().find("Mul"), std::string_view::npos);
}

TEST(CaffeBatchNorm, WhatIsReadBesidesTheScaleStaysAsItIs) {
  const std::string net = input_layer("data", {1, 1, 1, 1}) +
                          "layer { name: \"bn\" type: \"BatchNorm\" bottom: \"data\" top: \"n\" }"
                          "layer { name: \"scale\" type: \"Scale\" bottom: \"n\" top: \"out\" }"
                          "layer { name: \"relu\" type: \"ReLU\" bottom: \"n\" top: \"r\" }";
  const auto got =
      run_net(net, {{"bn", {{{1}, {1}}, {{1}, {1}}, {{1}, {1}}}}, {"scale", {{{1}, {7}}}}},
              {float_tensor("data", {1, 1, 1, 1}, {3})});
  expect_near(numbers(got, "out"), {14});
  expect_near(numbers(got, "r"), {2});
}

TEST(CaffeBatchNorm, StatisticsOfTheBatchWhereTheNetWantsThem) {
  const auto got = run_net(
      net_of({2, 1, 1, 2}, "BatchNorm", "batch_norm_param { use_global_stats: false eps: 0 }"), {},
      {float_tensor("data", {2, 1, 1, 2}, {1, 1, 3, 3})});
  expect_near(numbers(got), {-1, -1, 1, 1});
}

TEST(CaffeBn, TwoBlobsAndFour) {
  const auto two = run_net(net_of({1, 2, 1, 1}, "BN"),
                           {{"op", {{{1, 2, 1, 1}, {2, 3}}, {{1, 2, 1, 1}, {1, 1}}}}},
                           {float_tensor("data", {1, 2, 1, 1}, {5, 6})});
  expect_near(numbers(two), {11, 19});
  const auto four = run_net(net_of({1, 1, 1, 1}, "BN", "bn_param { eps: 0 }"),
                            {{"op", {{{1}, {2}}, {{1}, {1}}, {{1}, {3}}, {{1}, {4}}}}},
                            {float_tensor("data", {1, 1, 1, 1}, {5})});
  expect_near(numbers(four), {3});
}

TEST(CaffeScale, AxesBiasAndASecondBottom) {
  const Floats x{1, 2, 3, 4};
  const auto run = [&](const std::string& params, const std::vector<Trained>& weights) {
    return numbers(run_net(net_of({1, 2, 1, 2}, "Scale", params), weights,
                           {float_tensor("data", {1, 2, 1, 2}, x)}));
  };
  EXPECT_THAT(run("", {{"op", {{{2}, {10, 100}}}}}), ElementsAre(10, 20, 300, 400));
  EXPECT_THAT(
      run("scale_param { axis: 3 bias_term: true }", {{"op", {{{2}, {10, 100}}, {{2}, {1, 2}}}}}),
      ElementsAre(11, 202, 31, 402));
  EXPECT_THAT(run("scale_param { axis: 1 num_axes: -1 }", {{"op", {{{2, 1, 2}, {1, 2, 3, 4}}}}}),
              ElementsAre(1, 4, 9, 16));
  const std::string two =
      input_layer("data", {1, 2, 1, 2}) + input_layer("by", {1, 2}) +
      "layer { name: \"op\" type: \"Scale\" bottom: \"data\" bottom: \"by\" top: "
      "\"out\" scale_param { axis: 0 } }";
  EXPECT_THAT(
      numbers(run_net(two, {},
                      {float_tensor("data", {1, 2, 1, 2}, x), float_tensor("by", {1, 2}, {2, 3})})),
      ElementsAre(2, 4, 9, 12));
}

TEST(CaffeBias, AddsAlongItsAxis) {
  const auto got = run_net(net_of({1, 2, 1, 1}, "Bias"), {{"op", {{{2}, {10, 20}}}}},
                           {float_tensor("data", {1, 2, 1, 1}, {1, 2})});
  EXPECT_THAT(numbers(got), ElementsAre(11, 22));
}

TEST(CaffeLrn, AcrossAndWithinChannels) {
  const auto across =
      run_net(net_of({1, 3, 1, 1}, "LRN", "lrn_param { local_size: 3 alpha: 3 beta: 0.5 k: 2 }"),
              {}, {float_tensor("data", {1, 3, 1, 1}, {1, 2, 3})});
  // scale = k + alpha / size * sum of squares of the neighbours
  expect_near(numbers(across), {1 / std::sqrt(7.0F), 2 / std::sqrt(16.0F), 3 / std::sqrt(15.0F)});
  // The usual exponent goes another way.
  const auto usual =
      run_net(net_of({1, 3, 1, 1}, "LRN", "lrn_param { local_size: 3 alpha: 3 beta: 0.75 k: 2 }"),
              {}, {float_tensor("data", {1, 3, 1, 1}, {1, 2, 3})});
  expect_near(numbers(usual), {1 / std::pow(7.0F, 0.75F), 2 / 8.0F, 3 / std::pow(15.0F, 0.75F)});
  const auto within = run_net(net_of({1, 1, 1, 3}, "LRN",
                                     "lrn_param { local_size: 3 alpha: 9 beta: 1 norm_region: "
                                     "WITHIN_CHANNEL }"),
                              {}, {float_tensor("data", {1, 1, 1, 3}, {1, 2, 3})});
  // The window's area is nine everywhere: the pads count.
  expect_near(numbers(within), {1.0F / 6, 2.0F / 15, 3.0F / 14});
}

TEST(CaffeMvn, MeanAndDeviationOverTheImage) {
  const Floats x{1, 3, 10, 30};
  const auto run = [&](const std::string& params) {
    return numbers(
        run_net(net_of({1, 2, 1, 2}, "MVN", params), {}, {float_tensor("data", {1, 2, 1, 2}, x)}));
  };
  expect_near(run(""), {-1, 1, -1, 1});
  expect_near(run("mvn_param { normalize_variance: false }"), {-1, 1, -10, 10});
  expect_near(run("mvn_param { across_channels: true normalize_variance: false }"),
              {-10, -8, -1, 19});
}

TEST(CaffeNormalize, OverPlacesAndOverTheItem) {
  const Floats x{3, 0, 4, 2};
  const auto run = [&](const std::string& params, const Blob& scale) {
    return numbers(run_net(net_of({1, 2, 1, 2}, "Normalize", params), {{"op", {scale}}},
                           {float_tensor("data", {1, 2, 1, 2}, x)}));
  };
  expect_near(run("norm_param { across_spatial: false channel_shared: false }", {{2}, {10, 100}}),
              {6, 0, 80, 100});
  const float norm = std::sqrt(29.0F);
  expect_near(run("", {{1}, {2}}), {6 / norm, 0, 8 / norm, 4 / norm});
  const std::string by_filler =
      net_of({1, 2, 1, 2}, "Normalize",
             "norm_param { across_spatial: false scale_filler { type: \"constant\" value: 20 } }");
  expect_near(numbers(run_net(by_filler, {{"other", {{{1}, {1}}}}},
                              {float_tensor("data", {1, 2, 1, 2}, x)})),
              {12, 0, 16, 20});
}

TEST(CaffeNormalise, RefusesWhatCannotBe) {
  EXPECT_THAT(refusal(net_of({1, 3, 2, 2}, "BatchNorm"), {{"op", {blob_of({4})}}}),
              HasSubstr("blob 0 has shape [4] where the layer needs [3]"));
  EXPECT_THAT(refusal(net_of({1, 3, 2, 2}, "BatchNorm")), HasSubstr("has no weights"));
  EXPECT_THAT(refusal(net_of({1, 3, 2, 2}, "LRN", "lrn_param { local_size: 4 }")),
              HasSubstr("local_size is 4; it must be odd"));
  EXPECT_THAT(refusal(net_of({1, 3, 2, 2}, "Scale", "scale_param { num_axes: 7 }"),
                      {{"op", {blob_of({3})}}}),
              HasSubstr("num_axes is 7"));
}

}  // namespace
}  // namespace supernova::import::caffe
