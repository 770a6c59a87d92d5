#include "conformance/suite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace supernova::conformance
