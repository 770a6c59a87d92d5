#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device/probes.h"
#include "support/recorded_tree.h"

namespace supernova::device::altera {

Probe make_probe();

namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AlteraProbeTest : public ::testing::Test {
 protected:
  std::vector<Device> seen() { return tree_.seen_by(make_probe()); }
  test::RecordedTree tree_;
};

TEST_F(AlteraProbeTest, ACardWithADeviceFeatureList) {
  tree_.add_pci("0000:b1:00.0", "0x8086", "0x0b2b", "0x120000", "dfl-pci");
  tree_.add_pci("0000:00:00.0", "0x8086", "0x3e30", "0x060000", "");
  tree_.add(R"(
    sys/bus/pci/devices/0000:b1:00.0/fpga_region/region0/dfl-fme.0/bitstream_id = 0x2010002245a2b05
    sys/bus/pci/devices/0000:b1:00.0/fpga_region/region0/dfl-fme.0/errors/fme_errors = 0x0
    sys/bus/pci/devices/0000:b1:00.0/fpga_region/region0/dfl-port.0/afu_id = 0
    dev/dfl-fme.0
    dev/dfl-port.0
    usr/local/lib/libcoreDlaRuntimePlugin.so
  )");
  auto devices = seen();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].id, "fpga:0");
  EXPECT_EQ(devices[0].engine, "openvino");
  EXPECT_THAT(devices[0].nodes, ElementsAre("/dev/dfl-fme.0", "/dev/dfl-port.0"));
  EXPECT_THAT(devices[0].features, Contains("bitstream-0x2010002245a2b05"));
  EXPECT_EQ(devices[0].state, DeviceState::kUsable) << devices[0].missing;
  tree_.write("sys/bus/pci/devices/0000:b1:00.0/fpga_region/region0/dfl-fme.0/errors/fme_errors",
              "0x10\n");
  devices = seen();
  EXPECT_EQ(devices[0].state, DeviceState::kUnhealthy);
  EXPECT_THAT(devices[0].health, HasSubstr("dfl-fme.0 reports errors 0x10"));
}

TEST_F(AlteraProbeTest, ACardWithoutADriver) {
  tree_.add_pci("0000:b1:00.0", "0x1172", "0x2494", "0x120000", "");
  const auto devices = seen();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].model, "Altera FPGA card");
  EXPECT_THAT(devices[0].missing, HasSubstr("board support package"));
  EXPECT_THAT(devices[0].missing, HasSubstr("FPGA AI Suite"));
}

TEST_F(AlteraProbeTest, ABoardWithBothOnOneChip) {
  tree_.add(R"(
    proc/device-tree/model = Intel SOCFPGA Agilex SoCDK\0
    proc/device-tree/compatible = intel,socfpga-agilex-socdk\0intel,socfpga-agilex\0
    sys/class/fpga_manager/fpga0/name = Stratix10 SOC FPGA Manager
    sys/class/fpga_manager/fpga0/state = operating
  )");
  const auto devices = seen();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].driver, "Stratix10 SOC FPGA Manager");
  EXPECT_THAT(devices[0].features, ElementsAre("fpga-operating"));
}

}  // namespace
}  // namespace supernova::device::altera
