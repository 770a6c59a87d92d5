#include "load/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace supernova::bench {
namespace {

using std::chrono::milliseconds;

Plan open_loop(double rate, bool poisson) {
  Plan plan;
  plan.rate = rate;
  plan.poisson = poisson;
  plan.warmup = seconds(1);
  plan.duration = seconds(2);
  return plan;
}

std::vector<Clock::time_point> all_moments(Pacer pacer) {
  std::vector<Clock::time_point> moments;
  while (const auto due = pacer.take(Clock::time_point::max())) moments.push_back(*due);
  return moments;
}

TEST(Pacer, ClosedLoopIsDueAtOnceUntilTheEnd) {
  Plan plan;
  plan.warmup = seconds(1);
  const Clock::time_point start = Clock::now();
  Pacer pacer(plan, start, 1, 0);
  EXPECT_EQ(pacer.take(start + milliseconds(1500)), start + milliseconds(1500));
  EXPECT_FALSE(pacer.over(start + milliseconds(1500)));
  EXPECT_EQ(pacer.take(start + seconds(2)), std::nullopt);
  EXPECT_TRUE(pacer.over(start + seconds(2)));
}

TEST(Pacer, ConstantMomentsAreLaidDownBeforehand) {
  const Clock::time_point start = Clock::now();
  Pacer pacer(open_loop(100, false), start, 1, 0);
  EXPECT_EQ(pacer.take(start), start);
  EXPECT_EQ(pacer.take(start + milliseconds(9)), std::nullopt);
  // Nobody asked for half a second: every request of it is still there, at its own moment.
  const Clock::time_point late = start + milliseconds(505);
  int taken = 0;
  for (auto due = pacer.take(late); due; due = pacer.take(late)) {
    ++taken;
    EXPECT_NEAR(std::chrono::duration<double>(*due - start).count(), 0.010 * taken, 1e-6);
  }
  EXPECT_EQ(taken, 50);
}

TEST(Pacer, MakesAsManyAsTheRateSays) {
  const Clock::time_point start = Clock::now();
  EXPECT_NEAR(double(all_moments(Pacer(open_loop(1000, false), start, 1, 0)).size()), 3000, 1);
  // Poisson: 3000 with a standard deviation of 55.
  EXPECT_NEAR(double(all_moments(Pacer(open_loop(1000, true), start, 1, 0)).size()), 3000, 300);
  // Two threads make half each.
  EXPECT_NEAR(double(all_moments(Pacer(open_loop(1000, false), start, 0.5, 1)).size()), 1500, 1);
}

TEST(Pacer, PoissonGapsVaryAsTheyShould) {
  const auto moments = all_moments(Pacer(open_loop(2000, true), Clock::now(), 1, 7));
  int longer_than_mean = 0;
  for (size_t i = 1; i < moments.size(); ++i) {
    longer_than_mean += moments[i] - moments[i - 1] > std::chrono::microseconds(500) ? 1 : 0;
  }
  // exp(-1) of them; all or none where they are constant.
  EXPECT_NEAR(longer_than_mean / double(moments.size()), 0.368, 0.05);
}

TEST(Recorder, LeavesTheWarmUpOut) {
  const Clock::time_point start = Clock::now();
  const Pacer pacer(open_loop(10, false), start, 1, 0);
  Recorder recorder(pacer);
  recorder.success(start + milliseconds(900), start + milliseconds(1100));
  recorder.failure(start, start, "early");
  recorder.success(start + milliseconds(1100), start + milliseconds(1400));
  recorder.failure(start + milliseconds(2900), start + milliseconds(5000), "late");
  recorder.refusal(start, start + milliseconds(2), "early");
  recorder.refusal(start + milliseconds(1200), start + milliseconds(1207), "full");
  const Outcome outcome = recorder.finish();
  EXPECT_EQ(outcome.latencies.count(), 1U);
  EXPECT_EQ(outcome.latencies.largest(), milliseconds(300));
  EXPECT_EQ(outcome.errors, 2U);
  EXPECT_EQ(outcome.refusals.count(), 1U);
  EXPECT_EQ(outcome.refusals.largest(), milliseconds(7));
  EXPECT_DOUBLE_EQ(outcome.seconds, 4);  // to the last reply, which came after the end
}

TEST(Outcome, BoundsTheKindsOfErrors) {
  Outcome outcome;
  for (int i = 0; i < 100; ++i) outcome.fail(std::to_string(i));
  for (int i = 0; i < 5; ++i) outcome.fail("3");
  EXPECT_EQ(outcome.errors, 105U);
  EXPECT_LE(outcome.messages.size(), 17U);
  EXPECT_EQ(outcome.messages["3"], 6U);
  EXPECT_EQ(outcome.messages["other errors"], 84U);
}

TEST(OnThreads, SharesTheConnections) {
  Plan plan;
  plan.connections = 10;
  plan.threads = 4;
  std::atomic<int> connections = 0;
  const auto outcome = on_threads(plan, [&](int thread, int count) -> base::Result<Outcome> {
    connections += count;
    EXPECT_EQ(count, thread < 2 ? 3 : 2);
    Outcome part;
    part.fail("x");
    return part;
  });
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(connections, 10);
  EXPECT_EQ(outcome->errors, 4U);
}

}  // namespace
}  // namespace supernova::bench
