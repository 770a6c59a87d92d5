#include "model/statistics.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/process_usage.h"
#include "base/sanitized.h"

namespace supernova::model {
namespace {

using std::chrono::microseconds;

tensor::Timing timing(uint32_t batch_size = 1) {
  tensor::Timing timing;
  timing.queued = tensor::Timing::Point(microseconds(1000));
  timing.started = timing.queued + microseconds(10);
  timing.compute_start = timing.started + microseconds(20);
  timing.compute_end = timing.compute_start + microseconds(300);
  timing.finished = timing.compute_end + microseconds(40);
  timing.batch_size = batch_size;
  return timing;
}

TEST(Statistics, ARunOfManyRequestsIsOneExecution) {
  Statistics statistics;
  for (uint32_t i = 0; i < 3; ++i) {
    tensor::Timing each = timing(6);
    each.items = i + 1;
    each.first_of_batch = i == 0;
    statistics.record_success(each, microseconds(400));
  }
  const StatisticsSnapshot shot = statistics.snapshot();
  EXPECT_EQ(shot.success.count, 3U);
  EXPECT_EQ(shot.inference_count, 6U);
  EXPECT_EQ(shot.execution_count, 1U);
  EXPECT_EQ(shot.compute_infer.count, 3U);
  ASSERT_EQ(shot.batches.size(), 1U);
  EXPECT_EQ(shot.batches[0].batch_size, 6U);
  EXPECT_EQ(shot.batches[0].compute_infer.count, 1U);
}

TEST(Statistics, AnAnswerFromTheCacheIsNoRun) {
  Statistics statistics;
  tensor::Timing miss = timing();
  miss.cache = tensor::Timing::Cache::kMiss;
  miss.cache_time = microseconds(7);
  statistics.record_success(miss, microseconds(400));
  tensor::Timing hit = timing(0);
  hit.cache = tensor::Timing::Cache::kHit;
  hit.cache_time = microseconds(5);
  statistics.record_success(hit, microseconds(10));
  const StatisticsSnapshot shot = statistics.snapshot();
  EXPECT_EQ(shot.success.count, 2U);
  EXPECT_EQ(shot.inference_count, 1U);
  EXPECT_EQ(shot.execution_count, 1U);
  EXPECT_EQ(shot.cache_hit.count, 1U);
  EXPECT_EQ(shot.cache_hit.ns, 5'000U);
  EXPECT_EQ(shot.cache_miss.ns, 7'000U);
}

TEST(Statistics, AddUpWhatIsRecorded) {
  Statistics statistics;
  statistics.record_success(timing(), microseconds(400));
  statistics.record_success(timing(4), microseconds(600));
  const StatisticsSnapshot shot = statistics.snapshot();
  EXPECT_EQ(shot.success.count, 2U);
  EXPECT_EQ(shot.success.ns, 1'000'000U);
  EXPECT_EQ(shot.queue.ns, 20'000U);
  EXPECT_EQ(shot.compute_input.ns, 40'000U);
  EXPECT_EQ(shot.compute_infer.ns, 600'000U);
  EXPECT_EQ(shot.compute_output.ns, 80'000U);
  ASSERT_EQ(shot.batches.size(), 2U);
  EXPECT_EQ(shot.batches[0].batch_size, 1U);
  EXPECT_EQ(shot.batches[1].batch_size, 4U);
  EXPECT_EQ(shot.batches[1].compute_infer.count, 1U);
  EXPECT_GT(shot.last_inference_ms, 1'600'000'000'000U);

  const Latencies latencies = statistics.latencies();
  EXPECT_EQ(latencies.request.count(), 2U);
  EXPECT_NEAR(latencies.request.quantile(1), 600e3, 600e3 * 0.016);
  EXPECT_NEAR(latencies.compute_infer.quantile(0.5), 300e3, 300e3 * 0.016);
}

TEST(Statistics, FailuresAreToldApart) {
  Statistics statistics;
  statistics.record_failure(microseconds(5));
  for (const base::Status& status :
       {base::Status(absl::UnavailableError("full")), base::Status(absl::DeadlineExceededError("")),
        base::Status(absl::CancelledError("gone")), base::Status(absl::InternalError("broken")),
        base::Status(absl::InvalidArgumentError("engine says no"))}) {
    statistics.record_failure(microseconds(5), failure_reason(status));
  }
  const StatisticsSnapshot shot = statistics.snapshot();
  EXPECT_EQ(shot.fail.count, 6U);
  EXPECT_EQ(shot.fail.ns, 30'000U);
  EXPECT_EQ(shot.fail_reasons, (std::array<uint64_t, 4>{2, 1, 2, 1}));
  EXPECT_EQ(shot.success.count, 0U);
  EXPECT_EQ(shot.last_inference_ms, 0U);
}

// A clock that was read on another processor may be a hair behind.
TEST(Statistics, TimesThatRunBackwardsCountAsNothing) {
  Statistics statistics;
  tensor::Timing backwards = timing();
  backwards.finished = backwards.compute_end - microseconds(1);
  statistics.record_success(backwards, microseconds(-3));
  EXPECT_EQ(statistics.snapshot().compute_output.ns, 0U);
  EXPECT_EQ(statistics.snapshot().success.ns, 0U);
  EXPECT_EQ(statistics.snapshot().success.count, 1U);
}

TEST(Statistics, TheLatestLoadIsKept) {
  Statistics statistics;
  EXPECT_EQ(statistics.snapshot().loads, 0U);
  statistics.record_load({5'000'000, 0});
  statistics.record_load({7'000'000, 1 << 20});
  EXPECT_EQ(statistics.snapshot().loads, 2U);
  EXPECT_EQ(statistics.snapshot().load.load_ns, 7'000'000U);
  EXPECT_EQ(statistics.snapshot().load.memory_bytes, 1U << 20);
}

TEST(LoadMeter, BelievesTheEngineElseTheHeap) {
  const LoadMeter meter;
  EXPECT_EQ(meter.finish(1234).memory_bytes, 1234U);
#if SUPERNOVA_SANITIZED
  GTEST_SKIP() << "the sanitizer has an allocator of its own";
#endif
  const std::vector<char> weights(16 << 20, 'w');
  const LoadFacts facts = meter.finish(0);
  EXPECT_GE(facts.memory_bytes, weights.size());
  EXPECT_LT(facts.memory_bytes, weights.size() + (4 << 20));
  EXPECT_GT(facts.load_ns, 0U);
  EXPECT_EQ(weights.back(), 'w');
}

// More threads than shards, read while they write: nothing is lost, and every snapshot is whole.
TEST(Statistics, EverySnapshotIsConsistent) {
  constexpr int kThreads = 12;
  constexpr int kEach = 5'000;
  Statistics statistics;
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < kEach; ++n) {
        statistics.record_success(timing(1 + static_cast<uint32_t>(i % 3)), microseconds(400));
        if (n % 10 == 0) statistics.record_failure(microseconds(1), FailureReason::kBackend);
      }
      --running;
    });
  }
  uint64_t before = 0;
  do {
    const StatisticsSnapshot shot = statistics.snapshot();
    ASSERT_EQ(shot.success.count, shot.queue.count);
    ASSERT_EQ(shot.success.count, shot.compute_input.count);
    ASSERT_EQ(shot.success.count, shot.compute_infer.count);
    ASSERT_EQ(shot.success.count, shot.compute_output.count);
    ASSERT_EQ(shot.success.count, shot.inference_count);
    ASSERT_EQ(shot.success.ns, shot.success.count * 400'000);
    uint64_t in_batches = 0;
    for (const BatchStatistics& batch : shot.batches) in_batches += batch.compute_infer.count;
    ASSERT_EQ(in_batches, shot.success.count);
    ASSERT_GE(shot.success.count, before);
    before = shot.success.count;
  } while (running > 0);
  for (std::thread& thread : threads) thread.join();
  const StatisticsSnapshot shot = statistics.snapshot();
  EXPECT_EQ(shot.success.count, uint64_t{kThreads} * kEach);
  EXPECT_EQ(shot.fail.count, uint64_t{kThreads} * kEach / 10);
  EXPECT_EQ(statistics.latencies().queue.count(), shot.success.count);
}

}  // namespace
}  // namespace supernova::model
