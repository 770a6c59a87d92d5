#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

TfModel svdf(int32_t rank, const std::vector<int32_t>& state_shape = {1, 8}) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1, 2}});
  const auto feature = model.constant({4, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  const auto time = model.constant({4, 2}, {10, 1, 20, 2, 30, 3, 40, 4});
  const auto bias = model.constant({2}, {100, 200});
  const auto state = model.tensor({TfType::kFloat32, state_shape, "", {}, {}, 0, true});
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

TEST(TfliteSvdf, StateIsAnInputAndAnOutputOnRequest) {
  const auto outputs = run_stream(
      svdf(2), {test::float_tensor("t0", {1, 2}, {1, 2}), test::float_tensor("t0", {1, 2}, {0, 1})},
      {test::float_tensor("t4", {1, 8}, std::vector<float>(8, 0))});
  ASSERT_EQ(outputs.size(), 2U);
  const std::vector<float> before{1 + 4, 3 + 8, 5 + 12, 7 + 16};
  const std::vector<float> now{2, 4, 6, 8};
  EXPECT_THAT(test::values_of<float>(outputs[1]),
              near({before[0] * 10 + now[0] * 1 + before[1] * 20 + now[1] * 2 + 100,
                    before[2] * 30 + now[2] * 3 + before[3] * 40 + now[3] * 4 + 200}));
}

// An INT8 state starts at its zero point, which the description says.
TEST(TfliteSvdf, SaysWhereAQuantisedStateStarts) {
  TfModel model;
  const auto x = model.input({TfType::kInt8, {1, 2}, "", {0.5F}, {0}});
  const auto feature =
      model.tensor({TfType::kInt8, {1, 2}, bytes_of(std::vector<int8_t>{1, 2}), {1.0F}, {0}});
  const auto time =
      model.tensor({TfType::kInt8, {1, 2}, bytes_of(std::vector<int8_t>{10, 1}), {1.0F}, {0}});
  const auto state = model.tensor({TfType::kInt8, {1, 2}, "", {0.5F}, {3}, 0, true});
  const auto y = model.tensor({TfType::kInt8, {1, 1}, "", {1.0F}, {0}});
  model.op("SVDF", {x, feature, time, -1, state}, {y}, FlatTable().number(0, 1));
  model.set_outputs({y});
  const auto result = imported(model.file(), {{"state", "tensors"}});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->description.inputs[1].data_type, tensor::DataType::kInt8);
  EXPECT_THAT(result->description.notes, ElementsAre("'t3' starts at 3"));
  const auto eights = [](const char* name, const std::vector<int8_t>& values) {
    return test::tensor_of(name, tensor::DataType::kInt8, {1, 2}, values);
  };
  const auto outputs =
      run_stream(model, {eights("t0", {2, 4}), eights("t0", {2, 0})}, {eights("t3", {3, 3})});
  ASSERT_EQ(outputs.size(), 2U);
  EXPECT_THAT(test::values_of<int8_t>(outputs[0]), ElementsAre(5));       // 1 + 4
  EXPECT_THAT(test::values_of<int8_t>(outputs[1]), ElementsAre(50 + 1));  // before * 10 + now
}

TEST(TfliteSvdf, RefusesARankThatDoesNotDivide) {
  EXPECT_THAT(refusal(svdf(3)), HasSubstr("its weights don't fit its rank"));
}

// Found by the fuzzer: the first of no sizes was read.
TEST(TfliteSvdf, RefusesAStateWithoutAxes) {
  EXPECT_THAT(refusal(svdf(2, {})), HasSubstr("data and state must have two axes"));
}

}  // namespace
}  // namespace supernova::import::tflite
