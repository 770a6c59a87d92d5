#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

FlatTable named() { return FlatTable().text(0, "").text(1, "counter"); }

TfModel reader(bool assigned_at_start) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {2}});
  const auto handle = model.tensor({TfType::kResource, {}});
  const auto value = model.tensor({TfType::kFloat32, {2}});
  const auto y = model.tensor({TfType::kFloat32, {2}});
  if (assigned_at_start) model.op("CALL_ONCE", {}, {}, FlatTable().number(0, 1));
  model.op("VAR_HANDLE", {}, {handle}, named());
  if (!assigned_at_start) model.op("ASSIGN_VARIABLE", {handle, x}, {});
  model.op("READ_VARIABLE", {handle}, {value});
  model.op("ADD", {x, value}, {y});
  model.set_outputs({y});
  model.begin_graph();
  const auto own = model.tensor({TfType::kResource, {}});
  model.op("VAR_HANDLE", {}, {own}, named());
  model.op("ASSIGN_VARIABLE", {own, model.constant({2}, {10, 20})}, {});
  return model;
}

TEST(TfliteVariables, SetWhenTheModelStarts) {
  EXPECT_THAT(run_floats(reader(true), {test::float_tensor("t0", {2}, {1, 2})}),
              ElementsAre(11, 22));
}

TEST(TfliteVariables, RefusesStateBetweenRequests) {
  EXPECT_THAT(refusal(reader(false)), HasSubstr("state between requests"));
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
