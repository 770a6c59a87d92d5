#include "device/device.h"

#include <gtest/gtest.h>

#include "device/cpu_limits.h"

namespace supernova::device {
namespace {

TEST(DiscoverTest, FindsTheCpuOfThisMachine) {
  const auto devices = discover("/");
  ASSERT_FALSE(devices.empty());
  EXPECT_EQ(devices[0].id, "cpu");
  EXPECT_GE(devices[0].cores, 1);
  EXPECT_GT(devices[0].cores_usable, 0);
  EXPECT_LE(devices[0].cores_usable, devices[0].cores);
}

TEST(ThreadBudgetTest, IsWhatAllLimitsLeave) {
  struct Case {
    int cores, affinity;
    double quota;
    int threads;
  };
  for (const Case& c :
       {Case{8, 8, 0, 8}, Case{8, 2, 0, 2}, Case{8, 8, 0.5, 1}, Case{8, 8, 1.5, 2},
        Case{8, 8, 2.4, 2}, Case{0, 0, 0, 1}, Case{0, 3, 0, 3}, Case{2, 2, 100, 2}}) {
    EXPECT_EQ(thread_budget_of(c.cores, c.affinity, c.quota), c.threads)
        << c.cores << " " << c.affinity << " " << c.quota;
  }
  EXPECT_GE(thread_budget(), 1);
}

}  // namespace
}  // namespace supernova::device
