#include <cmath>

#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

TEST(TfliteNormalise, LengthOne) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {2, 2}});
  const auto y = model.tensor({TfType::kFloat32, {2, 2}});
  model.op("L2_NORMALIZATION", {x}, {y});
  model.set_outputs({y});
  EXPECT_THAT(run_floats(model, {test::float_tensor("t0", {2, 2}, {3, 4, 0, 0})}),
              near({0.6F, 0.8F, 0, 0}));
}

TEST(TfliteNormalise, LocalResponse) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1, 1, 1, 3}});
  const auto y = model.tensor({TfType::kFloat32, {1, 1, 1, 3}});
  model.op("LOCAL_RESPONSE_NORMALIZATION", {x}, {y},
           FlatTable().number(0, 1).number(1, 2.0F).number(2, 0.5F).number(3, 0.75F));
  model.set_outputs({y});
  const auto divided = [](double value, double squares) {
    return static_cast<float>(value / std::pow(2 + 0.5 * squares, 0.75));
  };
  EXPECT_THAT(run_floats(model, {test::float_tensor("t0", {1, 1, 1, 3}, {1, 2, 3})}),
              near({divided(1, 5), divided(2, 14), divided(3, 13)}));
}

TEST(TfliteNormalise, RefusesANegativeRadius) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1, 1, 1, 3}});
  const auto y = model.tensor({TfType::kFloat32, {1, 1, 1, 3}});
  model.op("LOCAL_RESPONSE_NORMALIZATION", {x}, {y}, FlatTable().number(0, -3));
  model.set_outputs({y});
  EXPECT_THAT(refusal(model), HasSubstr("the radius is negative"));
}

}  // namespace
}  // namespace supernova::import::tflite
