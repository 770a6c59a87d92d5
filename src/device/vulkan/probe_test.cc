#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "device/probes.h"
#include "device/vulkan/vulkan.h"
#include "support/recorded_tree.h"

namespace supernova::device::vulkan {

Probe make_probe();

namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Outcome = LibraryAnswer::Outcome;

class VulkanProbeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    tree_.add("usr/share/vulkan/icd.d/lvp_icd.x86_64.json = {}");
    tree_.add("etc/vulkan/icd.d/nvidia_icd.json = {}");
  }
  std::vector<Device> seen(std::function<LibraryAnswer()> ask = {}) {
    return tree_.seen_by(make_probe(), std::move(ask));
  }
  test::RecordedTree tree_;
};

TEST_F(VulkanProbeTest, DevicesAreWhatTheLoaderSays) {
  const auto devices = seen([] {
    return LibraryAnswer{Outcome::kAnswered,
                         "",
                         {{{"name", "llvmpipe (LLVM 15.0.6, 256 bits)"},
                           {"type", "4"},
                           {"version", "1.3.230"},
                           {"driver", "llvmpipe"},
                           {"driver_info", "Mesa 25.0.7"},
                           {"vendor", "65541"},
                           {"memory", "8000000000"}},
                          {{"name", "NVIDIA A100"},
                           {"type", "2"},
                           {"vendor", "4318"},
                           {"device", "8373"},
                           {"version", "1.3.242"},
                           {"slot", "0000:17:00.0"},
                           {"uuid", "0f6a"}}}};
  });
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices[0].id, "vulkan:0");
  EXPECT_TRUE(is_emulated(devices[0]));
  EXPECT_EQ(devices[0].driver_version, "Mesa 25.0.7");
  EXPECT_EQ(devices[0].memory_bytes, 8000000000U);
  EXPECT_EQ(devices[1].address, "pci:0000:17:00.0");
  EXPECT_EQ(devices[1].vendor_id, 0x10deU);
  EXPECT_FALSE(is_emulated(devices[1]));
  EXPECT_THAT(devices[1].features, Contains("discrete"));
  EXPECT_EQ(devices[1].engine, "onnxruntime");
}

TEST_F(VulkanProbeTest, ADriverThatWebGpuRefusesSaysSoBeforehand) {
  const auto devices = seen([] {
    return LibraryAnswer{Outcome::kAnswered,
                         "",
                         {{{"name", "llvmpipe"},
                           {"type", "4"},
                           {"driver_info", "Mesa 22.3.6"},
                           {"no_dynamic_indexing", "1"}}}};
  });
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].state, DeviceState::kUnusable);
  EXPECT_EQ(devices[0].engine, "onnxruntime");
  EXPECT_THAT(devices[0].missing, HasSubstr("its driver (Mesa 22.3.6) can't index arrays"));
  EXPECT_THAT(devices[0].missing, HasSubstr("Mesa 25 or later"));
}

TEST_F(VulkanProbeTest, ARecordedTreeNamesItsDriversOnly) {
  const auto devices = seen();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_THAT(devices[0].model, HasSubstr("lvp_icd.x86_64, nvidia_icd"));
  EXPECT_EQ(devices[0].state, DeviceState::kUnusable);
}

TEST_F(VulkanProbeTest, ALoaderThatIsMissingOrCrashes) {
  EXPECT_THAT(seen([] {
                return LibraryAnswer{Outcome::kAbsent, "libvulkan.so.1", {}};
              })
                  .at(0)
                  .missing,
              HasSubstr("apt install libvulkan1"));
  const auto devices = seen([] {
    return LibraryAnswer{Outcome::kCrashed, "crashed (SIGSEGV)", {}};
  });
  EXPECT_EQ(devices.at(0).state, DeviceState::kNotAnswering);
  EXPECT_THAT(devices.at(0).health, HasSubstr("crashed (SIGSEGV)"));
}

TEST_F(VulkanProbeTest, OnThisMachineTheDriversThatAreNamedCount) {
  const auto with = [](const char* newer, const char* older) {
    ::setenv("VK_DRIVER_FILES", newer, 1);
    ::setenv("VK_ICD_FILENAMES", older, 1);
    const std::vector<std::string> drivers = installed_drivers("/");
    ::unsetenv("VK_DRIVER_FILES");
    ::unsetenv("VK_ICD_FILENAMES");
    return drivers;
  };
  const std::string lvp = tree_.root() + "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";
  const std::string folder = tree_.root() + "/etc/vulkan/icd.d";
  EXPECT_THAT(with("", lvp.c_str()), ElementsAre("lvp_icd.x86_64"));
  EXPECT_THAT(with((":" + folder + ":" + lvp).c_str(), "/nowhere.json"),
              ElementsAre("nvidia_icd", "lvp_icd.x86_64"));
  EXPECT_THAT(with("/nowhere.json", lvp.c_str()), IsEmpty());
}

TEST_F(VulkanProbeTest, WithoutADriverNobodyIsAsked) {
  tree_.remove("usr");
  tree_.remove("etc");
  bool asked = false;
  EXPECT_TRUE(seen([&] {
                asked = true;
                return LibraryAnswer();
              }).empty());
  EXPECT_FALSE(asked);
}

}  // namespace
}  // namespace supernova::device::vulkan
