#include "engine/option_values.h"

#include <gtest/gtest.h>

namespace supernova::engine {
namespace {

TEST(OptionValues, AFlagIsTrueOrFalseOrAMistake) {
  EXPECT_FALSE(*is_strict({}));
  EXPECT_FALSE(*is_strict({{"strict_device", "false"}}));
  EXPECT_TRUE(*is_strict({{"strict_device", "true"}}));
  EXPECT_TRUE(*flag_option({}, "xnnpack", true));
  for (const char* value : {"", "yes", "True", "1", "true "}) {
    const auto read = is_strict({{"strict_device", value}});
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument) << value;
    EXPECT_EQ(read.status().message(),
              base::str_cat("option strict_device is '", value, "'; it must be 'true' or 'false'"));
  }
}

}  // namespace
}  // namespace supernova::engine
