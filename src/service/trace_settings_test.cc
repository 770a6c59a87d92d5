#include "service/trace_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supernova::service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TraceSampler sampler(const std::vector<std::string>& level = {"TIMESTAMPS"},
                     const std::string& rate = "1") {
  auto made = TraceSampler::create({level, rate, "-1", "0", "trace.json", "triton"});
  EXPECT_TRUE(made.ok()) << made.status();
  return *std::move(made);
}

TraceUpdate with_level(std::vector<std::string> level) {
  TraceUpdate update;
  update.level = level;
  return update;
}

void expect_refused(TraceSampler& sampler, const TraceUpdate& update, const std::string& text) {
  const TraceSettings before = sampler.settings("");
  const base::Status status = sampler.update("", update);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(base::message(status)), HasSubstr(text));
  EXPECT_EQ(sampler.settings("").rate, before.rate);
  EXPECT_EQ(sampler.settings("").level, before.level);
}

TEST(TraceSampler, GlobalChangesReachModelsThatDoNotSayOtherwise) {
  TraceSampler traced = sampler();
  ASSERT_TRUE(traced.update("m", with_level({"TENSORS"})).ok());
  TraceUpdate global;
  global.level = std::vector<std::string>{"TIMESTAMPS", "TENSORS"};
  global.rate = "7";
  ASSERT_TRUE(traced.update("", global).ok());
  EXPECT_THAT(traced.settings("m").level, ElementsAre("TENSORS"));
  EXPECT_EQ(traced.settings("m").rate, "7");
  EXPECT_THAT(traced.settings("other").level, ElementsAre("TIMESTAMPS", "TENSORS"));
  EXPECT_EQ(traced.settings("m").file, "trace.json");
  EXPECT_EQ(traced.settings("m").mode, "triton");
}

TEST(TraceSampler, NullFallsBack) {
  TraceSampler traced = sampler({"OFF"}, "1000");
  TraceUpdate update = with_level({"TIMESTAMPS"});
  update.rate = "5";
  update.count = "10";
  update.log_frequency = "3";
  ASSERT_TRUE(traced.update("", update).ok());
  ASSERT_TRUE(traced.update("m", with_level({"OFF"})).ok());
  TraceUpdate clear;
  clear.level.emplace(std::nullopt);
  ASSERT_TRUE(traced.update("m", clear).ok());
  EXPECT_THAT(traced.settings("m").level, ElementsAre("TIMESTAMPS"));
  clear.rate.emplace(std::nullopt);
  clear.count.emplace(std::nullopt);
  clear.log_frequency.emplace(std::nullopt);
  ASSERT_TRUE(traced.update("", clear).ok());
  const TraceSettings now = traced.settings("");
  EXPECT_THAT(now.level, ElementsAre("OFF"));
  EXPECT_EQ(now.rate, "1000");
  EXPECT_EQ(now.count, "-1");
  EXPECT_EQ(now.log_frequency, "0");
  EXPECT_FALSE(traced.active());
}

TEST(TraceSampler, AWrongValueChangesNothing) {
  TraceSampler traced = sampler();
  expect_refused(traced, with_level({"OFF", "TENSORS"}),
                 "Expect only one trace level 'OFF' is specified");
  expect_refused(traced, with_level({"MAX"}), "unknown trace level 'MAX'");
  expect_refused(traced, with_level({}), "'trace_level' is empty");
  TraceUpdate update = with_level({"TENSORS"});
  update.rate = "often";
  expect_refused(traced, update, "unable to parse 'trace_rate', got: 'often'");
  update.rate = "99999999999999999999";
  expect_refused(traced, update, "trace_rate");
  update.rate = "-1";
  expect_refused(traced, update, "trace_rate");
  update.rate.reset();
  update.count = "-2";
  expect_refused(traced, update, "trace_count");
  update.count = "";
  expect_refused(traced, update, "trace_count");
  update.count.reset();
  update.log_frequency = "1.5";
  expect_refused(traced, update, "log_frequency");
}

TEST(TraceSampler, ChoosesOneInRateAndNoMoreThanCount) {
  TraceSampler traced = sampler({"TIMESTAMPS"}, "3");
  TraceUpdate update;
  update.count = "2";
  ASSERT_TRUE(traced.update("", update).ok());
  std::vector<int> chosen;
  std::vector<bool> last;
  for (int i = 1; i <= 12; ++i) {
    if (const auto choice = traced.choose("m", false)) {
      chosen.push_back(i);
      last.push_back(choice->last);
    }
  }
  EXPECT_THAT(chosen, ElementsAre(3, 6));
  EXPECT_THAT(last, ElementsAre(false, true));
  EXPECT_EQ(traced.settings("").count, "0");
  EXPECT_TRUE(traced.choose("m", true).has_value());
  update.count = "1";
  ASSERT_TRUE(traced.update("", update).ok());
  for (int i = 0; i < 3; ++i) traced.choose("m", false);
  EXPECT_EQ(traced.settings("").count, "0");
}

TEST(TraceSampler, ModelsOfTheirOwnCountByThemselves) {
  TraceSampler traced = sampler({"OFF"}, "2");
  ASSERT_TRUE(traced.update("m", with_level({"TIMESTAMPS"})).ok());
  EXPECT_TRUE(traced.active());
  EXPECT_FALSE(traced.choose("other", false).has_value());
  EXPECT_FALSE(traced.choose("other", true).has_value());
  EXPECT_FALSE(traced.choose("m", false).has_value());
  EXPECT_TRUE(traced.choose("m", false).has_value());
}

TEST(TraceSampler, RateZeroTracesWhatIsDemandedOnly) {
  TraceSampler traced = sampler({"TIMESTAMPS"}, "0");
  EXPECT_FALSE(traced.choose("m", false).has_value());
  EXPECT_TRUE(traced.choose("m", true).has_value());
}

TEST(TraceConfig, ReadsTritonsSyntax) {
  const auto config =
      parse_trace_config({"triton,file=/tmp/trace.json", "triton,log-frequency=50", "rate=100",
                          "level=TIMESTAMPS", "level=TENSORS", "count=7"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->settings.level, ElementsAre("TIMESTAMPS", "TENSORS"));
  EXPECT_EQ(config->settings.file, "/tmp/trace.json");
  EXPECT_EQ(config->settings.log_frequency, "50");
  EXPECT_EQ(config->settings.rate, "100");
  EXPECT_EQ(config->settings.count, "7");
  EXPECT_EQ(config->settings.mode, "triton");
  EXPECT_THAT(parse_trace_config({})->settings.level, ElementsAre("OFF"));
}

TEST(TraceConfig, ReadsOpenTelemetry) {
  const auto config =
      parse_trace_config({"mode=opentelemetry", "opentelemetry,url=collector:4318/v1/traces",
                          "opentelemetry,resource=service.name=shop=1", "level=TIMESTAMPS,rate=1"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->settings.mode, "opentelemetry");
  EXPECT_EQ(config->url, "collector:4318/v1/traces");
  EXPECT_EQ(config->resource.at("service.name"), "shop=1");
  EXPECT_EQ(config->settings.rate, "1");
}

TEST(TraceConfig, NamesWhatIsWrong) {
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"level=TIMESTAMPS"}, "triton,file=PATH"},
      {{"mode=zipkin"}, "modes are"},
      {{"colour=red"}, "unknown setting 'colour'"},
      {{"triton,url=x"}, "unknown setting 'url'"},
      {{"opentelemetry,file=x"}, "unknown setting 'file'"},
      {{"rate"}, "'rate' is no SETTING=VALUE"},
      {{"rate=x"}, "trace_rate"},
      {{"opentelemetry,resource=x"}, "KEY=VALUE"},
  };
  for (const auto& [arguments, text] : cases) {
    const auto config = parse_trace_config(arguments);
    EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument) << arguments[0];
    EXPECT_THAT(std::string(base::message(config.status())), HasSubstr(text));
  }
}

}  // namespace
}  // namespace supernova::service
