#include "model/version_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/config_text.h"

namespace supernova::model {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::set<int64_t> selected(std::string_view policy, const std::set<int64_t>& available) {
  const auto parsed = parse_config_text(base::str_cat("version_policy {", policy, "}"), "test");
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return selected_versions(parsed->config.version_policy(), available);
}

TEST(VersionPolicyTest, Selects) {
  EXPECT_THAT(selected("", {3, 10, 1}), ElementsAre(10));
  EXPECT_THAT(selected("latest { num_versions: 2 }", {3, 10, 1}), ElementsAre(3, 10));
  EXPECT_THAT(selected("latest { num_versions: 9 }", {3, 10, 1}), ElementsAre(1, 3, 10));
  EXPECT_THAT(selected("all {}", {3, 10, 1}), ElementsAre(1, 3, 10));
  EXPECT_THAT(selected("specific { versions: [ 10, 7, 3 ] }", {3, 10, 1}), ElementsAre(3, 10));
  EXPECT_THAT(selected("", {}), IsEmpty());
  EXPECT_THAT(selected("latest { num_versions: 4294967295 }", {1}), ElementsAre(1));
  EXPECT_THAT(selected("specific { versions: 4 }", {1}), IsEmpty());
}

}  // namespace
}  // namespace supernova::model
