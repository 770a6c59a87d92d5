#include "device/device_list.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace supernova::device {
namespace {

using namespace std::chrono_literals;

// A look that ends when it is told to, and counts.
struct Looker {
  std::atomic<int> looks{0};
  std::promise<void> first_may_end;
  std::vector<Device> operator()() {
    if (++looks == 1) first_may_end.get_future().wait();
    return std::vector<Device>(static_cast<size_t>(looks.load()));
  }
};

TEST(DeviceListTest, OneLookServesWhoCameBeforeItAndUntilItIsOld) {
  Looker looker;
  DeviceList list([&] { return looker(); }, 1h);
  std::promise<size_t> first;
  std::promise<size_t> second;
  std::promise<size_t> third;
  const auto into = [](std::promise<size_t>& promise) {
    return [&promise](const DeviceList::Snapshot& found) { promise.set_value(found->size()); };
  };
  list.get(false, into(first));
  while (looker.looks == 0) std::this_thread::yield();
  // It comes while somebody looks already: too late to count for a look anew.
  list.get(true, into(second));
  looker.first_may_end.set_value();
  EXPECT_EQ(first.get_future().get(), 1U);
  EXPECT_EQ(second.get_future().get(), 2U);
  list.get(false, into(third));
  EXPECT_EQ(third.get_future().get(), 2U);
  EXPECT_EQ(looker.looks, 2);
}

TEST(DeviceListTest, AnOldLookCountsNoMore) {
  Looker looker;
  looker.first_may_end.set_value();
  DeviceList list([&] { return looker(); }, 0ms);
  for (size_t i = 1; i <= 3; ++i) {
    std::promise<size_t> found;
    list.get(false, [&](const DeviceList::Snapshot& d) { found.set_value(d->size()); });
    EXPECT_EQ(found.get_future().get(), i);
  }
}

TEST(DeviceListTest, EndsWithALookInProgress) {
  Looker looker;
  bool told = false;
  {
    DeviceList list([&] { return looker(); }, 1h);
    list.get(false, [&](const DeviceList::Snapshot&) { told = true; });
    looker.first_may_end.set_value();
  }
  EXPECT_TRUE(told);
}

TEST(DeviceListTest, LooksWhenAskedAndAgainAfterForget) {
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
