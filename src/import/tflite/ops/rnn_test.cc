#include <cmath>

#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using test::float_tensor;
using test::some_floats;

TfModel sequence(int32_t time, bool major, int8_t activation) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, major ? std::vector<int32_t>{time, 1, 2}
                                                      : std::vector<int32_t>{1, time, 2}});
  const auto w = model.constant({2, 2}, {0.5F, -1, 0.25F, 2});
  const auto r = model.constant({2, 2}, {0.1F, 0.2F, -0.3F, 0.4F});
  const auto bias = model.constant({2}, {0.1F, -0.1F});
  const auto state = model.tensor({TfType::kFloat32, {1, 2}, "", {}, {}, 0, true});
  const auto y = model.tensor({TfType::kFloat32, {1, time, 2}});
  model.op("UNIDIRECTIONAL_SEQUENCE_RNN", {x, w, r, bias, state}, {y},
           FlatTable().flag(0, major).number(1, activation));
  model.set_outputs({y});
  return model;
}

std::vector<float> expected(const std::vector<float>& x) {
  float a = 0;
  float b = 0;
  std::vector<float> out;
  for (size_t i = 0; i < x.size(); i += 2) {
    const float next_a = std::tanh(0.5F * x[i] - x[i + 1] + 0.1F * a + 0.2F * b + 0.1F);
    const float next_b = std::tanh(0.25F * x[i] + 2 * x[i + 1] - 0.3F * a + 0.4F * b - 0.1F);
    a = next_a;
    b = next_b;
    out.insert(out.end(), {a, b});
  }
  return out;
}

TEST(TfliteRnn, KeepsItsStateOverTime) {
  const auto x = some_floats(10);
  EXPECT_THAT(run_floats(sequence(5, false, 4), {float_tensor("t0", {1, 5, 2}, x)}),
              near(expected(x)));
  EXPECT_THAT(run_floats(sequence(5, true, 4), {float_tensor("t0", {5, 1, 2}, x)}),
              near(expected(x)));
}

TEST(TfliteRnn, OneStepNeedsNoLoop) {
  const auto model = imported(sequence(1, false, 4).file());
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(model->artefact.bytes.view().find("Scan"), std::string_view::npos);
  EXPECT_THAT(model->description.notes,
              testing::Contains(HasSubstr("the option state=tensors makes it inputs and outputs")));
}

TEST(TfliteRnn, StateIsAnInputAndAnOutputOnRequest) {
  const auto x = some_floats(8);
  const std::vector<float> first(x.begin(), x.begin() + 4);
  const std::vector<float> second(x.begin() + 4, x.end());
  const TfModel model = sequence(2, false, 4);
  const auto described = imported(model.file(), {{"state", "tensors"}});
  ASSERT_TRUE(described.ok()) << described.status();
  ASSERT_EQ(described->description.inputs.size(), 2U);
  const auto outputs = run_stream(
      model, {float_tensor("t0", {1, 2, 2}, first), float_tensor("t0", {1, 2, 2}, second)},
      {float_tensor(described->description.inputs[1].name, {1, 2}, {0, 0})});
  ASSERT_EQ(outputs.size(), 2U);
  std::vector<float> got = test::values_of<float>(outputs[0]);
  for (const float value : test::values_of<float>(outputs[1])) got.push_back(value);
  EXPECT_THAT(got, near(expected(x)));
}

// A layer in a branch can't say what it leaves where the branch is not taken.
TEST(TfliteRnn, RefusesStateInABranch) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1, 2}});
  const auto condition = model.input({TfType::kBool, {}});
  const auto y = model.tensor({TfType::kFloat32, {1, 2}});
  model.op("IF", {condition, x}, {y}, FlatTable().number(0, 1).number(1, 1));
  model.set_outputs({y});
  model.begin_graph();
  const auto inner = model.input({TfType::kFloat32, {1, 2}});
  const auto square = model.constant({2, 2}, {1, 0, 0, 1});
  const auto state = model.tensor({TfType::kFloat32, {1, 2}, "", {}, {}, 0, true});
  const auto next = model.tensor({TfType::kFloat32, {1, 2}});
  model.op("RNN", {inner, square, square, model.constant({2}, {0, 0}), state}, {next},
           FlatTable().number(0, int8_t{1}));
  model.set_outputs({next});
  EXPECT_TRUE(imported(model.file()).ok());
  EXPECT_THAT(imported(model.file(), {{"state", "tensors"}}).status().ToString(),
              HasSubstr("inside IF or WHILE is not supported with state=tensors"));
}

TEST(TfliteRnn, RefusesAnUnknownActivation) {
  EXPECT_THAT(refusal(sequence(3, false, 5)), HasSubstr("fused activation 5"));
}

}  // namespace
}  // namespace supernova::import::tflite
