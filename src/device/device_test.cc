#include "device/device.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace supernova::device
