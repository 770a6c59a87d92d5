#include <cmath>

#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

TfModel spectrum(const std::vector<int32_t>& lengths) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1, 5}});
  const auto z = model.tensor({TfType::kComplex64, {1, 3}});
  const auto flat = model.tensor({TfType::kComplex64, {3}});
  const auto y = model.tensor({TfType::kFloat32, {3}});
  model.op("RFFT2D", {x, model.ints(lengths)}, {z});
  model.op("SQUEEZE", {z}, {flat}, FlatTable().numbers(0, std::vector<int32_t>{0}));
  model.op("COMPLEX_ABS", {flat}, {y});
  model.set_outputs({y});
  return model;
}

// The first four of five numbers are transformed.
TEST(TfliteSignal, AbsoluteSpectrum) {
  const std::vector<float> x{1, 2, -3, 5, 100};
  std::vector<float> expected;
  for (int k = 0; k < 3; ++k) {
    double real = 0;
    double imaginary = 0;
    for (int n = 0; n < 4; ++n) {
      real += x[n] * std::cos(M_PI_2 * n * k);
      imaginary -= x[n] * std::sin(M_PI_2 * n * k);
    }
    expected.push_back(static_cast<float>(std::hypot(real, imaginary)));
  }
  EXPECT_THAT(run_floats(spectrum({1, 4}), {test::float_tensor("t0", {1, 5}, x)}), near(expected));
}

TEST(TfliteSignal, RefusesTwoAxes) {
  EXPECT_THAT(refusal(spectrum({2, 4})), HasSubstr("only transforms along the last axis"));
}

}  // namespace
}  // namespace supernova::import::tflite
