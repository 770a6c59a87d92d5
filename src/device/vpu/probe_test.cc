#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device/probes.h"
#include "support/recorded_tree.h"

namespace supernova::device::vpu {

Probe make_probe();

namespace {

TEST(VpuProbeTest, SticksAreNamedWithWhatBecameOfThem) {
  test::RecordedTree tree;
  tree.add_usb("1-1", "03e7", "2485", 1, 2);
  tree.add_usb("1-2", "1234", "2485", 1, 3);
  const auto devices = tree.seen_by(make_probe());
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].id, "vpu:0");
  EXPECT_EQ(devices[0].model, "Intel Neural Compute Stick 2 (Myriad X)");
  EXPECT_EQ(devices[0].engine, "");
  EXPECT_EQ(devices[0].state, DeviceState::kUnusable);
  EXPECT_THAT(devices[0].missing, ::testing::HasSubstr("OpenVINO 2022.3 was the last"));
}

}  // namespace
}  // namespace supernova::device::vpu
