#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using test::float_tensor;

TfModel resize(std::string_view op, int32_t from, int32_t to, bool corners, bool half) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1, 1, from, 1}});
  const auto y = model.tensor({TfType::kFloat32, {1, 1, to, 1}});
  const int first = op == "RESIZE_BILINEAR" ? 2 : 0;
  model.op(op, {x, model.ints({1, to})}, {y},
           FlatTable().flag(first, corners).flag(first + 1, half));
  model.set_outputs({y});
  return model;
}

TEST(TfliteResize, BilinearInThreeCoordinates) {
  const auto x = float_tensor("t0", {1, 1, 2, 1}, {0, 8});
  EXPECT_THAT(run_floats(resize("RESIZE_BILINEAR", 2, 4, false, false), {x}), near({0, 4, 8, 8}));
  EXPECT_THAT(run_floats(resize("RESIZE_BILINEAR", 2, 4, false, true), {x}), near({0, 2, 6, 8}));
  EXPECT_THAT(run_floats(resize("RESIZE_BILINEAR", 2, 5, true, false), {x}), near({0, 2, 4, 6, 8}));
}

TEST(TfliteResize, NearestTakesTheOriginalsElements) {
  const auto x = float_tensor("t0", {1, 1, 4, 1}, {0, 1, 2, 3});
  EXPECT_THAT(run_floats(resize("RESIZE_NEAREST_NEIGHBOR", 4, 3, false, false), {x}),
              ElementsAre(0, 1, 2));
  EXPECT_THAT(run_floats(resize("RESIZE_NEAREST_NEIGHBOR", 4, 3, true, false), {x}),
              ElementsAre(0, 2, 3));
  EXPECT_THAT(run_floats(resize("RESIZE_NEAREST_NEIGHBOR", 4, 3, false, true), {x}),
              ElementsAre(0, 2, 3));
  EXPECT_THAT(run_floats(resize("RESIZE_NEAREST_NEIGHBOR", 4, 8, false, true), {x}),
              ElementsAre(0, 0, 1, 1, 2, 2, 3, 3));
}

TEST(TfliteResize, RefusesASizeOfZero) {
  EXPECT_THAT(refusal(resize("RESIZE_NEAREST_NEIGHBOR", 4, 0, false, false)),
              HasSubstr("a size is not positive"));
}

}  // namespace
}  // namespace supernova::import::tflite
