#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device/probes.h"
#include "support/recorded_tree.h"

namespace supernova::device::edgetpu {

Probe make_probe();

namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class EdgeTpuProbeTest : public ::testing::Test {
 protected:
  void add_library() { tree_.add("usr/lib/x86_64-linux-gnu/libedgetpu.so.1"); }
  std::vector<Device> seen() { return tree_.seen_by(make_probe()); }
  test::RecordedTree tree_;
};

TEST_F(EdgeTpuProbeTest, AStickBeforeAndAfterItsFirmware) {
  add_library();
  tree_.add_usb("2-1", "1a6e", "089a", 2, 3);
  tree_.add("dev/bus/usb/002/003");
  auto devices = seen();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].id, "edgetpu:0");
  EXPECT_EQ(devices[0].address, "usb:2-1");
  EXPECT_EQ(devices[0].engine, "tflite");
  EXPECT_EQ(devices[0].state, DeviceState::kUsable) << devices[0].missing;
  EXPECT_THAT(devices[0].features, ElementsAre("firmware-not-yet-loaded"));
  // The same stick, as it comes back.
  tree_.remove("sys/bus/usb/devices/2-1");
  tree_.remove("dev/bus/usb/002/003");
  tree_.add_usb("2-1", "18d1", "9302", 2, 4);
  tree_.add("dev/bus/usb/002/004");
  devices = seen();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].address, "usb:2-1");
  EXPECT_THAT(devices[0].nodes, ElementsAre("/dev/bus/usb/002/004"));
  EXPECT_THAT(devices[0].features, ElementsAre("firmware-loaded"));
}

TEST_F(EdgeTpuProbeTest, UnpluggedAndPluggedInAgain) {
  add_library();
  for (const char* port : {"1-10", "1-2"}) tree_.add_usb(port, "18d1", "9302", 1, port[2]);
  auto devices = seen();
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices[0].address, "usb:1-2");
  EXPECT_EQ(devices[1].address, "usb:1-10");
  tree_.remove("sys/bus/usb/devices/1-2");
  devices = seen();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].id, "edgetpu:0");
  EXPECT_EQ(devices[0].address, "usb:1-10");
  tree_.add_usb("1-2", "1a6e", "089a", 1, 77);
  devices = seen();
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices[0].address, "usb:1-2");
  EXPECT_THAT(devices[0].nodes, ElementsAre("/dev/bus/usb/001/077"));
  EXPECT_EQ(devices[1].id, "edgetpu:1");
}

TEST_F(EdgeTpuProbeTest, WhatIsMissingAndASlowPort) {
  tree_.add_usb("1-3", "18d1", "9302", 1, 5, 480);
  tree_.add(".dockerenv");
  const auto devices = seen();
  EXPECT_THAT(devices.at(0).missing, HasSubstr("-v /dev/bus/usb:/dev/bus/usb"));
  EXPECT_THAT(devices.at(0).missing, HasSubstr("libedgetpu.so.1 is not installed"));
  EXPECT_THAT(devices.at(0).health, HasSubstr("480 Mbit/s"));
}

TEST_F(EdgeTpuProbeTest, ACardWithItsDriver) {
  add_library();
  tree_.add_pci("0000:03:00.0", "0x1ac1", "0x089a", "0x0880ff", "apex");
  tree_.add(R"(
    sys/class/apex/apex_0/device -> ../../../0000:03:00.0
    sys/class/apex/apex_0/temp = 51800
    sys/class/apex/apex_0/status = ALIVE
    sys/class/apex/apex_0/driver_version = 1.2
    dev/apex_0
  )");
  auto devices = seen();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].address, "pci:0000:03:00.0");
  EXPECT_EQ(devices[0].driver_version, "1.2");
  EXPECT_THAT(devices[0].nodes, ElementsAre("/dev/apex_0"));
  EXPECT_EQ(devices[0].state, DeviceState::kUsable) << devices[0].missing;
  tree_.write("sys/class/apex/apex_0/temp", "104800\n");
  EXPECT_THAT(seen().at(0).health, HasSubstr("too hot: 104 °C"));
  tree_.write("sys/class/apex/apex_0/status", "DEAD\n");
  EXPECT_EQ(seen().at(0).state, DeviceState::kUnhealthy);
  EXPECT_THAT(seen().at(0).health, HasSubstr("DEAD"));
}

TEST_F(EdgeTpuProbeTest, ACardWithoutItsDriver) {
  tree_.add_pci("0000:03:00.0", "0x1ac1", "0x089a", "0x0880ff", "");
  const auto devices = seen();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_THAT(devices[0].missing, HasSubstr("modprobe apex"));
}

TEST_F(EdgeTpuProbeTest, ANodeWhoseBusIsNotToBeSeen) {
  add_library();
  tree_.add("dev/apex_0");
  tree_.add("dev/apex_1");
  const auto devices = seen();
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices[1].address, "/dev/apex_1");
  EXPECT_EQ(devices[1].state, DeviceState::kUsable) << devices[1].missing;
}

}  // namespace
}  // namespace supernova::device::edgetpu
