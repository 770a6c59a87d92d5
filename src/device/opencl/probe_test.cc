#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device/probes.h"
#include "support/recorded_tree.h"

namespace supernova::device::opencl {

Probe make_probe();

namespace {

using ::testing::HasSubstr;
using Outcome = LibraryAnswer::Outcome;

class OpenClProbeTest : public ::testing::Test {
 protected:
  void SetUp() override { tree_.add("etc/OpenCL/vendors/pocl.icd = libpocl.so.2"); }
  test::RecordedTree tree_;
};

TEST_F(OpenClProbeTest, DevicesAreListedThoughNoEngineDrivesThem) {
  const auto devices = tree_.seen_by(make_probe(), [] {
    return LibraryAnswer{Outcome::kAnswered,
                         "",
                         {{{"name", "cpu-haswell"},
                           {"type", "2"},
                           {"platform", "Portable Computing Language"},
                           {"units", "2"},
                           {"memory", "1000"}},
                          {{"name", "gpu"}, {"type", "4"}, {"slot", "0000:00:02.0"}}}};
  });
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices[0].model, "cpu-haswell");
  EXPECT_TRUE(is_emulated(devices[0]));
  EXPECT_EQ(devices[0].driver, "Portable Computing Language");
  EXPECT_EQ(devices[0].engine, "");
  EXPECT_EQ(devices[0].state, DeviceState::kUnusable);
  EXPECT_THAT(devices[0].missing, HasSubstr("no engine runs models through OpenCL by itself"));
  EXPECT_EQ(devices[1].address, "pci:0000:00:02.0");
}

TEST_F(OpenClProbeTest, ARecordedTreeNamesItsDriversOnly) {
  const auto devices = tree_.seen_by(make_probe());
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_THAT(devices[0].model, HasSubstr("libpocl.so.2"));
}

TEST_F(OpenClProbeTest, ADriverThatHangs) {
  const auto devices = tree_.seen_by(make_probe(), [] {
    return LibraryAnswer{Outcome::kTimedOut, "did not answer within 5 s", {}};
  });
  EXPECT_EQ(devices.at(0).state, DeviceState::kNotAnswering);
  EXPECT_THAT(devices.at(0).health, HasSubstr("did not answer within 5 s"));
}

}  // namespace
}  // namespace supernova::device::opencl
