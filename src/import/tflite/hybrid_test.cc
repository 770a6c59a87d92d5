#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using test::float_tensor;

// Two results, 2 x and -4 x, of each of the picture's two points.
TfModel conv(const std::vector<float>& scales) {
  TfModel model;
  const auto in = model.input({TfType::kFloat32, {1, 1, 2, 1}});
  const auto w = model.tensor({TfType::kInt8,
                               {2, 1, 1, 1},
                               bytes_of(std::vector<int8_t>{4, -8}),
                               scales,
                               std::vector<int64_t>(scales.size(), 0)});
  const auto y = model.tensor({TfType::kFloat32, {1, 1, 2, 2}});
  model.op("CONV_2D", {in, w}, {y}, FlatTable().number(1, 1).number(2, 1));
  model.set_outputs({y});
  return model;
}

std::vector<float> run_exactly(const TfModel& model, std::vector<tensor::Tensor> inputs) {
  const auto result = imported(model.file(), {{"dynamic_range", "exact"}});
  EXPECT_TRUE(result.ok()) << result.status();
  if (!result.ok()) return {};
  const auto outputs = test::run_artefact(result->artefact, std::move(inputs));
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  return outputs.ok() ? test::values_of<float>((*outputs)[0]) : std::vector<float>();
}

// 0.99 becomes 42 steps of 3 / 127.
TEST(TfliteHybrid, OneScaleOfWeightsRoundsEvenly) {
  const auto x = float_tensor("t0", {1, 1, 2, 1}, {3, 0.99F});
  EXPECT_THAT(run_floats(conv({0.5F}), {x}), near({6, -12, 1.9842520F, -3.9685039F}));
  EXPECT_THAT(run_exactly(conv({0.5F}), {x}), near({6, -12, 1.98F, -3.96F}));
}

// 0.99 becomes 84 steps of 3 / 255.
TEST(TfliteHybrid, ScalesOfChannelsRoundInTheRange) {
  const auto x = float_tensor("t0", {1, 1, 2, 1}, {3, 0.99F});
  EXPECT_THAT(run_floats(conv({0.5F, 0.5F}), {x}), near({6, -12, 1.9764706F, -3.9529412F}));
  EXPECT_THAT(run_exactly(conv({0.5F, 0.5F}), {x}), near({6, -12, 1.98F, -3.96F}));
}

// Rows have scales of their own: of 4 / 255 with -1 as the smallest number, of 3 / 255.
TEST(TfliteHybrid, RowsRoundInTheRangeOnRequest) {
  TfModel model;
  const auto in = model.input({TfType::kFloat32, {2, 2}});
  const auto w =
      model.tensor({TfType::kInt8, {1, 2}, bytes_of(std::vector<int8_t>{2, 2}), {0.5F}, {0}});
  const auto y = model.tensor({TfType::kFloat32, {2, 1}});
  model.op("FULLY_CONNECTED", {in, w}, {y}, FlatTable().flag(3, true));
  model.set_outputs({y});
  const float step = 4.0F / 255;
  EXPECT_THAT(run_floats(model, {float_tensor("t0", {2, 2}, {3, -1, 3, 0.99F})}),
              near({(191 - 64) * step, 3 + 84 * 3.0F / 255}));
}

TEST(TfliteHybrid, ZerosStayZero) {
  const auto x = float_tensor("t0", {1, 1, 2, 1}, {0, 0});
  EXPECT_THAT(run_floats(conv({0.5F}), {x}), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(run_floats(conv({0.5F, 0.5F}), {x}), ElementsAre(0, 0, 0, 0));
}

// A recurrent layer rounds its state too: of 0.75 and 0.25 the latter to 42 steps of 0.75 / 127.
TEST(TfliteHybrid, StatesAreRounded) {
  TfModel model;
  const auto in = model.input({TfType::kFloat32, {1, 2, 1}});
  const auto byte_weights = [&](std::vector<int32_t> shape, const std::vector<int8_t>& values) {
    return model.tensor({TfType::kInt8, std::move(shape), bytes_of(values), {0.25F}, {0}});
  };
  const auto w = byte_weights({2, 1}, {3, 1});
  const auto r = byte_weights({2, 2}, {0, 4, 4, 0});
  const auto bias = model.constant({2}, {0, 0});
  const auto state = model.tensor({TfType::kFloat32, {1, 2}, "", {}, {}, 0, true});
  const auto y = model.tensor({TfType::kFloat32, {1, 2, 2}});
  model.op("UNIDIRECTIONAL_SEQUENCE_RNN", {in, w, r, bias, state}, {y});
  model.set_outputs({y});
  const float rounded = 42 * 0.75F / 127;
  EXPECT_THAT(run_floats(model, {float_tensor("t0", {1, 2, 1}, {1, 0})}),
              near({0.75F, 0.25F, rounded, 0.75F}));
}

}  // namespace
}  // namespace supernova::import::tflite
