#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using tensor::DataType;

TEST(TfliteFill, OneHotLeavesIndicesOutsideWithoutAMark) {
  TfModel model;
  const auto indices = model.input({TfType::kInt32, {3}});
  const auto on = model.constant({}, {5});
  const auto off = model.constant({}, {-1});
  const auto y = model.tensor({TfType::kFloat32, {3, 2}});
  model.op("ONE_HOT", {indices, model.int_scalar(2), on, off}, {y}, FlatTable().number(0, -1));
  model.set_outputs({y});
  EXPECT_THAT(run_floats(model, {test::tensor_of("t0", DataType::kInt32, {3},
                                                 std::vector<int32_t>{1, -1, 2})}),
              ElementsAre(-1, 5, -1, -1, -1, -1));
}

TEST(TfliteFill, RangeFromInputs) {
  TfModel model;
  const auto limit = model.input({TfType::kInt32, {}});
  const auto y = model.tensor({TfType::kInt32, {1}});
  model.op("RANGE", {model.int_scalar(1), limit, model.int_scalar(2)}, {y});
  model.set_outputs({y});
  const auto result =
      run(model, {test::tensor_of("t0", DataType::kInt32, {}, std::vector<int32_t>{6})});
  EXPECT_THAT(test::values_of<int32_t>(result), ElementsAre(1, 3, 5));
}

TEST(TfliteFill, RefusesAnAxisThatIsNotThere) {
  TfModel model;
  const auto indices = model.input({TfType::kInt32, {3}});
  const auto one = model.constant({}, {1});
  const auto y = model.tensor({TfType::kFloat32, {3, 2}});
  model.op("ONE_HOT", {indices, model.int_scalar(2), one, one}, {y}, FlatTable().number(0, 2));
  model.set_outputs({y});
  EXPECT_THAT(refusal(model), HasSubstr("axis 2 of a tensor with 2 axes"));
}

}  // namespace
}  // namespace supernova::import::tflite
