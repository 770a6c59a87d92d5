#include "schedule/request_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supernova::schedule {
namespace {

using std::chrono::microseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Clock::Point kStart{std::chrono::hours(1)};

class RequestQueueTest : public ::testing::Test {
 protected:
  base::Status push(const std::string& id, tensor::Parameters parameters = {},
                    Clock::Point queued = kStart) {
    Items one;
    Item& item = one.emplace_back();
    item.request.model_name = "m";
    item.request.id = id;
    item.request.parameters = std::move(parameters);
    item.queued = queued;
    return queue().push(one);
  }
  RequestQueue& queue() {
    if (!queue_) queue_.emplace(options_);
    return *queue_;
  }
  // The id of whoever runs next, "" = nobody.
  std::string next(Clock::Point now = kStart) {
    const BatchAction action = queue().next(options_.batching, false, now, dead_);
    const Items items = queue().take(action);
    return items.empty() ? "" : items.front().request.id;
  }
  std::vector<std::string> order(Clock::Point now = kStart) {
    std::vector<std::string> ids;
    for (std::string id = next(now); !id.empty(); id = next(now)) ids.push_back(id);
    return ids;
  }

  SchedulerOptions options_;
  std::optional<RequestQueue> queue_;
  Items dead_;
};

tensor::Parameters priority(uint64_t level) { return {{"priority", level}}; }

TEST_F(RequestQueueTest, LevelsComeInTheirOrder) {
  options_.priority_levels = 3;
  options_.default_priority = 2;
  ASSERT_TRUE(push("low", priority(3)).ok());
  ASSERT_TRUE(push("standard").ok());
  ASSERT_TRUE(push("high", {{"priority", int64_t{1}}}).ok());
  ASSERT_TRUE(push("beyond", priority(99)).ok());
  ASSERT_TRUE(push("high2", priority(1)).ok());
  EXPECT_THAT(order(), ElementsAre("high", "high2", "standard", "beyond", "low"));
}

TEST_F(RequestQueueTest, WithoutLevelsPriorityIsNothing) {
  ASSERT_TRUE(push("a", priority(9)).ok());
  ASSERT_TRUE(push("b", priority(1)).ok());
  EXPECT_THAT(order(), ElementsAre("a", "b"));
}

TEST_F(RequestQueueTest, FullAsAWholeAndByLevel) {
  options_.priority_levels = 2;
  options_.default_priority = 1;
  options_.max_queue_size = 3;
  options_.level_policies[2].max_queue_size = 1;
  ASSERT_TRUE(push("a", priority(2)).ok());
  const base::Status level_full = push("b", priority(2));
  EXPECT_EQ(level_full.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(base::message(level_full)), HasSubstr("maximum queue size of 1"));
  ASSERT_TRUE(push("c").ok());
  ASSERT_TRUE(push("d").ok());
  EXPECT_THAT(std::string(base::message(push("e"))), HasSubstr("maximum queue size of 3"));
  EXPECT_EQ(queue().size(), 3U);
}

TEST_F(RequestQueueTest, TimeInTheQueueRejects) {
  options_.queue_policy.default_timeout = microseconds(100);
  ASSERT_TRUE(push("old").ok());
  ASSERT_TRUE(push("new", {}, kStart + microseconds(50)).ok());
  EXPECT_EQ(queue().earliest(), kStart + microseconds(100));
  EXPECT_THAT(order(kStart + microseconds(100)), ElementsAre("new"));
  ASSERT_EQ(dead_.size(), 1U);
  EXPECT_EQ(death_of(dead_.front(), kStart).code(), absl::StatusCode::kUnavailable);
}

TEST_F(RequestQueueTest, TimeInTheQueueDelays) {
  options_.queue_policy.default_timeout = microseconds(100);
  options_.queue_policy.action = QueuePolicy::Action::kDelay;
  options_.priority_levels = 2;
  options_.default_priority = 1;
  ASSERT_TRUE(push("old").ok());
  ASSERT_TRUE(push("new", {}, kStart + microseconds(50)).ok());
  ASSERT_TRUE(push("low", priority(2), kStart + microseconds(50)).ok());
  EXPECT_THAT(order(kStart + microseconds(120)), ElementsAre("new", "old", "low"));
  EXPECT_TRUE(dead_.empty());
}

TEST_F(RequestQueueTest, ARequestMayShortenItsTimeWhereAllowed) {
  options_.queue_policy.default_timeout = microseconds(100);
  ASSERT_TRUE(push("not allowed", {{"timeout", int64_t{10}}}).ok());
  EXPECT_EQ(queue().earliest(), kStart + microseconds(100));
  queue_.reset();
  options_.queue_policy.allow_timeout_override = true;
  ASSERT_TRUE(push("shorter", {{"timeout", int64_t{10}}}).ok());
  EXPECT_EQ(queue().earliest(), kStart + microseconds(10));
  queue_.reset();
  ASSERT_TRUE(push("longer", {{"timeout", uint64_t{1000}}}).ok());
  EXPECT_EQ(queue().earliest(), kStart + microseconds(100));
  queue_.reset();
  options_.queue_policy.default_timeout = microseconds(0);
  ASSERT_TRUE(push("huge", {{"timeout", ~uint64_t{0}}}).ok());
  EXPECT_GT(queue().earliest(), kStart);
}

TEST_F(RequestQueueTest, WhatWasTakenGoesBackToItsPlace) {
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(push(id).ok());
  options_.batching.max_batch_size = 2;
  const BatchAction action = queue().next(options_.batching, false, kStart, dead_);
  Items items = queue().take(action);
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(queue().size(), 1U);
  queue().push_again(items);
  options_.batching.max_batch_size = 1;
  EXPECT_THAT(order(), ElementsAre("a", "b", "c"));
}

}  // namespace
}  // namespace supernova::schedule
