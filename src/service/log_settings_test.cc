#include "service/log_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"

namespace supernova::service {
namespace {

using base::LogLevel;
using testing::HasSubstr;

class LogSettingsTest : public testing::Test {
 protected:
  ~LogSettingsTest() override {
    base::set_log_level(LogLevel::kInfo);
    base::set_log_format(base::LogFormat::kText);
  }
  static void expect_refused(const LogSettings& update, absl::StatusCode code,
                             const std::string& text) {
    const LogSettings before = current_log_settings();
    const base::Status status = apply_log_settings(update);
    EXPECT_EQ(status.code(), code);
    EXPECT_THAT(std::string(base::message(status)), HasSubstr(text));
    EXPECT_EQ(current_log_settings(), before);
  }
};

TEST_F(LogSettingsTest, AtTheStart) {
  EXPECT_EQ(current_log_settings(), (LogSettings{{"log_error", true},
                                                 {"log_file", std::string()},
                                                 {"log_format", std::string("ISO8601")},
                                                 {"log_info", true},
                                                 {"log_verbose_level", uint64_t{0}},
                                                 {"log_warning", true}}));
}

TEST_F(LogSettingsTest, ChangesTheLog) {
  ASSERT_TRUE(apply_log_settings({{"log_info", false},
                                  {"log_verbose_level", int64_t{3}},
                                  {"log_format", std::string("default")}})
                  .ok());
  EXPECT_FALSE(base::log_enabled(LogLevel::kInfo));
  EXPECT_TRUE(base::log_enabled(LogLevel::kWarning));
  EXPECT_TRUE(base::log_enabled(LogLevel::kDebug));
  EXPECT_EQ(base::log_format(), base::LogFormat::kClassic);
  const LogSettings now = current_log_settings();
  EXPECT_EQ(now.at("log_verbose_level"), tensor::Parameter(uint64_t{3}));
  EXPECT_EQ(now.at("log_format"), tensor::Parameter(std::string("default")));
  ASSERT_TRUE(apply_log_settings({{"log_verbose_level", uint64_t{0}}}).ok());
  EXPECT_FALSE(base::log_enabled(LogLevel::kDebug));
}

TEST_F(LogSettingsTest, AWrongValueChangesNothing) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  expect_refused({{"log_error", false}, {"log_warnings", false}}, kInvalid, "'log_warnings'");
  expect_refused({{"log_error", false}, {"log_info", std::string("true")}}, kInvalid, "'log_info'");
  expect_refused({{"log_verbose_level", int64_t{-1}}}, kInvalid, "'log_verbose_level'");
  expect_refused({{"log_verbose_level", uint64_t{1} << 40}}, kInvalid, "'log_verbose_level'");
  expect_refused({{"log_verbose_level", true}}, kInvalid, "'log_verbose_level'");
  expect_refused({{"log_format", std::string("xml")}}, kInvalid, "'log_format'");
  expect_refused({{"log_file", std::string("/etc/passwd")}}, absl::StatusCode::kUnimplemented,
                 "log file location");
  base::set_log_format(base::LogFormat::kJson);
  expect_refused({{"log_format", std::string("default")}}, kInvalid, "--log-format=json");
}

}  // namespace
}  // namespace supernova::service
