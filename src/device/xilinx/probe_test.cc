#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device/probes.h"
#include "support/recorded_tree.h"

namespace supernova::device::xilinx {

Probe make_probe();

namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class XilinxProbeTest : public ::testing::Test {
 protected:
  std::vector<Device> seen() { return tree_.seen_by(make_probe()); }
  test::RecordedTree tree_;
};

TEST_F(XilinxProbeTest, ACardsTwoFunctionsAreOneDevice) {
  tree_.add_pci("0000:3b:00.0", "0x10ee", "0x5000", "0x120000", "xclmgmt");
  tree_.add_pci("0000:3b:00.1", "0x10ee", "0x5001", "0x120000", "xocl");
  tree_.add(R"(
    sys/bus/pci/devices/0000:3b:00.0/rom/VBNV = xilinx_u200_gen3x16_base_2
    sys/bus/pci/devices/0000:3b:00.1/drm/renderD129/dev
    opt/xilinx/xrt/version.json = {\n "BUILD_VERSION" : "2.14.354",\n "BUILD_BRANCH" : "2022.2"\n}
    opt/xilinx/xrt/lib/libxrt_core.so.2
    dev/dri/renderD129
    dev/xclmgmt15104
  )");
  const auto devices = seen();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].id, "fpga:0");
  EXPECT_EQ(devices[0].address, "pci:0000:3b:00.1");
  EXPECT_EQ(devices[0].driver, "xocl");
  EXPECT_EQ(devices[0].driver_version, "2.14.354");
  EXPECT_EQ(devices[0].engine, "onnxruntime");
  EXPECT_THAT(devices[0].nodes, Contains("/dev/xclmgmt15104"));
  EXPECT_THAT(devices[0].features, Contains("shell-xilinx_u200_gen3x16_base_2"));
  EXPECT_EQ(devices[0].state, DeviceState::kUsable) << devices[0].missing;
}

TEST_F(XilinxProbeTest, CardsWithoutXrt) {
  tree_.add_pci("0000:3b:00.0", "0x10ee", "0x5000", "0x120000", "");
  tree_.add_pci("0000:5e:00.0", "0x10ee", "0x5000", "0x120000", "");
  const auto devices = seen();
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_THAT(devices[0].missing, HasSubstr("no driver is bound to it: install XRT"));
  EXPECT_THAT(devices[0].missing, HasSubstr("libxrt_core.so.2 is not installed"));
}

TEST_F(XilinxProbeTest, AKriaBoard) {
  tree_.add(R"(
    proc/device-tree/model = ZynqMP SMK-K26 Rev1/B/A\0
    proc/device-tree/compatible = xlnx,zynqmp-smk-k26-rev1\0xlnx,zynqmp\0
    sys/class/drm/renderD128/device -> ../../axi:zyxclmm_drm
    sys/class/axi:zyxclmm_drm/driver -> ../../bus/platform/drivers/zocl-drm
    usr/lib/libxrt_core.so.2
    dev/dri/renderD128
  )");
  tree_.remove("sys/class/drm/renderD128/device");
  tree_.link("sys/class/drm/renderD128/device", "../../axi:zyxclmm_drm");
  const auto devices = seen();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].model, "ZynqMP SMK-K26 Rev1/B/A");
  EXPECT_EQ(devices[0].driver, "zocl");
  EXPECT_EQ(devices[0].address, "platform:axi:zyxclmm_drm");
  EXPECT_EQ(devices[0].state, DeviceState::kUsable) << devices[0].missing;
}

TEST_F(XilinxProbeTest, AnNpuOfARyzen) {
  tree_.add_pci("0000:c4:00.1", "0x1022", "0x17f0", "0x118000", "amdxdna");
  tree_.add("sys/bus/pci/devices/0000:c4:00.1/accel/accel0/dev");
  const auto devices = seen();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].id, "npu:0");
  EXPECT_EQ(devices[0].model, "AMD NPU (Ryzen AI, XDNA 2)");
  EXPECT_THAT(devices[0].missing, HasSubstr("/dev/accel/accel0 is missing"));
}

}  // namespace
}  // namespace supernova::device::xilinx
