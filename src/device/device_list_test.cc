#include "device/device_list.h"

#include <gtest/gtest.h>

namespace supernova::device {
namespace {

TEST(DeviceList, LooksWhenAskedAndAgainAfterForget) {
  int looks = 0;
  DeviceList list([&looks] {
    Device device = plain_cpu();
    device.ordinal = looks++;
    return Devices{device};
  });
  EXPECT_EQ(looks, 0);
  const auto before = list.get();
  EXPECT_EQ(list.get(), before);
  EXPECT_EQ(looks, 1);
  list.forget();
  EXPECT_EQ(looks, 1);
  EXPECT_EQ(list.get()->front().ordinal, 1);
  EXPECT_EQ(before->front().ordinal, 0);  // who holds the old one keeps it
  EXPECT_EQ(plain_cpu().id, "cpu");
  EXPECT_EQ(plain_cpu().abi_kind, SN_DEVICE_CPU);
}

}  // namespace
}  // namespace supernova::device
