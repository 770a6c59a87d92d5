#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

FlatTable named() { return FlatTable().text(0, "").text(1, "counter"); }

// y = x + counter; counter += x; the counter starts at (10, 20), or never.
TfModel counter(bool starts, const std::vector<float>& start = {10, 20}) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {2}});
  const auto handle = model.tensor({TfType::kResource, {}});
  const auto value = model.tensor({TfType::kFloat32, {2}});
  const auto y = model.tensor({TfType::kFloat32, {2}});
  if (starts) model.op("CALL_ONCE", {}, {}, FlatTable().number(0, 1));
  model.op("VAR_HANDLE", {}, {handle}, named());
  model.op("READ_VARIABLE", {handle}, {value});
  model.op("ADD", {x, value}, {y});
  model.op("ASSIGN_VARIABLE", {handle, y}, {});
  model.set_outputs({y});
  model.begin_graph();
  const auto own = model.tensor({TfType::kResource, {}});
  model.op("VAR_HANDLE", {}, {own}, named());
  model.op("ASSIGN_VARIABLE", {own, model.constant({2}, start)}, {});
  return model;
}

TEST(TfliteVariables, StartAnewWithEveryRequest) {
  const auto x = test::float_tensor("t0", {2}, {1, 2});
  EXPECT_THAT(run_floats(counter(true), {x}), ElementsAre(11, 22));
  const auto result = imported(counter(true).file());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->description.notes, testing::Contains(HasSubstr("the option state=tensors")));
}

TEST(TfliteVariables, AreInputsAndOutputsOnRequest) {
  const auto result = imported(counter(true).file(), {{"state", "tensors"}});
  ASSERT_TRUE(result.ok()) << result.status();
  const auto& description = result->description;
  ASSERT_EQ(description.inputs.size(), 2U);
  EXPECT_EQ(description.inputs[1].name, "counter");
  EXPECT_THAT(description.inputs[1].shape, ElementsAre(2));
  ASSERT_EQ(description.outputs.size(), 2U);
  EXPECT_EQ(description.outputs[1].name, "counter.next");
  EXPECT_THAT(description.notes, ElementsAre("'counter' starts with numbers of the file"));
  const auto outputs = test::run_artefact(
      result->artefact,
      {test::float_tensor("t0", {2}, {1, 2}), test::float_tensor("counter", {2}, {100, 200})});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_THAT(test::values_of<float>((*outputs)[0]), ElementsAre(101, 202));
  EXPECT_THAT(test::values_of<float>((*outputs)[1]), ElementsAre(101, 202));
  EXPECT_THAT(imported(counter(true).file(), {{"state", "kept"}}).status().ToString(),
              HasSubstr("option state is 'kept'; it can be reset or tensors"));
}

TEST(TfliteVariables, SayWhereTheyStart) {
  const auto notes_for = [](const std::vector<float>& start) {
    const auto result = imported(counter(true, start).file(), {{"state", "tensors"}});
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->description.notes : std::vector<std::string>{"failed"};
  };
  EXPECT_THAT(notes_for({0, 0}), testing::IsEmpty());
  EXPECT_THAT(notes_for({-128, -128}), ElementsAre("'counter' starts at -128"));
}

// A constant of the model, not state.
TEST(TfliteVariables, SetWhenTheModelStartsOnly) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1}});
  const auto handle = model.tensor({TfType::kResource, {}});
  const auto value = model.tensor({TfType::kFloat32, {1}});
  const auto y = model.tensor({TfType::kFloat32, {1}});
  model.op("CALL_ONCE", {}, {}, FlatTable().number(0, 1));
  model.op("VAR_HANDLE", {}, {handle}, named());
  model.op("READ_VARIABLE", {handle}, {value});
  model.op("ADD", {x, value}, {y});
  model.set_outputs({y});
  model.begin_graph();
  const auto own = model.tensor({TfType::kResource, {}});
  model.op("VAR_HANDLE", {}, {own}, named());
  model.op("ASSIGN_VARIABLE", {own, model.constant({1}, {7})}, {});
  EXPECT_THAT(run_floats(model, {test::float_tensor("t0", {1}, {1})}), ElementsAre(8));
  const auto result = imported(model.file(), {{"state", "tensors"}});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->description.inputs.size(), 1U);
  EXPECT_EQ(result->description.outputs.size(), 1U);
}

TEST(TfliteVariables, RefusesThoseThatNothingHasSet) {
  EXPECT_THAT(refusal(counter(false)), HasSubstr("reads a variable that nothing has set"));
}

TEST(TfliteVariables, RefusesThoseThatABranchSets) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1}});
  const auto condition = model.input({TfType::kBool, {}});
  const auto y = model.tensor({TfType::kFloat32, {1}});
  model.op("IF", {condition, x}, {y}, FlatTable().number(0, 1).number(1, 1));
  model.set_outputs({y});
  model.begin_graph();
  const auto inner = model.input({TfType::kFloat32, {1}});
  const auto own = model.tensor({TfType::kResource, {}});
  model.op("VAR_HANDLE", {}, {own}, named());
  model.op("ASSIGN_VARIABLE", {own, inner}, {});
  model.set_outputs({inner});
  EXPECT_THAT(refusal(model), HasSubstr("set inside IF or WHILE"));
}

TEST(TfliteVariables, RefusesTables) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {2}});
  const auto handle = model.tensor({TfType::kResource, {}});
  model.op("HASHTABLE", {}, {handle});
  model.set_outputs({x});
  EXPECT_THAT(refusal(model), HasSubstr("look-up tables of strings are not supported"));
}

}  // namespace
}  // namespace supernova::import::tflite
