#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using tensor::DataType;
using test::float_tensor;

// A graph of one operator on one input and a constant.
void body(TfModel& model, std::string_view op, float constant) {
  model.begin_graph();
  const auto x = model.input({TfType::kFloat32, {2}});
  const auto y = model.tensor({TfType::kFloat32, {2}});
  model.op(op, {x, model.constant({}, {constant})}, {y});
  model.set_outputs({y});
}

TEST(TfliteControl, ChoosesAGraph) {
  TfModel model;
  const auto condition = model.input({TfType::kBool, {}});
  const auto x = model.input({TfType::kFloat32, {2}});
  const auto y = model.tensor({TfType::kFloat32, {2}});
  model.op("IF", {condition, x}, {y}, FlatTable().number(0, 1).number(1, 2));
  model.set_outputs({y});
  body(model, "ADD", 10);
  body(model, "MUL", 3);
  for (const uint8_t chosen : {0, 1}) {
    const std::vector<tensor::Tensor> inputs{
        test::tensor_of("t0", DataType::kBool, {}, std::vector<uint8_t>{chosen}),
        float_tensor("t1", {2}, {1, 2})};
    EXPECT_THAT(run_floats(model, inputs), chosen != 0 ? ElementsAre(11, 12) : ElementsAre(3, 6));
  }
}

TfModel loop(int32_t condition_graph, int32_t body_graph) {
  TfModel model;
  const auto count = model.input({TfType::kInt32, {1}});
  const auto x = model.input({TfType::kFloat32, {1}});
  const auto counted = model.tensor({TfType::kInt32, {1}});
  const auto y = model.tensor({TfType::kFloat32, {1}});
  model.op("WHILE", {count, x}, {counted, y},
           FlatTable().number(0, condition_graph).number(1, body_graph));
  model.set_outputs({y, counted});
  model.begin_graph();
  const auto seen = model.input({TfType::kInt32, {1}});
  model.input({TfType::kFloat32, {1}});
  const auto go_on = model.tensor({TfType::kBool, {1}});
  model.op("LESS", {seen, model.ints({4})}, {go_on});
  model.set_outputs({go_on});
  model.begin_graph();
  const auto i = model.input({TfType::kInt32, {1}});
  const auto v = model.input({TfType::kFloat32, {1}});
  const auto next = model.tensor({TfType::kInt32, {1}});
  const auto twice = model.tensor({TfType::kFloat32, {1}});
  model.op("ADD", {i, model.ints({1})}, {next});
  model.op("ADD", {v, v}, {twice});
  model.set_outputs({next, twice});
  return model;
}

TEST(TfliteControl, LoopsWhileTheConditionHolds) {
  for (const int32_t from : {1, 4}) {
    const std::vector<tensor::Tensor> inputs{
        test::tensor_of("t0", DataType::kInt32, {1}, std::vector<int32_t>{from}),
        float_tensor("t1", {1}, {3})};
    EXPECT_THAT(run_floats(loop(1, 2), inputs), ElementsAre(from == 1 ? 24 : 3));
  }
}

TEST(TfliteControl, RefusesGraphsInACircleAndGraphsThatAreNotThere) {
  EXPECT_THAT(refusal(loop(2, 2)), HasSubstr("the condition must give one result"));
  EXPECT_THAT(refusal(loop(1, 0)), HasSubstr("nested too deep, or in a circle"));
  EXPECT_THAT(refusal(loop(1, 9)), HasSubstr("its body does not take its values"));
  EXPECT_THAT(refusal(loop(-5, 2)), HasSubstr("uses graph -5, but there are 3"));
}

}  // namespace
}  // namespace supernova::import::tflite
