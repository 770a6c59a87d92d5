#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

FlatTable pool_options(int8_t padding, int32_t stride, int32_t size) {
  return FlatTable().number(0, padding).number(1, stride).number(2, 1).number(3, size).number(4, 1);
}

TfModel pool(std::string_view op, const TfTensor& tensor, const FlatTable& options) {
  TfModel model;
  const auto in = model.input(tensor);
  TfTensor result = tensor;
  const auto y = model.tensor(result);
  model.op(op, {in}, {y}, options);
  model.set_outputs({y});
  return model;
}

TEST(TflitePool, PaddingIsNotCounted) {
  const auto model =
      pool("AVERAGE_POOL_2D", {TfType::kFloat32, {1, 1, 3, 1}}, pool_options(0, 1, 2));
  EXPECT_THAT(run_floats(model, {test::float_tensor("t0", {1, 1, 3, 1}, {1, 2, 4})}),
              near({1.5F, 3, 4}));
}

TEST(TflitePool, MeansOfIntegersRoundHalvesAwayFromZero) {
  const auto model = pool("AVERAGE_POOL_2D", {TfType::kInt8, {1, 1, 4, 1}, "", {0.5F}, {3}},
                          pool_options(1, 2, 2));
  const auto result = run(model, {test::tensor_of("t0", tensor::DataType::kInt8, {1, 1, 4, 1},
                                                  std::vector<int8_t>{1, 4, -1, -4})});
  EXPECT_THAT(test::values_of<int8_t>(result), ElementsAre(3, -3));
}

// Every mean of two numbers, with ties on both sides of zero, of a part and of the whole image.
TEST(TflitePool, EveryHalfRoundsAwayFromZero) {
  for (const int width : {2, 4}) {
    const auto model = pool("AVERAGE_POOL_2D", {TfType::kInt8, {1, 1, width, 1}, "", {0.5F}, {3}},
                            pool_options(1, 2, 2));
    const auto artefact = imported(model.file());
    ASSERT_TRUE(artefact.ok()) << artefact.status();
    for (int a = -128; a < 127; a += 5) {
      const int b = a % 2 == 0 ? a + 1 : a;
      std::vector<int8_t> numbers(static_cast<size_t>(width), static_cast<int8_t>(a));
      numbers[1] = static_cast<int8_t>(b);
      const auto outputs = test::run_artefact(
          artefact->artefact,
          {test::tensor_of("t0", tensor::DataType::kInt8, {1, 1, width, 1}, numbers)});
      ASSERT_TRUE(outputs.ok()) << outputs.status();
      const int sum = a + b;
      const int mean = (sum + (sum > 0 ? 1 : -1)) / 2;
      EXPECT_EQ(test::values_of<int8_t>((*outputs)[0])[0], sum % 2 == 0 ? sum / 2 : mean)
          << a << " and " << b;
    }
  }
}

TEST(TflitePool, LargestOfIntegers) {
  const auto model =
      pool("MAX_POOL_2D", {TfType::kUint8, {1, 1, 4, 1}, "", {0.5F}, {3}}, pool_options(1, 2, 2));
  const auto result = run(model, {test::tensor_of("t0", tensor::DataType::kUint8, {1, 1, 4, 1},
                                                  std::vector<uint8_t>{1, 4, 200, 7})});
  EXPECT_THAT(test::values_of<uint8_t>(result), ElementsAre(4, 200));
}

TEST(TflitePool, SamePaddingWithGapsBetweenWindows) {
  const auto model = pool("MAX_POOL_2D", {TfType::kFloat32, {1, 1, 3, 1}}, pool_options(0, 3, 1));
  EXPECT_THAT(run_floats(model, {test::float_tensor("t0", {1, 1, 3, 1}, {1, 2, 3})}), near({1}));
}

// A padding with zeros before a pooling stays what it is.
TEST(TflitePool, PaddedBefore) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1, 1, 2, 1}});
  const auto wide = model.tensor({TfType::kFloat32, {1, 1, 4, 1}});
  const auto y = model.tensor({TfType::kFloat32, {1, 1, 3, 1}});
  const auto pads = model.tensor(
      {TfType::kInt32, {4, 2}, bytes_of(std::vector<int32_t>{0, 0, 0, 0, 1, 1, 0, 0})});
  model.op("PAD", {x, pads}, {wide});
  model.op("MAX_POOL_2D", {wide}, {y}, pool_options(1, 1, 2));
  model.set_outputs({y});
  EXPECT_THAT(run_floats(model, {test::float_tensor("t0", {1, 1, 2, 1}, {-5, -3})}),
              near({0, -3, 0}));
}

TEST(TflitePool, RootOfTheMeanOfSquares) {
  const auto model = pool("L2_POOL_2D", {TfType::kFloat32, {1, 1, 2, 1}}, pool_options(1, 1, 2));
  EXPECT_THAT(run_floats(model, {test::float_tensor("t0", {1, 1, 2, 1}, {1, 7})}), near({5}));
}

TEST(TflitePool, RefusesAStrideOfZero) {
  EXPECT_THAT(refusal(pool("MAX_POOL_2D", {TfType::kFloat32, {1, 1, 2, 1}}, pool_options(1, 0, 2))),
              HasSubstr("a window, stride or dilation is not positive"));
}

}  // namespace
}  // namespace supernova::import::tflite
