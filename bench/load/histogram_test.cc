#include "load/histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace supernova::bench {
namespace {

using std::chrono::nanoseconds;

TEST(Histogram, IsZeroWhenEmpty) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.percentile(50), nanoseconds(0));
  EXPECT_EQ(histogram.mean(), nanoseconds(0));
  EXPECT_EQ(histogram.least(), nanoseconds(0));
}

TEST(Histogram, KeepsSmallValuesExactly) {
  Histogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.record(nanoseconds(i));
  EXPECT_EQ(histogram.percentile(1), nanoseconds(1));
  EXPECT_EQ(histogram.percentile(50), nanoseconds(50));
  EXPECT_EQ(histogram.percentile(99), nanoseconds(99));
  EXPECT_EQ(histogram.percentile(99.9), nanoseconds(100));
  EXPECT_EQ(histogram.percentile(100), nanoseconds(100));
  EXPECT_EQ(histogram.mean(), nanoseconds(50));
}

TEST(Histogram, IsWithinOnePercentOfSortedValues) {
  std::mt19937_64 random(3);
  std::lognormal_distribution<double> spread(11, 3);  // from nanoseconds to seconds
  Histogram histogram;
  std::vector<int64_t> values;
  for (int i = 0; i < 20000; ++i) {
    values.push_back(static_cast<int64_t>(std::min(spread(random), 3e12)));
    histogram.record(nanoseconds(values.back()));
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {0.1, 10.0, 50.0, 90.0, 99.0, 99.9}) {
    const auto rank = static_cast<size_t>(std::ceil(percent / 100 * 20000)) - 1;
    const auto exact = static_cast<double>(values[rank]);
    const auto kept = static_cast<double>(histogram.percentile(percent).count());
    EXPECT_GE(kept, exact) << percent;
    EXPECT_LE(kept, exact * 1.01 + 1) << percent;
  }
  EXPECT_EQ(histogram.percentile(100).count(), values.back());
  EXPECT_EQ(histogram.least().count(), values.front());
}

TEST(Histogram, AddsUpLikeOne) {
  Histogram one, two, both;
  for (int i = 0; i < 1000; ++i) {
    const nanoseconds value(i * i * 37);
    (i % 3 == 0 ? one : two).record(value);
    both.record(value);
  }
  one.add(two);
  EXPECT_EQ(one.count(), both.count());
  EXPECT_EQ(one.mean(), both.mean());
  for (const double percent : {1.0, 50.0, 99.0, 100.0}) {
    EXPECT_EQ(one.percentile(percent), both.percentile(percent));
  }
}

TEST(Histogram, BoundsWhatDoesNotFit) {
  Histogram histogram;
  histogram.record(nanoseconds(-5));
  histogram.record(std::chrono::hours(100));
  EXPECT_EQ(histogram.least(), nanoseconds(0));
  EXPECT_EQ(histogram.largest(), Histogram::kLargest);
}

}  // namespace
}  // namespace supernova::bench
