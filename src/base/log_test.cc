#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>
#include <vector>

namespace supernova::base {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

// Lines go to a file of the test.
class LogTest : public testing::Test {
 protected:
  LogTest() : path_(testing::TempDir() + "log_test_" + std::to_string(getpid())) {
    std::filesystem::remove(path_);
    EXPECT_TRUE(set_log_file(path_).ok());
  }
  ~LogTest() override {
    EXPECT_TRUE(set_log_file("").ok());
    set_log_level(LogLevel::kInfo);
    set_log_format(LogFormat::kText);
    std::filesystem::remove(path_);
  }
  std::string text() const {
    std::ifstream file(path_);
    std::ostringstream content;
    content << file.rdbuf();
    return content.str();
  }
  std::string path_;
};

TEST_F(LogTest, TextLines) {
  EXPECT_EQ(log_file(), path_);
  log(LogLevel::kWarning, "half\nlost",
      {{"model", "a b"},
       {"version", int64_t{3}},
       {"engine", "onnx"},
       {"share", 0.5},
       {"ok", true},
       {"empty", ""}});
  EXPECT_THAT(text(),
              MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}[+-][0-9:]{5} warning "
                           "half\\\\x0alost model=\"a b\" version=3 engine=onnx share=0.5 ok=true "
                           "empty=\"\"\n"));
}

TEST_F(LogTest, ClassicLines) {
  set_log_format(LogFormat::kClassic);
  SN_LOG(Error, "no {}", 7);
  EXPECT_THAT(text(), MatchesRegex("E[0-9]{4} [0-9:]{8}\\.[0-9]{6} [0-9]+\\] no 7\n"));
}

TEST_F(LogTest, JsonLines) {
  set_log_format(LogFormat::kJson);
  log(LogLevel::kInfo, "say \"hi\"\n\xff",
      {{"model", "a\"b"}, {"ms", int64_t{-3}}, {"nan", std::numeric_limits<double>::quiet_NaN()}});
  EXPECT_THAT(text(),
              MatchesRegex("\\{\"time\":\"[0-9-]{10}T[0-9:]{8}\\.[0-9]{3}Z\",\"level\":\"info\","
                           "\"message\":\"say \\\\\"hi\\\\\"\\\\u000a\xEF\xBF\xBD\",\"model\":"
                           "\"a\\\\\"b\",\"ms\":-3,\"nan\":null\\}\n"));
}

TEST_F(LogTest, LevelsChangeAtRunTime) {
  SN_LOG(Debug, "debug 1");
  set_log_level(LogLevel::kDebug);
  SN_LOG(Debug, "debug 2");
  set_log_level(LogLevel::kError);
  SN_LOG(Warning, "warning 1");
  EXPECT_EQ(log_level(), LogLevel::kError);
  set_log_enabled(LogLevel::kInfo, true);
  SN_LOG(Info, "info 1");
  SN_LOG(Warning, "warning 2");
  EXPECT_EQ(log_level(), LogLevel::kInfo);
  set_log_level(LogLevel::kOff);
  SN_LOG(Error, "error 1");
  EXPECT_EQ(log_level(), LogLevel::kOff);
  const std::string all = text();
  EXPECT_THAT(all, HasSubstr("debug 2"));
  EXPECT_THAT(all, HasSubstr("info 1"));
  for (const char* silent : {"debug 1", "warning 1", "warning 2", "error 1"}) {
    EXPECT_EQ(all.find(silent), std::string::npos) << silent;
  }
}

TEST_F(LogTest, AFileThatCannotBeOpenedChangesNothing) {
  const Status status = set_log_file(path_ + "/none/log");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(message(status)), HasSubstr(path_ + "/none/log"));
  SN_LOG(Info, "still here");
  EXPECT_THAT(text(), HasSubstr("still here"));
}

TEST_F(LogTest, LinesOfSeveralThreadsStayWhole) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([i] {
      for (int n = 0; n < 200; ++n) {
        if (n % 50 == 0) set_log_format(i % 2 == 0 ? LogFormat::kJson : LogFormat::kText);
        SN_LOG(Info, "thread {} line {} end", i, n);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::istringstream lines(text());
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_TRUE(line.ends_with(" end") || line.ends_with(" end\"}")) << line;
  }
  EXPECT_EQ(count, 800);
}

}  // namespace
}  // namespace supernova::base
