#include "base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace supernova::base {
namespace {

TEST(Histogram, IsEmptyAtFirst) {
  const Histogram empty;
  EXPECT_EQ(empty.count(), 0U);
  EXPECT_TRUE(std::isnan(empty.quantile(0.5)));
  EXPECT_EQ(empty.count_below_power(60), 0U);
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (uint64_t i = 0; i < 32; ++i) histogram.add(i);
  EXPECT_EQ(histogram.quantile(0), 0);
  EXPECT_EQ(histogram.quantile(0.5), 15);
  EXPECT_EQ(histogram.quantile(1), 31);
  EXPECT_EQ(histogram.count_below_power(3), 8U);
}

// One value alone, of every size: the quantile may be off by 1/64 of it.
TEST(Histogram, EveryValueIsKeptToOnePointSixPercent) {
  for (uint64_t value = 1; value < Histogram::kLongest; value += 1 + value / 77) {
    Histogram histogram;
    histogram.add(value);
    ASSERT_NEAR(histogram.quantile(0.5), static_cast<double>(value),
                static_cast<double>(value) / 64 + 1e-9);
    for (int bits = 0; bits < Histogram::kLongestBits; ++bits) {
      ASSERT_EQ(histogram.count_below_power(bits), value < (uint64_t{1} << bits) ? 1U : 0U)
          << value << " below 2^" << bits;
    }
  }
}

TEST(Histogram, QuantilesOfAManifoldAreThoseOfTheSortedValues) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> distribution(14, 1.5);
  Histogram histogram;
  std::vector<uint64_t> values(50'000);
  for (uint64_t& value : values) {
    value = static_cast<uint64_t>(distribution(random));
    histogram.add(value);
  }
  std::sort(values.begin(), values.end());
  for (const double q : {0.5, 0.9, 0.95, 0.99, 0.999}) {
    const auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(values.size()))) - 1;
    const auto exact = static_cast<double>(values[rank]);
    EXPECT_NEAR(histogram.quantile(q), exact, exact * 0.016) << q;
  }
}

TEST(Histogram, TooLongCountsAsTheLongest) {
  Histogram histogram;
  histogram.add(uint64_t{1} << 50);
  EXPECT_NEAR(histogram.quantile(1), static_cast<double>(Histogram::kLongest), 1e10);
  EXPECT_EQ(histogram.sum(), uint64_t{1} << 50);
  EXPECT_EQ(histogram.count_below_power(Histogram::kLongestBits - 1), 0U);
}

TEST(Histogram, AddsUpAndTellsWhatIsNew) {
  Histogram first;
  first.add(1000);
  Histogram both = first;
  Histogram second;
  second.add(1'000'000);
  second.add(2'000'000);
  both += second;
  EXPECT_EQ(both.count(), 3U);
  EXPECT_EQ(both.sum(), 3'001'000U);
  const Histogram rest = both.since(first);
  EXPECT_EQ(rest.count(), 2U);
  EXPECT_EQ(rest.sum(), 3'000'000U);
  EXPECT_EQ(rest.quantile(0.5), second.quantile(0.5));
}

}  // namespace
}  // namespace supernova::base
