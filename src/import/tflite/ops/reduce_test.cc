#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using tensor::DataType;
using test::float_tensor;

TfModel reduction(std::string_view op, TfType type, std::vector<int32_t> axes, bool keep) {
  TfModel model;
  const auto x = model.input({type, {2, 3}});
  const auto y = model.tensor({type, {1}});
  model.op(op, {x, model.ints(axes)}, {y}, FlatTable().flag(0, keep));
  model.set_outputs({y});
  return model;
}

TEST(TfliteReduce, AlongAxesWithAndWithoutKeepingThem) {
  const auto x = float_tensor("t0", {2, 3}, {1, 2, 3, 4, 5, 9});
  auto y = run(reduction("MEAN", TfType::kFloat32, {-1}, true), {x});
  EXPECT_THAT(y.shape, ElementsAre(2, 1));
  EXPECT_THAT(test::values_of<float>(y), near({2, 6}));
  y = run(reduction("SUM", TfType::kFloat32, {0, 1}, false), {x});
  EXPECT_TRUE(y.shape.empty());
  EXPECT_THAT(test::values_of<float>(y), near({24}));
  EXPECT_THAT(run_floats(reduction("REDUCE_PROD", TfType::kFloat32, {0}, false), {x}),
              near({4, 10, 27}));
  EXPECT_THAT(run_floats(reduction("REDUCE_MIN", TfType::kFloat32, {}, false), {x}),
              near({1, 2, 3, 4, 5, 9}));
}

TEST(TfliteReduce, TruthValues) {
  const auto x =
      test::tensor_of("t0", DataType::kBool, {2, 3}, std::vector<uint8_t>{0, 1, 0, 1, 1, 1});
  EXPECT_THAT(
      test::values_of<uint8_t>(run(reduction("REDUCE_ALL", TfType::kBool, {1}, false), {x})),
      ElementsAre(0, 1));
  EXPECT_THAT(
      test::values_of<uint8_t>(run(reduction("REDUCE_ANY", TfType::kBool, {0}, false), {x})),
      ElementsAre(1, 1, 1));
}

TEST(TfliteReduce, TheLargestAndTheirPlaces) {
  TfModel model;
  const auto x = model.input({TfType::kInt8, {1, 4}, "", {0.5F}, {0}});
  const auto values = model.tensor({TfType::kInt8, {1, 2}, "", {0.5F}, {0}});
  const auto places = model.tensor({TfType::kInt32, {1, 2}});
  const auto best = model.tensor({TfType::kInt64, {1}});
  model.op("TOPK_V2", {x, model.int_scalar(2)}, {values, places});
  model.op("ARG_MAX", {x, model.int_scalar(-1)}, {best}, FlatTable().number(0, int8_t{4}));
  model.set_outputs({values, places, best});
  const auto input =
      test::tensor_of("t0", DataType::kInt8, {1, 4}, std::vector<int8_t>{-3, 9, 9, 4});
  EXPECT_THAT(test::values_of<int8_t>(run(model, {input})), ElementsAre(9, 9));
  EXPECT_THAT(test::values_of<int32_t>(run(model, {input}, 1)), ElementsAre(1, 2));
  EXPECT_THAT(test::values_of<int64_t>(run(model, {input}, 2)), ElementsAre(1));
}

TEST(TfliteReduce, RefusesAnAxisThatIsNotThere) {
  EXPECT_THAT(refusal(reduction("SUM", TfType::kFloat32, {2}, false)),
              HasSubstr("SUM 't1': axis 2 of a tensor with 2 axes"));
}

}  // namespace
}  // namespace supernova::import::tflite
