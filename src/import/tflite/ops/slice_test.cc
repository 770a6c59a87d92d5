#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using test::float_tensor;

struct Cut {
  std::vector<int32_t> begin, end, strides;
  int32_t begin_mask = 0, end_mask = 0, ellipsis = 0, fresh = 0, shrink = 0;
};

TfModel cut_model(const Cut& cut) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {2, 3}});
  const auto y = model.tensor({TfType::kFloat32, {1}});
  model.op("STRIDED_SLICE",
           {x, model.ints(cut.begin), model.ints(cut.end), model.ints(cut.strides)}, {y},
           FlatTable()
               .number(0, cut.begin_mask)
               .number(1, cut.end_mask)
               .number(2, cut.ellipsis)
               .number(3, cut.fresh)
               .number(4, cut.shrink));
  model.set_outputs({y});
  return model;
}

tensor::Tensor cut(const Cut& it) {
  return run(cut_model(it), {float_tensor("t0", {2, 3}, {0, 1, 2, 3, 4, 5})});
}

TEST(TfliteSlice, AllMasksOfAStridedSlice) {
  auto y = cut({{0, -1}, {2, -4}, {1, -2}});
  EXPECT_THAT(test::values_of<float>(y), ElementsAre(2, 0, 5, 3));
  y = cut({{1, 1}, {1, 1}, {1, 1}, 1, 3});
  EXPECT_THAT(y.shape, ElementsAre(2, 2));
  EXPECT_THAT(test::values_of<float>(y), ElementsAre(1, 2, 4, 5));
  y = cut({{-1, 0}, {0, 3}, {1, 1}, 0, 0, 0, 0, 1});
  EXPECT_THAT(y.shape, ElementsAre(3));
  EXPECT_THAT(test::values_of<float>(y), ElementsAre(3, 4, 5));
  y = cut({{-1, 0}, {0, 3}, {1, 1}, 1, 0, 0, 0, 1});
  EXPECT_THAT(test::values_of<float>(y), ElementsAre(0, 1, 2));
  y = cut({{0, 0, 1}, {0, 0, 2}, {1, 1, 1}, 0, 0, 1, 2});
  EXPECT_THAT(y.shape, ElementsAre(2, 1, 1));
  EXPECT_THAT(test::values_of<float>(y), ElementsAre(1, 4));
}

TEST(TfliteSlice, SliceWithAnOpenEnd) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {2, 3}});
  const auto y = model.tensor({TfType::kFloat32, {1, 2}});
  model.op("SLICE", {x, model.ints({1, 1}), model.ints({1, -1})}, {y});
  model.set_outputs({y});
  EXPECT_THAT(run_floats(model, {float_tensor("t0", {2, 3}, {0, 1, 2, 3, 4, 5})}),
              ElementsAre(4, 5));
}

TEST(TfliteSlice, ReversesParts) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {2, 3}});
  const auto y = model.tensor({TfType::kFloat32, {2, 3}});
  model.op("REVERSE_SEQUENCE", {x, model.ints({2, 3})}, {y}, FlatTable().number(0, 1).number(1, 0));
  model.set_outputs({y});
  EXPECT_THAT(run_floats(model, {float_tensor("t0", {2, 3}, {0, 1, 2, 3, 4, 5})}),
              ElementsAre(1, 0, 2, 5, 4, 3));
}

TEST(TfliteSlice, RefusesAStrideOfZero) {
  EXPECT_THAT(refusal(cut_model({{0, 0}, {1, 1}, {1, 0}})), HasSubstr("a stride is zero"));
}

}  // namespace
}  // namespace supernova::import::tflite
