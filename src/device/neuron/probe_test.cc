#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device/probes.h"
#include "support/recorded_tree.h"

namespace supernova::device::neuron {

Probe make_probe();

namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(NeuronProbeTest, AnInf2Instance) {
  test::RecordedTree tree;
  tree.add_pci("0000:00:05.0", "0x1d0f", "0xec20", "0x020000", "ena");
  tree.add_pci("0000:00:1e.0", "0x1d0f", "0x7264", "0x088000", "neuron");
  tree.add_pci("0000:00:1f.0", "0x1d0f", "0x7264", "0x088000", "neuron");
  tree.add(R"(
    sys/module/neuron/version = 2.18.12.0
    opt/aws/neuron/lib/libnrt.so.1
    dev/neuron0
  )");
  const auto devices = tree.seen_by(make_probe());
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices[0].id, "neuron:0");
  EXPECT_EQ(devices[0].model, "AWS Inferentia2");
  EXPECT_EQ(devices[0].driver_version, "2.18.12.0");
  EXPECT_THAT(devices[0].nodes, ElementsAre("/dev/neuron0"));
  EXPECT_THAT(devices[0].missing, HasSubstr("no engine of this program runs"));
  EXPECT_THAT(devices[0].missing, Not(HasSubstr("libnrt.so.1 is not installed")));
  EXPECT_THAT(devices[1].missing, HasSubstr("/dev/neuron1 is missing"));
  EXPECT_THAT(devices[1].missing, EndsWith(devices[1].no_engine));
}

TEST(NeuronProbeTest, NodesWhoseBusIsNotToBeSeen) {
  test::RecordedTree tree;
  tree.add("dev/neuron0\ndev/neuron1\ndev/neuron_core");
  const auto devices = tree.seen_by(make_probe());
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices[1].address, "/dev/neuron1");
  EXPECT_THAT(devices[1].missing, HasSubstr("libnrt.so.1 is not installed"));
}

}  // namespace
}  // namespace supernova::device::neuron
