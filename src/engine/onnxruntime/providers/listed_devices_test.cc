#include "engine/onnxruntime/providers/listed_devices.h"

#include <gtest/gtest.h>

namespace supernova::engine::onnxruntime {
namespace {

using Outcome = device::LibraryAnswer::Outcome;

TEST(ListedDevices, AreAskedForOnce) {
  int asked = 0;
  ListedDevices devices([&] {
    ++asked;
    return device::LibraryAnswer{Outcome::kAnswered, "", {{{"name", "a"}}, {{"name", "b"}}}};
  });
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(devices.get().size(), 2U);
  EXPECT_EQ(devices.get().size(), 2U);
  EXPECT_EQ(asked, 1);
}

TEST(ListedDevices, AreAskedForAgainWhileThereIsNone) {
  int asked = 0;
  ListedDevices devices([&]() -> device::LibraryAnswer {
    if (++asked == 1) return {Outcome::kRefused, "no driver", {}};
    return {Outcome::kAnswered, "", {{{"name", "a"}}}};
  });
  EXPECT_TRUE(devices.get().empty());
  EXPECT_EQ(devices.get().size(), 1U);
  EXPECT_EQ(devices.get().size(), 1U);
  EXPECT_EQ(asked, 2);
}

}  // namespace
}  // namespace supernova::engine::onnxruntime
