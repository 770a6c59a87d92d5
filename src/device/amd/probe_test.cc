#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device/probes.h"
#include "support/recorded_tree.h"

namespace supernova::device::amd {

Probe make_probe();

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AmdProbeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    tree_.add_pci("0000:c1:00.0", "0x1002", "0x740f", "0x038000", "amdgpu");
    tree_.add(R"(
      sys/bus/pci/devices/0000:c1:00.0/mem_info_vram_total = 68702699520
      sys/bus/pci/devices/0000:c1:00.0/mem_info_vram_used = 2699520
      sys/bus/pci/devices/0000:c1:00.0/product_name = AMD INSTINCT MI210
      sys/bus/pci/devices/0000:c1:00.0/unique_id = 18f68e602b8a790f
      sys/bus/pci/devices/0000:c1:00.0/drm/card1/dev
      sys/bus/pci/devices/0000:c1:00.0/drm/card1-DP-1/status
      sys/bus/pci/devices/0000:c1:00.0/drm/renderD128/dev
      sys/bus/pci/devices/0000:c1:00.0/ras/umc_err_count = ue: 0\nce: 4
      sys/module/amdgpu/version = 6.10.5
      sys/class/kfd/kfd/topology/nodes/0/properties = cpu_cores_count 64\nsimd_count 0
      sys/class/kfd/kfd/topology/nodes/1/properties = cpu_cores_count 0\nsimd_count 416\ngfx_target_version 90010\nlocation_id 49408\ndomain 0
      dev/kfd
      dev/dri/renderD128
      opt/rocm/lib/libmigraphx_c.so.3
    )");
  }
  std::vector<Device> seen() { return tree_.seen_by(make_probe()); }
  test::RecordedTree tree_;
};

TEST_F(AmdProbeTest, ACardWithRocm) {
  const auto devices = seen();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].id, "amd:0");
  EXPECT_EQ(devices[0].model, "AMD INSTINCT MI210");
  EXPECT_EQ(devices[0].uuid, "GPU-18f68e602b8a790f");
  EXPECT_EQ(devices[0].driver_version, "6.10.5");
  EXPECT_EQ(devices[0].memory_bytes, 68702699520U);
  EXPECT_EQ(devices[0].memory_free_bytes, 68700000000U);
  EXPECT_THAT(devices[0].features, ElementsAre("gfx90a"));
  EXPECT_THAT(devices[0].nodes, ElementsAre("/dev/kfd", "/dev/dri/card1", "/dev/dri/renderD128"));
  EXPECT_EQ(devices[0].state, DeviceState::kUsable) << devices[0].missing;
}

TEST_F(AmdProbeTest, MemoryFromTheTopology) {
  tree_.remove("sys/bus/pci/devices/0000:c1:00.0/mem_info_vram_total");
  tree_.add(
      R"(sys/class/kfd/kfd/topology/nodes/1/mem_banks/0/properties = heap_type 1\nsize_in_bytes 68702699520\nwidth 4096)");
  EXPECT_EQ(seen().at(0).memory_bytes, 68702699520U);
}

TEST_F(AmdProbeTest, WhatIsMissingIsNamed) {
  tree_.remove("dev/kfd");
  tree_.remove("opt");
  tree_.add("run/.containerenv");
  EXPECT_THAT(seen().at(0).missing,
              HasSubstr("/dev/kfd is not in this container: start it with --device /dev/kfd "
                        "--device /dev/dri; libmigraphx_c.so.3 is not installed: install ROCm"));
}

TEST_F(AmdProbeTest, MemoryErrorsAreIllHealth) {
  tree_.write("sys/bus/pci/devices/0000:c1:00.0/ras/umc_err_count", "ue: 2\nce: 0\n");
  EXPECT_EQ(seen().at(0).state, DeviceState::kUnhealthy);
  EXPECT_THAT(seen().at(0).health, HasSubstr("uncorrectable errors since the start: 2"));
}

TEST_F(AmdProbeTest, AGpuThatTheComputeDriverDoesNotKnow) {
  tree_.remove("sys/class/kfd");
  EXPECT_THAT(seen().at(0).missing, HasSubstr("(KFD) does not know this GPU"));
}

TEST_F(AmdProbeTest, AProcessingAcceleratorIsAGpuToo) {
  tree_.add_pci("0000:d1:00.0", "0x1002", "0x74a1", "0x120000", "amdgpu");
  tree_.add_pci("0000:e1:00.0", "0x1002", "0xab28", "0x040300", "snd_hda_intel");
  EXPECT_EQ(seen().size(), 2U);
}

TEST_F(AmdProbeTest, AKernelWithoutTheComputeDriver) {
  tree_.remove("sys/class/kfd");
  tree_.remove("dev/kfd");
  EXPECT_THAT(seen().at(0).missing, HasSubstr("/dev/kfd is missing: its kernel has no compute"));
  EXPECT_THAT(seen().at(0).missing, ::testing::Not(HasSubstr("too old for ROCm")));
}

}  // namespace
}  // namespace supernova::device::amd
