#include "device/vulkan/choose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supernova::device::vulkan {
namespace {

using testing::AllOf;
using testing::HasSubstr;

sn_device device_of(sn_device_kind kind, const char* id, uint32_t vendor, uint32_t product) {
  sn_device device{};
  device.size = sizeof(device);
  device.kind = kind;
  device.id = id;
  device.vendor_id = vendor;
  device.product_id = product;
  return device;
}

const sn_device kCard = device_of(SN_DEVICE_VULKAN, "pci:0000:17:00.0", 0x10de, 0x20b5);
const sn_device kSoftware = device_of(SN_DEVICE_VULKAN, "6d657361-3235", 0x10005, 0);

Record record(const char* name, uint32_t vendor, uint32_t product, const char* slot,
              const char* uuid = "") {
  return {{"name", name},
          {"vendor", std::to_string(vendor)},
          {"device", std::to_string(product)},
          {"slot", slot},
          {"uuid", uuid}};
}
const Record kCardListed = record("A100", 0x10de, 0x20b5, "0000:17:00.0");
const Record kTwinListed = record("A100", 0x10de, 0x20b5, "0000:ca:00.0");
const Record kSoftwareListed = record("llvmpipe", 0x10005, 0, "", "6d657361-3235");

TEST(VulkanChoice, TheEnvironmentNamesTheDevice) {
  EXPECT_EQ(environment_for(kCard, ""),
            "VK_LOADER_VENDOR_ID_FILTER=0x10de\n"
            "VK_LOADER_DEVICE_ID_FILTER=0x20b5\n"
            "DRI_PRIME=pci-0000_17_00_0\n"
            "MESA_VK_DEVICE_SELECT_FORCE_DEFAULT_DEVICE=1");
  EXPECT_EQ(environment_for(kSoftware, "A=1\nB=2"),
            "A=1\nB=2\n"
            "VK_LOADER_VENDOR_ID_FILTER=0x10005\n"
            "VK_LOADER_DEVICE_ID_FILTER=0x0\n"
            "MESA_VK_DEVICE_SELECT=10005:0\n"
            "MESA_VK_DEVICE_SELECT_FORCE_DEFAULT_DEVICE=1");
  sn_device nvidia = kCard;
  nvidia.kind = SN_DEVICE_NVIDIA;
  EXPECT_EQ(environment_for(nvidia, ""), environment_for(kCard, ""));
}

TEST(VulkanChoice, WhoChoosesIsLeftAlone) {
  for (const char* chosen : {"VK_DRIVER_FILES=/a.json", "A=1\nVK_ICD_FILENAMES=/a.json",
                             "MESA_VK_DEVICE_SELECT=10de:20b5!\nA=1", "DRI_PRIME=1"}) {
    EXPECT_EQ(environment_for(kCard, chosen), chosen);
  }
  EXPECT_NE(environment_for(kCard, "MY_DRI_PRIME=1"), "MY_DRI_PRIME=1");
  EXPECT_EQ(environment_for(device_of(SN_DEVICE_CPU, "cpu", 0, 0), "A=1"), "A=1");
  EXPECT_EQ(environment_for(device_of(SN_DEVICE_EDGETPU, "usb:2-1", 0x1a6e, 0x89a), ""), "");
  EXPECT_EQ(environment_for(device_of(SN_DEVICE_VULKAN, nullptr, 0, 0), ""), "");
}

TEST(VulkanChoice, OnlyADeviceThatIsAloneIsTakenForSure) {
  EXPECT_EQ(why_not_alone(kCard, {kCardListed}), "");
  EXPECT_EQ(why_not_alone(kSoftware, {kSoftwareListed}), "");
  EXPECT_EQ(why_not_alone(kCard, {}), "") << "WebGPU says itself that there is none";
  EXPECT_THAT(why_not_alone(kCard, {kSoftwareListed, kCardListed}),
              AllOf(HasSubstr("lists llvmpipe, A100"), HasSubstr("in a worker"),
                    HasSubstr("VK_DRIVER_FILES")));
  EXPECT_THAT(why_not_alone(kCard, {kCardListed, kTwinListed}), HasSubstr("which of them"));
  EXPECT_THAT(why_not_alone(kCard, {kTwinListed}), HasSubstr("but not this device: name"));
  EXPECT_THAT(why_not_alone(kSoftware, {kCardListed}), HasSubstr("but not this device: name"));
  EXPECT_THAT(why_not_alone(kSoftware, {record("llvmpipe", 0x10005, 0, "", "6d657361-3232")}),
              HasSubstr("but not this device: name"));
}

}  // namespace
}  // namespace supernova::device::vulkan
