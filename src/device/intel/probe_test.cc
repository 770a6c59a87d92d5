#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device/probes.h"
#include "support/recorded_tree.h"

namespace supernova::device::intel {

Probe make_probe();

namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class IntelProbeTest : public ::testing::Test {
 protected:
  // A Core Ultra laptop.
  void SetUp() override {
    tree_.add_pci("0000:00:02.0", "0x8086", "0x7d55", "0x030000", "i915");
    tree_.add_pci("0000:00:0b.0", "0x8086", "0x7d1d", "0x120000", "intel_vpu");
    tree_.add_pci("0000:00:1f.0", "0x8086", "0x7e02", "0x060100", "");
    tree_.add(R"(
      sys/bus/pci/devices/0000:00:02.0/drm/card0/dev
      sys/bus/pci/devices/0000:00:02.0/drm/renderD128/dev
      sys/bus/pci/devices/0000:00:0b.0/accel/accel0/dev
      dev/dri/renderD128
      dev/accel/accel0
      etc/OpenCL/vendors/intel.icd = /usr/lib/x86_64-linux-gnu/intel-opencl/libigdrcl.so
      usr/lib/x86_64-linux-gnu/libze_intel_npu.so.1
      usr/lib/x86_64-linux-gnu/libze_loader.so.1
    )");
  }
  std::vector<Device> seen() { return tree_.seen_by(make_probe()); }
  test::RecordedTree tree_;
};

TEST_F(IntelProbeTest, AGpuAndAnNpu) {
  const auto devices = seen();
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices[0].id, "intel-gpu:0");
  EXPECT_EQ(devices[0].driver, "i915");
  EXPECT_EQ(devices[0].engine, "onnxruntime");
  EXPECT_THAT(devices[0].features, ElementsAre("shared-memory"));
  EXPECT_EQ(devices[0].state, DeviceState::kUsable) << devices[0].missing;
  EXPECT_EQ(devices[1].id, "npu:0");
  EXPECT_EQ(devices[1].model, "Intel NPU (Meteor Lake)");
  EXPECT_THAT(devices[1].nodes, ElementsAre("/dev/accel/accel0"));
  EXPECT_EQ(devices[1].state, DeviceState::kUsable) << devices[1].missing;
}

TEST_F(IntelProbeTest, ACardWithMemoryOfItsOwn) {
  tree_.write("sys/bus/pci/devices/0000:00:02.0/drm/card0/lmem_total_bytes", "17079205888\n");
  EXPECT_EQ(seen().at(0).memory_bytes, 17079205888U);
  EXPECT_THAT(seen().at(0).features, Contains("discrete"));
}

TEST_F(IntelProbeTest, ACardWithTheNewerDriver) {
  tree_.add_pci("0000:03:00.0", "0x8086", "0xe20b", "0x030000", "xe");
  EXPECT_THAT(seen().at(1).features, ElementsAre("discrete"));  // by its place
  EXPECT_EQ(seen().at(1).model, "Intel GPU");
  tree_.add("sys/bus/pci/devices/0000:03:00.0/tile0/physical_vram_size_bytes = 0x2f8000000");
  EXPECT_EQ(seen().at(1).memory_bytes, 0x2f8000000U);
}

TEST_F(IntelProbeTest, WhatIsMissingIsNamed) {
  tree_.remove("etc/OpenCL");
  tree_.remove("usr/lib/x86_64-linux-gnu/libze_intel_npu.so.1");
  tree_.remove("sys/bus/pci/devices/0000:00:0b.0/driver");
  EXPECT_THAT(seen().at(0).missing, HasSubstr("apt install intel-opencl-icd"));
  // Without a driver, and known by its number alone.
  EXPECT_THAT(seen().at(1).missing, HasSubstr("modprobe intel_vpu"));
  tree_.remove("dev/dri");
  EXPECT_THAT(seen().at(0).missing, HasSubstr("/dev/dri/renderD128 is missing"));
}

}  // namespace
}  // namespace supernova::device::intel
