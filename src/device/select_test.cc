#include "device/select.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supernova::device {
namespace {

using ::testing::HasSubstr;

Device made(sn_device_kind kind, int ordinal) {
  Device device;
  device.kind = device_kind_name(kind);
  device.abi_kind = kind;
  device.ordinal = ordinal;
  device.id = kind == SN_DEVICE_CPU ? "cpu" : device.kind + ":" + std::to_string(ordinal);
  return device;
}

class SelectTest : public ::testing::Test {
 protected:
  SelectTest()
      : devices_{made(SN_DEVICE_CPU, 0), made(SN_DEVICE_NVIDIA, 0), made(SN_DEVICE_NVIDIA, 1),
                 made(SN_DEVICE_EDGETPU, 0)} {
    devices_[1].address = "pci:0000:01:00.0";
    devices_[2].uuid = "GPU-1234";
    devices_[3].state = DeviceState::kUnusable;
    devices_[3].missing = "libedgetpu.so.1 is not installed";
  }
  std::string chosen(std::string_view name) {
    const auto device = select(devices_, name);
    return device.ok() ? (*device)->id : std::string(base::message(device.status()));
  }
  std::vector<Device> devices_;
};

TEST_F(SelectTest, ByIdKindAddressAndUuid) {
  EXPECT_EQ(chosen("cpu"), "cpu");
  EXPECT_EQ(chosen("nvidia:1"), "nvidia:1");
  EXPECT_EQ(chosen("pci:0000:01:00.0"), "nvidia:0");
  EXPECT_EQ(chosen("GPU-1234"), "nvidia:1");
}

TEST_F(SelectTest, SeveralAreListed) {
  for (const char* name : {"nvidia", "gpu"}) {
    EXPECT_THAT(chosen(name), HasSubstr("could be any of nvidia:0, nvidia:1")) << name;
  }
}

TEST_F(SelectTest, WhatIsNotThereListsWhatIs) {
  EXPECT_THAT(chosen("nvidia:2"), HasSubstr("there is: cpu, nvidia:0, nvidia:1, edgetpu:0"));
}

TEST_F(SelectTest, EmulatedOnesAreMarked) {
  devices_.push_back(made(SN_DEVICE_VULKAN, 0));
  devices_.back().model = "llvmpipe";
  devices_.back().features = {"emulated"};
  devices_.erase(devices_.begin() + 1, devices_.begin() + 3);
  EXPECT_THAT(chosen("gpu"), HasSubstr("there is: cpu, edgetpu:0, vulkan:0 (llvmpipe, emulated)"));
}

TEST_F(SelectTest, AnUnusableOneSaysWhatIsMissing) {
  EXPECT_EQ(chosen("edgetpu"),
            "the device edgetpu:0 can't be used: libedgetpu.so.1 is not installed");
}

TEST_F(SelectTest, TheOnlyGraphicsDevice) {
  devices_.erase(devices_.begin() + 2);
  EXPECT_EQ(chosen("gpu"), "nvidia:0");
  EXPECT_EQ(chosen("nvidia"), "nvidia:0");
}

TEST_F(SelectTest, HardwareThatIsReachedInTwoWaysIsOne) {
  devices_.erase(devices_.begin() + 2);
  devices_.push_back(made(SN_DEVICE_VULKAN, 0));
  devices_.back().address = devices_[1].address;
  EXPECT_EQ(chosen("gpu"), "nvidia:0");
  EXPECT_EQ(chosen("pci:0000:01:00.0"), "nvidia:0");
  EXPECT_EQ(chosen("vulkan"), "vulkan:0");
  devices_[1].state = DeviceState::kUnusable;
  EXPECT_EQ(chosen("gpu"), "vulkan:0");
  devices_.back().address = "pci:0000:02:00.0";
  EXPECT_THAT(chosen("gpu"), HasSubstr("could be any of nvidia:0, vulkan:0"));
}

TEST_F(SelectTest, AnEmulatedDeviceIsNoGpu) {
  devices_.push_back(made(SN_DEVICE_VULKAN, 0));
  devices_.back().features = {"emulated"};
  devices_.erase(devices_.begin() + 1, devices_.begin() + 3);
  EXPECT_THAT(chosen("gpu"), HasSubstr("no device 'gpu' here"));
  EXPECT_EQ(chosen("vulkan"), "vulkan:0");
}

}  // namespace
}  // namespace supernova::device
