#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

TfModel svdf(int32_t rank) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1, 2}});
  const auto feature = model.constant({4, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  const auto time = model.constant({4, 2}, {10, 1, 20, 2, 30, 3, 40, 4});
  const auto bias = model.constant({2}, {100, 200});
  const auto state = model.tensor({TfType::kFloat32, {1, 8}, "", {}, {}, 0, true});
  const auto y = model.tensor({TfType::kFloat32, {1, 2}});
  model.op("SVDF", {x, feature, time, bias, state}, {y}, FlatTable().number(0, rank));
  model.set_outputs({y});
  return model;
}

// The state starts at zero, so that only the newest column counts.
TEST(TfliteSvdf, WeighsTheNewestColumn) {
  const std::vector<float> products{1 + 4, 3 + 8, 5 + 12, 7 + 16};
  EXPECT_THAT(
      run_floats(svdf(2), {test::float_tensor("t0", {1, 2}, {1, 2})}),
      near({products[0] * 1 + products[1] * 2 + 100, products[2] * 3 + products[3] * 4 + 200}));
}

TEST(TfliteSvdf, RefusesARankThatDoesNotDivide) {
  EXPECT_THAT(refusal(svdf(3)), HasSubstr("its weights don't fit its rank"));
}

}  // namespace
}  // namespace supernova::import::tflite
