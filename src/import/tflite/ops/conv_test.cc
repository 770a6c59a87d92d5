#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using tensor::DataType;
using test::float_tensor;
using test::some_floats;

FlatTable conv_options(int8_t padding, int32_t stride, int8_t activation) {
  return FlatTable().number(0, padding).number(1, stride).number(2, stride).number(3, activation);
}

// One batch; `depth` = results of each input channel (depthwise), 0 = every channel feeds every
// one.
struct Reference {
  int size, in, out, kernel, stride, before, results, depth;
  float at(const std::vector<float>& x, const std::vector<float>& w, int oy, int ox, int o) const {
    float sum = 0;
    for (int ky = 0; ky < kernel; ++ky) {
      for (int kx = 0; kx < kernel; ++kx) {
        const int y = oy * stride + ky - before;
        const int at_x = ox * stride + kx - before;
        if (y < 0 || at_x < 0 || y >= size || at_x >= size) continue;
        for (int i = 0; i < in; ++i) {
          if (depth != 0 && o / depth != i) continue;
          const int weight = depth != 0 ? (ky * kernel + kx) * out + o
                                        : ((o * kernel + ky) * kernel + kx) * in + i;
          sum += x[(y * size + at_x) * in + i] * w[weight];
        }
      }
    }
    return sum;
  }
  std::vector<float> all(const std::vector<float>& x, const std::vector<float>& w,
                         const std::vector<float>& bias) const {
    std::vector<float> y;
    for (int oy = 0; oy < results; ++oy) {
      for (int ox = 0; ox < results; ++ox) {
        for (int o = 0; o < out; ++o) y.push_back(at(x, w, oy, ox, o) + bias[o]);
      }
    }
    return y;
  }
};

TEST(TfliteConv, ConvolvesWithSamePaddingAndStride) {
  const Reference reference{5, 2, 3, 3, 2, 1, 3, 0};
  const auto x = some_floats(50, 1);
  const auto w = some_floats(54, 2);
  const std::vector<float> bias{1, -2, 3};
  TfModel model;
  const auto in = model.input({TfType::kFloat32, {1, 5, 5, 2}});
  const auto y = model.tensor({TfType::kFloat32, {1, 3, 3, 3}});
  model.op("CONV_2D", {in, model.constant({3, 3, 3, 2}, w), model.constant({3}, bias)}, {y},
           conv_options(0, 2, 0));
  model.set_outputs({y});
  EXPECT_THAT(run_floats(model, {float_tensor("t0", {1, 5, 5, 2}, x)}),
              near(reference.all(x, w, bias)));
}

TEST(TfliteConv, DepthwiseWithAMultiplierAndRelu6) {
  const Reference reference{4, 2, 4, 3, 1, 0, 2, 2};
  auto x = some_floats(32, 1);
  for (float& value : x) value *= 5;
  const auto w = some_floats(36, 2);
  const std::vector<float> bias{1, -2, 3, 4};
  TfModel model;
  const auto in = model.input({TfType::kFloat32, {1, 4, 4, 2}});
  const auto y = model.tensor({TfType::kFloat32, {1, 2, 2, 4}});
  const auto options =
      FlatTable().number(0, int8_t{1}).number(1, 1).number(2, 1).number(3, 2).number(4, int8_t{3});
  model.op("DEPTHWISE_CONV_2D", {in, model.constant({1, 3, 3, 4}, w), model.constant({4}, bias)},
           {y}, options);
  model.set_outputs({y});
  auto expected = reference.all(x, w, bias);
  for (float& value : expected) value = std::clamp(value, 0.0F, 6.0F);
  EXPECT_THAT(run_floats(model, {float_tensor("t0", {1, 4, 4, 2}, x)}), near(expected));
}

// Scales for each channel; the bias counts in steps of both scales multiplied.
TEST(TfliteConv, QuantisedWithAScaleForEachChannel) {
  TfModel model;
  const auto in = model.input({TfType::kInt8, {1, 1, 2, 2}, "", {0.5F}, {-1}});
  const auto w = model.tensor({TfType::kInt8,
                               {2, 1, 1, 2},
                               bytes_of(std::vector<int8_t>{10, -20, 30, 40}),
                               {0.1F, 0.2F},
                               {0, 0}});
  const auto bias = model.tensor({TfType::kInt32, {2}, bytes_of(std::vector<int32_t>{20, -30})});
  const auto y = model.tensor({TfType::kInt8, {1, 1, 2, 2}, "", {1.0F}, {5}});
  model.op("CONV_2D", {in, w, bias}, {y}, conv_options(1, 1, 1));
  model.set_outputs({y});
  const std::vector<int8_t> x{3, 7, -5, 9};
  std::vector<int8_t> expected;
  for (int at = 0; at < 2; ++at) {
    const double a = 0.5 * (x[2 * at] + 1);
    const double b = 0.5 * (x[2 * at + 1] + 1);
    const double first = a * 1.0 + b * -2.0 + 20 * 0.05;
    const double second = a * 6.0 + b * 8.0 - 30 * 0.1;
    expected.push_back(static_cast<int8_t>(std::lround(std::max(first, 0.0)) + 5));
    expected.push_back(static_cast<int8_t>(std::lround(std::max(second, 0.0)) + 5));
  }
  const auto result = run(model, {test::tensor_of("t0", DataType::kInt8, {1, 1, 2, 2}, x)});
  EXPECT_THAT(test::values_of<int8_t>(result), ElementsAreArray(expected));
}

// -58.497: the nearest number is -58. TensorFlow Lite's fixed-point steps round twice and give -59,
// which layers of some gain behind it make ten steps of.
TEST(TfliteConv, QuantisedResultsAreTheNearest) {
  TfModel model;
  const auto in = model.input({TfType::kInt8, {1, 1, 1, 1}, "", {0.022173386F}, {-10}});
  const auto w =
      model.tensor({TfType::kInt8, {1, 1, 1, 1}, std::string(1, '\0'), {0.018693356F}, {0}});
  const auto bias = model.tensor({TfType::kInt32, {1}, bytes_of(std::vector<int32_t>{-2316})});
  const auto y = model.tensor({TfType::kInt8, {1, 1, 1, 1}, "", {0.0336868F}, {-30}});
  model.op("CONV_2D", {in, w, bias}, {y}, conv_options(0, 1, 0));
  model.set_outputs({y});
  const auto result =
      run(model, {test::tensor_of("t0", DataType::kInt8, {1, 1, 1, 1}, std::vector<int8_t>{7})});
  EXPECT_THAT(test::values_of<int8_t>(result), ElementsAre(-58));
}

// Each input element adds the kernel at its place.
TEST(TfliteConv, TransposedConvolution) {
  TfModel model;
  const auto shape = model.ints({1, 1, 5, 1});
  const auto w = model.constant({1, 1, 3, 1}, {1, 10, 100});
  const auto in = model.input({TfType::kFloat32, {1, 1, 2, 1}});
  const auto y = model.tensor({TfType::kFloat32, {1, 1, 5, 1}});
  model.op("TRANSPOSE_CONV", {shape, w, in}, {y},
           FlatTable().number(0, int8_t{1}).number(1, 2).number(2, 1));
  model.set_outputs({y});
  EXPECT_THAT(run_floats(model, {float_tensor("t2", {1, 1, 2, 1}, {1, 2})}),
              near({1, 10, 102, 20, 200}));
}

TEST(TfliteConv, RefusesWeightsThatDoNotFit) {
  TfModel model;
  const auto in = model.input({TfType::kFloat32, {1, 4, 4, 3}});
  const auto y = model.tensor({TfType::kFloat32, {1, 4, 4, 1}});
  model.op("CONV_2D", {in, model.constant({1, 1, 1, 2}, {1, 2})}, {y}, conv_options(0, 1, 0));
  model.set_outputs({y});
  EXPECT_THAT(refusal(model), HasSubstr("CONV_2D 't1': weights for 2 channels don't fit 3"));
}

}  // namespace
}  // namespace supernova::import::tflite
