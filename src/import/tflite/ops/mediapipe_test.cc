#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using test::float_tensor;

std::string numbers(const std::vector<int32_t>& values) { return bytes_of(values); }

TEST(TfliteMediapipe, TransposedConvolutionWithABias) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1, 1, 2, 1}});
  const auto y = model.tensor({TfType::kFloat32, {1, 1, 4, 1}});
  model.op("Convolution2DTransposeBias",
           {x, model.constant({1, 1, 3, 1}, {1, 10, 100}), model.constant({1}, {0.5F})}, {y}, {},
           numbers({1, 2, 1}));
  model.set_outputs({y});
  // One of the five full results is cut off, at the end.
  EXPECT_THAT(run_floats(model, {float_tensor("t0", {1, 1, 2, 1}, {1, 2})}),
              near({1.5F, 10.5F, 102.5F, 20.5F}));
}

TfModel pooled(int32_t stride) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1, 2, 4, 1}});
  const auto largest = model.tensor({TfType::kFloat32, {1, 1, 2, 1}});
  const auto places = model.tensor({TfType::kFloat32, {1, 1, 2, 1}});
  const auto y = model.tensor({TfType::kFloat32, {1, 2, 4, 1}});
  model.op("MaxPoolingWithArgmax2D", {x}, {largest, places}, {}, numbers({2, 2, 2, 2, 2, 0}));
  model.op("MaxUnpooling2D", {largest, places}, {y}, {}, numbers({2, stride, 2, 2, 2, 0}));
  model.set_outputs({places, y});
  return model;
}

TEST(TfliteMediapipe, PoolsAndPutsBack) {
  const auto x = float_tensor("t0", {1, 2, 4, 1}, {1, 5, 2, 3, 4, 2, 9, 8});
  EXPECT_THAT(run_floats(pooled(2), {x}), near({1.1F, 2.1F}));
  EXPECT_THAT(run_floats(pooled(2), {x}, 1), near({0, 5, 0, 0, 0, 0, 9, 0}));
}

TEST(TfliteMediapipe, RefusesOverlappingWindows) {
  EXPECT_THAT(refusal(pooled(1)), HasSubstr("windows that overlap or leave gaps"));
}

TEST(TfliteMediapipe, SaysWhatTheEdgeTpuNeeds) {
  TfModel model;
  const auto x = model.input({TfType::kUint8, {1}});
  const auto y = model.tensor({TfType::kUint8, {1}});
  model.op("edgetpu-custom-op", {x}, {y});
  model.set_outputs({y});
  EXPECT_THAT(
      refusal(model),
      HasSubstr("serve it with the engine tflite on the device edgetpu, or use the .tflite"));
}

}  // namespace
}  // namespace supernova::import::tflite
