// Runs in place, batches, order, fairness and the cache, over an engine whose rows can be followed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <thread>

#include "schedule/response_cache.h"
#include "schedule/scheduler.h"
#include "schedule/worker_pool.h"
#include "support/manual_clock.h"
#include "support/row_engine.h"

namespace supernova::schedule {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using testing_support::ManualClock;
using testing_support::RowEngine;
using testing_support::rows_request;
using Response = base::Result<tensor::Response>;

// A run whose first value is this waits until the gate opens.
constexpr float kHeldUp = 1000;
constexpr float kFails = 2000;

class BatchingTest : public ::testing::Test {
 protected:
  BatchingTest() {
    options_.has_batch_dimension = true;
    options_.inline_limit = hours(1);
    options_.pool = &pool_;
    options_.clock = &clock_;
  }
  ~BatchingTest() override {
    open_gate();
    scheduler_.reset();
  }

  int32_t look(const std::vector<float>& x) {
    if (x[0] == kHeldUp) {
      held_up_.fetch_add(1);
      opened_.wait();
    }
    return std::find(x.begin(), x.end(), kFails) != x.end() ? SN_INVALID_ARGUMENT : SN_OK;
  }
  void open_gate() {
    if (!std::exchange(open_, true)) gate_.set_value();
  }
  Scheduler& scheduler() {
    if (!scheduler_) {
      std::vector<std::unique_ptr<engine::Session>> sessions;
      for (int i = 0; i < instances_; ++i) sessions.push_back(engine_.session());
      scheduler_ = std::make_unique<Scheduler>(std::move(sessions), options_);
    }
    return *scheduler_;
  }
  std::future<Response> send(tensor::Request request) {
    auto promise = std::make_shared<std::promise<Response>>();
    auto future = promise->get_future();
    scheduler().enqueue(std::move(request),
                        [promise](Response result) { promise->set_value(std::move(result)); });
    return future;
  }
  std::future<Response> send(int64_t rows, float value) { return send(rows_request(rows, value)); }
  // An instance is in a run from here to open_gate(); what is sent meanwhile waits together.
  std::future<Response> occupy() {
    const int before = held_up_;
    auto future = send(1, kHeldUp);
    while (held_up_ == before) std::this_thread::yield();
    return future;
  }
  static tensor::Request here(tensor::Request request) {
    request.may_run_here = true;
    return request;
  }
  // The first runs are on the pool; after them the model counts as cheap.
  void warm_up() {
    for (int i = 0; i < 16; ++i) ASSERT_TRUE(send(1, 0).get().ok());
    while (scheduler().figures().running > 0) std::this_thread::yield();
    ASSERT_TRUE(scheduler().figures().cheap);
  }
  static void expect_rows(std::future<Response>& future, int64_t rows, float value) {
    const Response result = future.get();
    ASSERT_TRUE(result.ok()) << result.status();
    const tensor::Tensor& y = result->outputs[0];
    EXPECT_THAT(y.shape, ElementsAre(rows, 2));
    std::vector<float> values(y.buffer.size() / sizeof(float));
    std::memcpy(values.data(), y.buffer.data(), y.buffer.size());
    EXPECT_EQ(values, std::vector<float>(static_cast<size_t>(rows) * 2, value * 2));
  }

  std::promise<void> gate_;
  std::shared_future<void> opened_ = gate_.get_future().share();
  bool open_ = false;
  std::atomic<int> held_up_{0};
  RowEngine engine_{[this](const std::vector<float>& x) { return look(x); }};
  ManualClock clock_;
  WorkerPool pool_{2};
  SchedulerOptions options_;
  int instances_ = 1;
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_F(BatchingTest, CheapRunsInPlaceHandNothingToAnotherThread) {
  warm_up();
  const uint64_t handed = pool_.submitted();
  for (int i = 0; i < 1000; ++i) {
    bool answered = false;
    scheduler().enqueue(here(rows_request(1, 1)),
                        [&answered, me = std::this_thread::get_id()](const Response& result) {
                          EXPECT_TRUE(result.ok());
                          EXPECT_EQ(std::this_thread::get_id(), me);
                          answered = true;
                        });
    ASSERT_TRUE(answered);
  }
  EXPECT_EQ(pool_.submitted(), handed);
  EXPECT_EQ(scheduler().figures().runs_here, 1000U);
}

TEST_F(BatchingTest, NothingRunsInPlaceBeforeItIsKnownToBeCheap) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(send(here(rows_request(1, 1))).get().ok());
  EXPECT_EQ(scheduler().figures().runs_here, 0U);
}

TEST_F(BatchingTest, NorWhereTheModelCostsTooMuch) {
  options_.inline_limit = microseconds(0);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(send(here(rows_request(1, 1))).get().ok());
  EXPECT_EQ(scheduler().figures().runs_here, 0U);
}

TEST_F(BatchingTest, NorWithinACompletion) {
  warm_up();
  std::promise<std::thread::id> inner;
  scheduler().enqueue(here(rows_request(1, 1)), [&](const Response&) {
    scheduler().enqueue(here(rows_request(1, 2)), [&](const Response& result) {
      EXPECT_TRUE(result.ok());
      inner.set_value(std::this_thread::get_id());
    });
  });
  EXPECT_NE(inner.get_future().get(), std::this_thread::get_id());
}

TEST_F(BatchingTest, NorWhileTheModelIsBusy) {
  warm_up();
  auto first = occupy();
  auto second = send(here(rows_request(1, 3)));
  EXPECT_EQ(scheduler().queued(), 1U);
  open_gate();
  expect_rows(second, 1, 3);
}

TEST_F(BatchingTest, WhoKeepsAnotherThreadFromRunningInPlaceRunsItsRequestToo) {
  warm_up();
  const uint64_t handed = pool_.submitted();
  std::thread::id busy;
  std::thread thread([&] {
    busy = std::this_thread::get_id();
    scheduler().enqueue(here(rows_request(1, kHeldUp)), [](const Response&) {});
  });
  while (held_up_ == 0) std::this_thread::yield();
  std::promise<std::thread::id> ran;
  scheduler().enqueue(here(rows_request(1, 3)),
                      [&](const Response&) { ran.set_value(std::this_thread::get_id()); });
  open_gate();
  const std::thread::id on = ran.get_future().get();
  thread.join();
  EXPECT_EQ(on, busy);
  EXPECT_EQ(pool_.submitted(), handed);
}

TEST_F(BatchingTest, WhatWaitsTogetherRunsTogether) {
  options_.batching.max_batch_size = 8;
  auto first = occupy();
  auto a = send(1, 1);
  auto b = send(3, 2);
  auto c = send(2, 3);
  auto d = send(4, 4);  // does not fit
  open_gate();
  expect_rows(a, 1, 1);
  expect_rows(c, 2, 3);
  expect_rows(d, 4, 4);
  const Response result = b.get();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->timing.batch_size, 6U);
  EXPECT_EQ(result->timing.items, 3U);
  EXPECT_FALSE(result->timing.first_of_batch);
  EXPECT_THAT(RowEngine::runs(), ElementsAre(1, 6, 4));
}

TEST_F(BatchingTest, OtherShapesRunByThemselves) {
  options_.batching.max_batch_size = 8;
  auto first = occupy();
  auto a = send(1, 1);
  tensor::Request other = rows_request(1, 2);
  other.parameters["p"] = true;
  auto b = send(std::move(other));
  auto c = send(1, 3);
  open_gate();
  expect_rows(a, 1, 1);
  expect_rows(b, 1, 2);
  expect_rows(c, 1, 3);
  EXPECT_THAT(RowEngine::runs(), ElementsAre(1, 2, 1));
}

TEST_F(BatchingTest, OneThatFailsDoesNotTakeTheOthersWithIt) {
  options_.batching.max_batch_size = 8;
  auto first = occupy();
  auto a = send(1, 1);
  auto bad = send(1, kFails);
  auto c = send(1, 3);
  open_gate();
  expect_rows(a, 1, 1);
  EXPECT_EQ(bad.get().status().code(), absl::StatusCode::kInvalidArgument);
  expect_rows(c, 1, 3);
  EXPECT_THAT(RowEngine::runs(), ElementsAre(1, 3, 1, 1, 1));
}

TEST_F(BatchingTest, OutputsWithoutRowsEndBatchingAndNobodyNotices) {
  options_.batching.max_batch_size = 8;
  auto first = occupy();
  auto a = send(1, 1);
  auto b = send(1, 2);
  RowEngine::drop_batch_dimension();
  open_gate();
  expect_rows(a, 1, 1);
  expect_rows(b, 1, 2);
  EXPECT_THAT(RowEngine::runs(), ElementsAre(1, 2, 1, 1));
}

TEST_F(BatchingTest, ADelayOnlyWhileAnotherInstanceRuns) {
  instances_ = 2;
  options_.batching.max_batch_size = 4;
  options_.batching.max_queue_delay = milliseconds(5);
  auto idle = send(1, 1);  // nothing runs: at once, and time stands still
  expect_rows(idle, 1, 1);
  while (scheduler().figures().running > 0) std::this_thread::yield();
  auto first = occupy();
  auto a = send(1, 2);
  auto b = send(1, 3);
  clock_.advance(milliseconds(4));
  auto c = send(1, 4);
  EXPECT_EQ(a.wait_for(milliseconds(0)), std::future_status::timeout);
  clock_.advance(milliseconds(1));
  expect_rows(a, 1, 2);
  expect_rows(b, 1, 3);
  expect_rows(c, 1, 4);
  EXPECT_THAT(RowEngine::runs(), ElementsAre(1, 1, 3));
}

TEST_F(BatchingTest, AFullBatchEndsTheDelay) {
  instances_ = 2;
  options_.batching.max_batch_size = 2;
  options_.batching.max_queue_delay = milliseconds(5);
  auto first = occupy();
  auto a = send(1, 2);
  auto b = send(1, 3);
  expect_rows(a, 1, 2);
  expect_rows(b, 1, 3);
}

TEST_F(BatchingTest, TimeoutsComeWhileTheModelIsBusy) {
  options_.queue_policy.default_timeout = milliseconds(5);
  auto first = occupy();
  auto second = send(1, 1);
  tensor::Request with_deadline = rows_request(1, 2);
  with_deadline.deadline = clock_.now() + milliseconds(3);
  auto third = send(std::move(with_deadline));
  clock_.advance(milliseconds(3));
  EXPECT_EQ(third.get().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(second.wait_for(milliseconds(0)), std::future_status::timeout);
  clock_.advance(milliseconds(2));
  EXPECT_EQ(second.get().status().code(), absl::StatusCode::kUnavailable);
  open_gate();
  EXPECT_TRUE(first.get().ok());
  EXPECT_THAT(RowEngine::runs(), ElementsAre(1));
}

TEST_F(BatchingTest, AnswersKeepTheOrderOfRequests) {
  instances_ = 2;
  options_.batching.max_batch_size = 2;
  options_.batching.preserve_ordering = true;
  auto first = occupy();
  std::vector<std::future<Response>> later;
  for (int i = 0; i < 4; ++i) later.push_back(send(1, static_cast<float>(i)));
  // They run on the other instance, and their answers wait for the first.
  while (RowEngine::runs().size() < 3 || scheduler().figures().running > 1) {
    std::this_thread::yield();
  }
  for (auto& future : later) {
    EXPECT_EQ(future.wait_for(milliseconds(0)), std::future_status::timeout);
  }
  open_gate();
  expect_rows(first, 1, kHeldUp);
  for (int i = 0; i < 4; ++i) {
    expect_rows(later[static_cast<size_t>(i)], 1, static_cast<float>(i));
  }
}

TEST_F(BatchingTest, ABusyModelLeavesTurnsToAnother) {
  WorkerPool one(1);
  options_.pool = &one;
  auto first = occupy();
  std::vector<std::string> order;
  std::vector<std::future<Response>> futures;
  Scheduler other(engine_.session(), options_);
  const auto add = [&](Scheduler& to, const char* name) {
    auto promise = std::make_shared<std::promise<Response>>();
    futures.push_back(promise->get_future());
    to.enqueue(rows_request(1, 1), [promise, name, &order](Response result) {
      order.emplace_back(name);  // there is one thread
      promise->set_value(std::move(result));
    });
  };
  for (int i = 0; i < 4; ++i) add(scheduler(), "busy");
  for (int i = 0; i < 2; ++i) add(other, "other");
  open_gate();
  for (auto& future : futures) EXPECT_TRUE(future.get().ok());
  EXPECT_EQ(order[0], "other");
  EXPECT_EQ(order[2], "other");
  scheduler_.reset();
}

TEST_F(BatchingTest, InstancesRunAtTheSameTime) {
  instances_ = 2;
  options_.concurrency = 2;
  std::vector<std::future<Response>> futures;
  futures.push_back(occupy());
  auto second = send(1, 5);
  expect_rows(second, 1, 5);
}

TEST_F(BatchingTest, OverloadIsRefusedAtOnce) {
  options_.max_queue_size = 3;
  auto first = occupy();
  std::vector<std::future<Response>> futures;
  for (int i = 0; i < 100; ++i) futures.push_back(send(1, 1));
  int refused = 0;
  for (size_t i = 3; i < futures.size(); ++i) {
    ASSERT_EQ(futures[i].wait_for(milliseconds(0)), std::future_status::ready);
    if (futures[i].get().status().code() == absl::StatusCode::kUnavailable) ++refused;
  }
  EXPECT_EQ(refused, 97);
  open_gate();
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(futures[i].get().ok());
}

TEST_F(BatchingTest, ADrainJoinsWhatAThreadBrought) {
  options_.batching.max_batch_size = 8;
  warm_up();
  const uint64_t handed = pool_.submitted();
  std::vector<std::future<Response>> futures;
  {
    DrainScope scope;
    for (int i = 0; i < 5; ++i) futures.push_back(send(here(rows_request(1, 1))));
    EXPECT_EQ(scheduler().queued(), 5U);
    scope.drain();
    EXPECT_EQ(scheduler().queued(), 0U);
    for (int i = 0; i < 2; ++i) futures.push_back(send(here(rows_request(1, 1))));
  }
  for (auto& future : futures) expect_rows(future, 1, 1);
  EXPECT_EQ(pool_.submitted(), handed);
  EXPECT_EQ(scheduler().figures().batches, 2U);
  EXPECT_EQ(scheduler().figures().runs_here, 2U);
}

TEST_F(BatchingTest, ADrainHandsWhatIsNotCheapToThePool) {
  options_.batching.max_batch_size = 8;
  std::vector<std::future<Response>> futures;
  {
    DrainScope scope;
    for (int i = 0; i < 5; ++i) futures.push_back(send(here(rows_request(1, 1))));
  }
  for (auto& future : futures) expect_rows(future, 1, 1);
  EXPECT_THAT(RowEngine::runs(), ElementsAre(5));
  EXPECT_EQ(pool_.submitted(), 1U);
}

TEST_F(BatchingTest, ARefusedRequestAsksForNoTurn) {
  options_.batching.max_batch_size = 8;
  options_.max_queue_size = 2;
  std::vector<std::future<Response>> held;
  {
    DrainScope scope;
    for (int i = 0; i < 2; ++i) held.push_back(send(here(rows_request(1, 1))));
    EXPECT_EQ(send(1, 1).get().status().code(), absl::StatusCode::kUnavailable);
  }
  for (auto& future : held) expect_rows(future, 1, 1);
}

TEST_F(BatchingTest, TheCacheAnswersWithoutARun) {
  options_.cache = std::make_shared<ResponseCache>(1 << 20);
  auto miss = send(2, 7).get();
  ASSERT_TRUE(miss.ok());
  EXPECT_EQ(miss->timing.cache, tensor::Timing::Cache::kMiss);
  auto hit = send(2, 7).get();
  ASSERT_TRUE(hit.ok());
  EXPECT_EQ(hit->timing.cache, tensor::Timing::Cache::kHit);
  EXPECT_EQ(hit->timing.batch_size, 0U);
  EXPECT_FALSE(hit->timing.first_of_batch);
  EXPECT_EQ(hit->outputs[0].buffer.view(), miss->outputs[0].buffer.view());
  EXPECT_EQ(RowEngine::runs().size(), 1U);
  EXPECT_EQ(send(2, kFails).get().status().code(), absl::StatusCode::kInvalidArgument);
  const ResponseCache::Figures figures = options_.cache->figures();
  EXPECT_EQ(figures.entries, 1U);
  EXPECT_EQ(figures.hits, 1U);
  EXPECT_EQ(figures.misses, 2U);
  EXPECT_EQ(figures.max_bytes, 1U << 20);
  EXPECT_GE(figures.lookups, miss->timing.cache_time - figures.insertions);
  EXPECT_LE(figures.insertions, miss->timing.cache_time);
  scheduler_.reset();
  EXPECT_EQ(options_.cache->figures().entries, 0U);
}

TEST_F(BatchingTest, TheLastOwnerMayLetGoOnAThreadOfThePool) {
  auto first = occupy();
  std::promise<void> gone;
  scheduler().enqueue(rows_request(1, 1), [&](const Response&) {
    scheduler_.reset();
    gone.set_value();
  });
  auto third = send(1, 3);
  open_gate();
  gone.get_future().wait();
  expect_rows(third, 1, 3);
}

TEST_F(BatchingTest, ManyThreadsUnderLoad) {
  open_gate();
  instances_ = 2;
  options_.clock = nullptr;
  options_.batching.max_batch_size = 8;
  options_.batching.preferred_sizes = {4};
  options_.batching.max_queue_delay = microseconds(50);
  options_.batching.preserve_ordering = true;
  options_.priority_levels = 2;
  options_.default_priority = 1;
  options_.max_queue_size = 100000;
  scheduler();
  std::atomic<int> good{0};
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      DrainScope scope;
      for (int i = 0; i < 500; ++i) {
        const float value = t == 1 && i == 7 ? kFails : static_cast<float>(t * 500 + i);
        tensor::Request request = rows_request(1 + i % 3, value);
        request.may_run_here = t % 2 == 0;
        request.parameters["priority"] = uint64_t{static_cast<uint64_t>(i % 2) + 1};
        request.deadline = std::chrono::steady_clock::now() + hours(1);
        scheduler_->enqueue(std::move(request), [&, value](const Response& result) {
          float y = 0;
          if (result.ok()) std::memcpy(&y, result->outputs[0].buffer.data(), sizeof(y));
          if (y == value * 2) ++good;
          ++answered;
        });
        if (i % 10 == 9) scope.drain();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  scheduler_->stop();
  EXPECT_EQ(answered, 2000);
  EXPECT_EQ(good, 1999);  // that one whose value is kFails
}

}  // namespace
}  // namespace supernova::schedule
