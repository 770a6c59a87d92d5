#include "engine/misspelt_option.h"

#include <gtest/gtest.h>

#include <string>

namespace supernova::engine {
namespace {

TEST(MisspeltOption, FindsWhatWasMeant) {
  EXPECT_EQ(misspelt_option("strict_devise"), "strict_device");
  EXPECT_EQ(misspelt_option("strictdevice"), "strict_device");
  EXPECT_EQ(misspelt_option("strict-device"), "strict_device");
  EXPECT_EQ(misspelt_option("isolaton"), "isolation");
  EXPECT_EQ(misspelt_option("devise"), "device");
  EXPECT_EQ(misspelt_option("execution_providers"), "execution_provider");
}

TEST(MisspeltOption, LeavesOthersAlone) {
  for (const char* option : {"", "device", "strict_device", "isolation", "xnnpack", "advice", "de",
                             "provider.device_id", "ep_library", "execution_mode"}) {
    EXPECT_EQ(misspelt_option(option), "") << option;
  }
  EXPECT_EQ(misspelt_option(std::string(1 << 20, 'd')), "");
}

}  // namespace
}  // namespace supernova::engine
