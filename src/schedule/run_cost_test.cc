#include "schedule/run_cost.h"

#include <gtest/gtest.h>

namespace supernova::schedule {
namespace {

using std::chrono::microseconds;

// Quick runs until it is cheap.
int runs_until_cheap(RunCost& cost) {
  int runs = 0;
  while (!cost.cheap() && runs < 100000) {
    cost.add(microseconds(5), false);
    ++runs;
  }
  return runs;
}

TEST(RunCostTest, FirstRunsProveIt) {
  RunCost cost{microseconds(100)};
  cost.add(microseconds(5000), false);  // the first is slow by nature
  EXPECT_FALSE(cost.cheap());
  EXPECT_EQ(runs_until_cheap(cost), 16);
}

// Slow runs in place that end it, at the earliest.
void make_slow(RunCost& cost) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(cost.cheap());
    cost.add(microseconds(101), true);
  }
  EXPECT_FALSE(cost.cheap());
}

TEST(RunCostTest, RareSlowRunsAreBorne) {
  RunCost cost{microseconds(100)};
  runs_until_cheap(cost);
  for (int i = 0; i < 10000; ++i) {
    cost.add(microseconds(i % 40 == 0 ? 4000 : 5), true);
    ASSERT_TRUE(cost.cheap()) << i;
  }
}

TEST(RunCostTest, SlowRunsThatComeOftenEndIt) {
  RunCost cost{microseconds(100)};
  runs_until_cheap(cost);
  int runs = 0;
  while (cost.cheap() && runs < 1000) {
    cost.add(microseconds(runs % 16 == 0 ? 200 : 5), true);
    ++runs;
  }
  EXPECT_LT(runs, 64);
}

TEST(RunCostTest, LongRunsEndItSooner) {
  RunCost cost{microseconds(100)};
  runs_until_cheap(cost);
  cost.add(microseconds(5000), true);
  EXPECT_TRUE(cost.cheap());
  cost.add(microseconds(100), true);
  EXPECT_FALSE(cost.cheap());
  runs_until_cheap(cost);
  cost.add(microseconds(100000), true);
  EXPECT_FALSE(cost.cheap());
}

TEST(RunCostTest, ComingBackGetsHarder) {
  RunCost cost{microseconds(100)};
  runs_until_cheap(cost);
  make_slow(cost);
  EXPECT_EQ(runs_until_cheap(cost), 32);
  make_slow(cost);
  // On the pool a slow run holds nobody up, but proves nothing either.
  for (int i = 0; i < 10; ++i) cost.add(microseconds(5), false);
  cost.add(microseconds(101), false);
  EXPECT_EQ(runs_until_cheap(cost), 64 - 5);
  for (int i = 0; i < 20; ++i) {
    make_slow(cost);
    runs_until_cheap(cost);
  }
  make_slow(cost);
  EXPECT_EQ(runs_until_cheap(cost), 4096);
}

TEST(RunCostTest, SlowRunsOnThePoolDoNotEndIt) {
  RunCost cost{microseconds(100)};
  runs_until_cheap(cost);
  for (int i = 0; i < 100; ++i) cost.add(microseconds(5000), false);
  EXPECT_TRUE(cost.cheap());
}

TEST(RunCostTest, ManyQuickRunsMakeItEasierAgain) {
  RunCost cost{microseconds(100)};
  runs_until_cheap(cost);
  make_slow(cost);
  EXPECT_EQ(runs_until_cheap(cost), 32);
  for (int i = 0; i < 256; ++i) cost.add(microseconds(5), true);
  make_slow(cost);
  EXPECT_EQ(runs_until_cheap(cost), 32);
}

TEST(RunCostTest, WithoutALimitNothingIsCheap) {
  RunCost cost{microseconds(0)};
  for (int i = 0; i < 100; ++i) cost.add(microseconds(0), false);
  EXPECT_FALSE(cost.cheap());
}

}  // namespace
}  // namespace supernova::schedule
