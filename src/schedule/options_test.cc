#include "schedule/options.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "model_config.pb.h"
#include "schedule/response_cache.h"

namespace supernova::schedule {
namespace {

using std::chrono::microseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

SchedulerOptions options_of(const char* text, SchedulerOptions defaults = {}) {
  inference::ModelConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return scheduler_options(config, std::move(defaults));
}

TEST(SchedulerOptionsTest, AnEmptyConfigurationLeavesTheDefaults) {
  SchedulerOptions defaults;
  defaults.max_queue_size = 7;
  defaults.concurrency = 3;
  const SchedulerOptions options = options_of("", defaults);
  EXPECT_EQ(options.max_queue_size, 7U);
  EXPECT_EQ(options.concurrency, 3U);
  EXPECT_EQ(options.batching.max_batch_size, 1U);
  EXPECT_FALSE(options.has_batch_dimension);
}

TEST(SchedulerOptionsTest, ABatchDimensionAloneDoesNotBatch) {
  const SchedulerOptions options = options_of("max_batch_size: 8");
  EXPECT_TRUE(options.has_batch_dimension);
  EXPECT_EQ(options.batching.max_batch_size, 1U);
}

TEST(SchedulerOptionsTest, EverythingOfDynamicBatching) {
  const SchedulerOptions options = options_of(R"(
      max_batch_size: 8
      instance_group { count: 2 } instance_group {}
      dynamic_batching {
        preferred_batch_size: [ 6, 2, 99 ]
        max_queue_delay_microseconds: 500
        preserve_ordering: true
        priority_levels: 3 default_priority_level: 2
        default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 10
                               allow_timeout_override: true max_queue_size: 4 }
        priority_queue_policy { key: 3 value { default_timeout_microseconds: 18446744073709551615 } }
      })");
  EXPECT_EQ(options.concurrency, 3U);
  EXPECT_EQ(options.batching.max_batch_size, 8U);
  EXPECT_THAT(options.batching.preferred_sizes, ElementsAre(2, 6));
  EXPECT_EQ(options.batching.max_queue_delay, microseconds(500));
  EXPECT_TRUE(options.batching.preserve_ordering);
  EXPECT_EQ(options.priority_levels, 3U);
  EXPECT_EQ(options.default_priority, 2U);
  EXPECT_EQ(options.queue_policy.action, QueuePolicy::Action::kDelay);
  EXPECT_EQ(options.queue_policy.default_timeout, microseconds(10));
  EXPECT_TRUE(options.queue_policy.allow_timeout_override);
  EXPECT_EQ(options.queue_policy.max_queue_size, 4U);
  EXPECT_GT(options.level_policies.at(3).default_timeout.count(), 0);
}

TEST(SchedulerOptionsTest, TheCacheIsForThoseThatAskForIt) {
  SchedulerOptions defaults;
  defaults.cache = std::make_shared<ResponseCache>(1 << 20);
  EXPECT_EQ(options_of("", defaults).cache, nullptr);
  EXPECT_NE(options_of("response_cache { enable: true }", defaults).cache, nullptr);
  EXPECT_EQ(options_of("response_cache { enable: true } "
                       "model_transaction_policy { decoupled: true }",
                       defaults)
                .cache,
            nullptr);
}

}  // namespace
}  // namespace supernova::schedule
