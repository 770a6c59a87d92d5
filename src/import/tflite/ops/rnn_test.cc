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
              testing::Contains(HasSubstr("starts at zero with every request")));
}

TEST(TfliteRnn, RefusesAnUnknownActivation) {
  EXPECT_THAT(refusal(sequence(3, false, 5)), HasSubstr("fused activation 5"));
}

}  // namespace
}  // namespace supernova::import::tflite
