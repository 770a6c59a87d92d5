#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using tensor::DataType;
using test::float_tensor;

int32_t pairs(TfModel& model, const std::vector<int32_t>& values) {
  return model.tensor(
      {TfType::kInt32, {static_cast<int32_t>(values.size()) / 2, 2}, bytes_of(values)});
}

TEST(TflitePad, QuantisedZeroIsTheZeroPoint) {
  TfModel model;
  const auto x = model.input({TfType::kInt8, {2}, "", {0.5F}, {-7}});
  const auto y = model.tensor({TfType::kInt8, {4}, "", {0.5F}, {-7}});
  model.op("PAD", {x, pairs(model, {1, 1})}, {y});
  model.set_outputs({y});
  const auto result =
      run(model, {test::tensor_of("t0", DataType::kInt8, {2}, std::vector<int8_t>{1, 2})});
  EXPECT_THAT(test::values_of<int8_t>(result), ElementsAre(-7, 1, 2, -7));
}

// Dilated convolutions of open sizes work their paddings out: here (-3, 5) mod 2.
TEST(TflitePad, PaddingsMayBeWorkedOut) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {2}});
  const auto padding = model.tensor({TfType::kInt32, {1, 2}});
  const auto y = model.tensor({TfType::kFloat32, {4}});
  model.op("FLOOR_MOD", {pairs(model, {-3, 5}), pairs(model, {2, 2})}, {padding});
  model.op("PAD", {x, padding}, {y});
  model.set_outputs({y});
  const auto result = imported(model.file());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->description.outputs[0].shape, ElementsAre(4));
  EXPECT_THAT(run_floats(model, {float_tensor("t0", {2}, {1, 2})}), ElementsAre(0, 1, 2, 0));
}

TEST(TflitePad, MirrorsWithAndWithoutTheEdge) {
  for (const int8_t mode : {0, 1}) {
    TfModel model;
    const auto x = model.input({TfType::kFloat32, {3}});
    const auto y = model.tensor({TfType::kFloat32, {6}});
    model.op("MIRROR_PAD", {x, pairs(model, {2, 1})}, {y}, FlatTable().number(0, mode));
    model.set_outputs({y});
    const std::vector<float> expected =
        mode == 0 ? std::vector<float>{3, 2, 1, 2, 3, 2} : std::vector<float>{2, 1, 1, 2, 3, 3};
    EXPECT_THAT(run_floats(model, {float_tensor("t0", {3}, {1, 2, 3})}),
                ElementsAreArray(expected));
  }
}

// There and back, through batch and through depth, gives what was there.
TEST(TflitePad, SpaceToBatchAndDepthAndBack) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1, 4, 4, 2}});
  const auto block = model.ints({2, 2});
  const auto none = pairs(model, {0, 0, 0, 0});
  const auto batch = model.tensor({TfType::kFloat32, {4, 2, 2, 2}});
  const auto again = model.tensor({TfType::kFloat32, {1, 4, 4, 2}});
  const auto depth = model.tensor({TfType::kFloat32, {1, 2, 2, 8}});
  const auto y = model.tensor({TfType::kFloat32, {1, 4, 4, 2}});
  model.op("SPACE_TO_BATCH_ND", {x, block, none}, {batch});
  model.op("BATCH_TO_SPACE_ND", {batch, block, none}, {again});
  model.op("SPACE_TO_DEPTH", {again}, {depth}, FlatTable().number(0, 2));
  model.op("DEPTH_TO_SPACE", {depth}, {y}, FlatTable().number(0, 2));
  model.set_outputs({y, batch, depth});
  const auto values = test::some_floats(32);
  const auto input = float_tensor("t0", {1, 4, 4, 2}, values);
  EXPECT_THAT(run_floats(model, {input}), ElementsAreArray(values));
  // Element (0, 1, 0, 0) is the first of block row 1, column 0.
  EXPECT_EQ(run_floats(model, {input}, 1)[2 * 8], values[8]);
  EXPECT_EQ(run_floats(model, {input}, 2)[4], values[8]);
}

// [1, h, w, 1] to batches of blocks of 2 x 2 and back, cropped; h and w are open, `pads` may be
// too.
TfModel open_blocks(bool open_edges) {
  TfModel model;
  const TfTensor picture{TfType::kInt8, {1, 3, 4, 1}, "", {0.5F}, {-7}, 0, false, {1, -1, -1, 1}};
  const auto x = model.input(picture);
  const auto block = model.ints({2, 2});
  const TfTensor edges{TfType::kInt32, {2, 2}};
  const auto pads = open_edges ? model.input(edges) : pairs(model, {1, 0, 0, 0});
  const auto crops = open_edges ? model.input(edges) : pairs(model, {1, 0, 0, 1});
  const auto batch = model.tensor({TfType::kInt8, {4, 2, 2, 1}, "", {0.5F}, {-7}});
  const auto y = model.tensor({TfType::kInt8, {1, 3, 3, 1}, "", {0.5F}, {-7}});
  model.op("SPACE_TO_BATCH_ND", {x, block, pads}, {batch});
  model.op("BATCH_TO_SPACE_ND", {batch, block, crops}, {y});
  model.set_outputs({batch, y});
  return model;
}

void check_open_blocks(const TfModel& model, const std::vector<tensor::Tensor>& edges) {
  std::vector<tensor::Tensor> inputs{
      test::tensor_of("t0", DataType::kInt8, {1, 3, 4, 1},
                      std::vector<int8_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})};
  inputs.insert(inputs.end(), edges.begin(), edges.end());
  const auto batch = run(model, inputs);
  EXPECT_THAT(batch.shape, ElementsAre(4, 2, 2, 1));
  EXPECT_THAT(test::values_of<int8_t>(batch),
              ElementsAre(-7, -7, 5, 7, -7, -7, 6, 8, 1, 3, 9, 11, 2, 4, 10, 12));
  const auto y = run(model, inputs, 1);
  EXPECT_THAT(y.shape, ElementsAre(1, 3, 3, 1));
  EXPECT_THAT(test::values_of<int8_t>(y), ElementsAre(1, 2, 3, 5, 6, 7, 9, 10, 11));
}

TEST(TflitePad, BlocksOfOpenSizes) { check_open_blocks(open_blocks(false), {}); }

TEST(TflitePad, BlocksWhosePaddingsAreOpen) {
  const auto four = [](const char* name, const std::vector<int32_t>& values) {
    return test::tensor_of(name, DataType::kInt32, {2, 2}, values);
  };
  check_open_blocks(open_blocks(true), {four("t2", {1, 0, 0, 0}), four("t3", {1, 0, 0, 1})});
}

// Sizes that no block fits are the request's fault, not the end of it all.
TEST(TflitePad, OpenSizesThatAreNoMultipleFail) {
  const auto result = imported(open_blocks(false).file());
  ASSERT_TRUE(result.ok()) << result.status();
  const auto outputs = test::run_artefact(
      result->artefact,
      {test::tensor_of("t0", DataType::kInt8, {1, 2, 4, 1}, std::vector<int8_t>(8, 1))});
  EXPECT_FALSE(outputs.ok());
}

TEST(TflitePad, RefusesAnOpenNumberOfBlocks) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1, 4, 4, 1}});
  const auto block = model.input({TfType::kInt32, {2}, "", {}, {}, 0, false, {-1}});
  const auto y = model.tensor({TfType::kFloat32, {4, 2, 2, 1}});
  model.op("SPACE_TO_BATCH_ND", {x, block, pairs(model, {0, 0, 0, 0})}, {y});
  model.set_outputs({y});
  EXPECT_THAT(refusal(model), HasSubstr("the number of the block's sizes must be fixed"));
}

TEST(TflitePad, RefusesANegativePadding) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {3}});
  const auto y = model.tensor({TfType::kFloat32, {2}});
  model.op("PAD", {x, pairs(model, {-1, 0})}, {y});
  model.set_outputs({y});
  EXPECT_THAT(refusal(model), HasSubstr("a padding is negative"));
}

}  // namespace
}  // namespace supernova::import::tflite
