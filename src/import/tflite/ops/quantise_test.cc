#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using tensor::DataType;
using test::float_tensor;

TEST(TfliteQuantise, ThereAndBackInEveryType) {
  for (const TfType type : {TfType::kInt8, TfType::kUint8, TfType::kInt16}) {
    TfModel model;
    const int64_t zero = type == TfType::kInt16 ? 0 : 10;
    const auto x = model.input({TfType::kFloat32, {4}});
    const auto q = model.tensor({type, {4}, "", {0.5F}, {zero}});
    const auto y = model.tensor({TfType::kFloat32, {4}});
    model.op("QUANTIZE", {x}, {q});
    model.op("DEQUANTIZE", {q}, {y});
    model.set_outputs({y});
    EXPECT_THAT(run_floats(model, {float_tensor("t0", {4}, {0, 1.1F, -2.4F, 40})}),
                ElementsAre(0, 1, -2.5F, 40));
  }
}

TEST(TfliteQuantise, HalfPrecisionWeights) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {2}});
  // 1.5 and -2 as half-precision numbers.
  const auto w =
      model.tensor({TfType::kFloat16, {2}, bytes_of(std::vector<uint16_t>{0x3E00, 0xC000})});
  const auto real = model.tensor({TfType::kFloat32, {2}});
  const auto y = model.tensor({TfType::kFloat32, {2}});
  model.op("DEQUANTIZE", {w}, {real});
  model.op("MUL", {x, real}, {y});
  model.set_outputs({y});
  EXPECT_THAT(run_floats(model, {float_tensor("t0", {2}, {2, 3})}), ElementsAre(3, -6));
}

TEST(TfliteQuantise, CastsTowardsZero) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {3}});
  const auto y = model.tensor({TfType::kInt32, {3}});
  model.op("CAST", {x}, {y});
  model.set_outputs({y});
  EXPECT_THAT(test::values_of<int32_t>(run(model, {float_tensor("t0", {3}, {1.7F, -1.7F, 3})})),
              ElementsAre(1, -1, 3));
}

TEST(TfliteQuantise, RefusesBrokenScales) {
  for (const float scale : {0.0F, -1.0F, std::numeric_limits<float>::infinity()}) {
    TfModel model;
    const auto x = model.input({TfType::kInt8, {1}, "", {scale}, {0}});
    const auto y = model.tensor({TfType::kFloat32, {1}});
    model.op("DEQUANTIZE", {x}, {y});
    model.set_outputs({y});
    EXPECT_THAT(refusal(model), HasSubstr("tensor 't0' has a broken scale or zero point"));
  }
}

}  // namespace
}  // namespace supernova::import::tflite
