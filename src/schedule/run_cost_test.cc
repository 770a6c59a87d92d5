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

TEST(RunCostTest, ASlowRunInPlaceEndsItAndComingBackGetsHarder) {
  RunCost cost{microseconds(100)};
  runs_until_cheap(cost);
  cost.add(microseconds(100), true);
  EXPECT_FALSE(cost.cheap());
  EXPECT_EQ(runs_until_cheap(cost), 32);
  cost.add(microseconds(101), true);
  EXPECT_EQ(runs_until_cheap(cost), 64);
  // On the pool it held nobody up.
  cost.add(microseconds(101), false);
  EXPECT_EQ(runs_until_cheap(cost), 64);
  for (int i = 0; i < 20; ++i) {
    cost.add(microseconds(101), true);
    runs_until_cheap(cost);
  }
  cost.add(microseconds(101), true);
  EXPECT_EQ(runs_until_cheap(cost), 4096);
}

TEST(RunCostTest, ManyQuickRunsMakeItEasierAgain) {
  RunCost cost{microseconds(100)};
  runs_until_cheap(cost);
  cost.add(microseconds(101), true);
  EXPECT_EQ(runs_until_cheap(cost), 32);
  for (int i = 0; i < 256; ++i) cost.add(microseconds(5), true);
  cost.add(microseconds(101), true);
  EXPECT_EQ(runs_until_cheap(cost), 32);
}

TEST(RunCostTest, WithoutALimitNothingIsCheap) {
  RunCost cost{microseconds(0)};
  for (int i = 0; i < 100; ++i) cost.add(microseconds(0), false);
  EXPECT_FALSE(cost.cheap());
}

}  // namespace
}  // namespace supernova::schedule
