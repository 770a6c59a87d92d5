#include "conformance/suite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/models.h"
#include "conformance/operator_cases.h"
#include "conformance/report.h"
#include "engine/catalogue.h"

namespace supernova::conformance {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class SuiteTest : public ::testing::Test {
 protected:
  SuiteTest() {
    engine::register_builtin_engines(catalogue_);
    auto found = catalogue_.find("onnxruntime");
    if (found.ok()) options_.subject.engine = options_.reference.engine = *found;
  }
  Report report() {
    Report made;
    made.engine = "onnxruntime";
    made.isolation = "in-process";
    made.device.id = "cpu";
    made.results = run_suite(options_);
    return made;
  }
  engine::Catalogue catalogue_;
  SuiteOptions options_;
};

TEST_F(SuiteTest, TheCpuRuntimePassesAllButWhatItHasNoKernelFor) {
  ASSERT_NE(options_.subject.engine, nullptr);
  options_.reloads = 8;
  const Report made = report();
  EXPECT_TRUE(made.ok()) << to_text(made);
  EXPECT_GT(made.count(Outcome::kPassed), 120U);
  for (const CaseResult& result : made.results) {
    if (result.outcome == Outcome::kPassed || result.group == "memory") continue;
    EXPECT_EQ(result.group, "data types") << result.name << ": " << result.detail;
  }
}

TEST_F(SuiteTest, OnlyWhatIsWanted) {
  options_.filter = "operators/Conv 3x3";
  const Report made = report();
  EXPECT_EQ(made.results.size(), 4U) << to_text(made);
}

TEST_F(SuiteTest, WrongNumbersFail) {
  Array numbers{{2}, {1, 2}};
  EXPECT_EQ(difference(numbers, numbers), 0);
  EXPECT_NEAR(difference({{2}, {1, 2.5}}, numbers), 0.25, 1e-12);
  EXPECT_FALSE(difference({{1, 2}, {1, 2}}, numbers) <= 1);
  EXPECT_FALSE(difference({{2}, {1, std::nan("")}}, numbers) <= 1);
}

TEST_F(SuiteTest, ReportsNameWhatDidNotPass) {
  Report made;
  made.engine = "example";
  made.device.id = "npu:0";
  made.results = {{"operators", "Conv", Outcome::kPassed, "", 0.001},
                  {"operators", "LSTM", Outcome::kFellBack, "LSTM on CPU (1 of 1 nodes)", 0},
                  {"data types", "Add INT64", Outcome::kFailed, "differs by 3", 3}};
  EXPECT_FALSE(made.ok());
  EXPECT_THAT(to_text(made), HasSubstr("data types: Add INT64: differs by 3"));
  EXPECT_THAT(to_text(made), HasSubstr("LSTM on CPU (1 of 1 nodes)"));
  EXPECT_THAT(to_text(made), Not(HasSubstr("operators: Conv")));
  EXPECT_THAT(to_json(made), HasSubstr(R"("counts":{"passed":1,"fell back":1,"refused":0)"));
}

TEST_F(SuiteTest, AnEngineThatRunsNothingDoesNotPass) {
  Report made;
  for (const char* name : {"a", "b", "c", "d"}) {
    made.results.push_back({"operators", name, Outcome::kRefused, "its library is missing", 0});
  }
  CaseResult refusal{"use", "a file that is no model is refused", Outcome::kPassed, "", 0};
  refusal.proves_a_run = false;
  made.results.push_back(refusal);
  EXPECT_FALSE(made.ok());
  EXPECT_EQ(made.first(Outcome::kRefused), "its library is missing");
  EXPECT_THAT(to_text(made), HasSubstr("refused:\n  all 4: its library is missing\n"));
  made.results.push_back({"operators", "e", Outcome::kPassed, "", 0});
  EXPECT_TRUE(made.ok());
}

TEST_F(SuiteTest, LoopsMoveRowsOn) {
  Array x{{1, kLoopWidth}, std::vector<double>(static_cast<size_t>(kLoopWidth), 0.0)};
  x.values[0] = 2;
  x.values[1] = 7;
  EXPECT_EQ(loop_result(x).values[3], 7);
  x.values[0] = static_cast<double>(kLoopWidth);  // all the way round, and one more
  EXPECT_EQ(loop_result(x).values[2], 7);
}

TEST_F(SuiteTest, RunsEndEarlyWhenTheyAreCancelled) {
  options_.filter = "cancel/";
  const Report made = report();
  EXPECT_EQ(made.count(Outcome::kPassed), 2U) << to_text(made);
  EXPECT_EQ(made.results.size(), 2U);
}

TEST_F(SuiteTest, ReportsNameTheDelegateAndWhatItTook) {
  Report made;
  made.engine = "example";
  made.device.id = "cpu";
  made.delegate = "libdelegate.so";
  made.results = {{"operators", "ADD", Outcome::kPassed, "", 0, {{"ADD", {1, 0}}}},
                  {"operators", "MUL", Outcome::kFellBack, "MUL", 0, {{"MUL", {0, 1}}}},
                  {"accuracy", "net", Outcome::kFellBack, "MUL", 0, {{"ADD", {2, 1}}}}};
  EXPECT_THAT(to_text(made), HasSubstr("through the delegate libdelegate.so"));
  EXPECT_THAT(to_text(made), HasSubstr("libdelegate.so took:\n  ADD 3 of 4\n"));
  EXPECT_THAT(to_json(made), HasSubstr(R"("delegate":{"library":"libdelegate.so","operators":[)"
                                       R"({"operator":"ADD","taken":3,"left":1},)"
                                       R"({"operator":"MUL","taken":0,"left":1}]})"));
  made.delegate.clear();
  EXPECT_THAT(to_json(made), Not(HasSubstr("delegate")));
}

}  // namespace
}  // namespace supernova::conformance
