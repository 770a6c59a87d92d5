#include "model/next_action.h"

#include <gtest/gtest.h>

namespace supernova::model {
namespace {

constexpr auto kNo = std::nullopt;

struct Case {
  const char* what;
  ModelFactsNow model;
  Action expected;
};

TEST(NextAction, Table) {
  const Action nothing;
  const auto load = [](int64_t version) { return Action{ActionKind::kLoad, version}; };
  const auto unload = [](int64_t version) { return Action{ActionKind::kUnload, version}; };
  const Case cases[] = {
      // {number, wanted, serving, failed}
      {"no version", {}, nothing},
      {"all as wanted", {{{1, 7, 7, kNo}}}, nothing},
      {"one to load", {{{1, 7, kNo, kNo}}}, load(1)},
      {"the highest first", {{{1, 7, kNo, kNo}, {3, 7, kNo, kNo}, {2, 7, kNo, kNo}}}, load(3)},
      {"busy waits", {{{1, 7, kNo, kNo}}, true}, nothing},
      {"what failed is not tried again", {{{1, 7, kNo, 7}}}, nothing},
      {"what failed and changed is", {{{1, 8, kNo, 7}}}, load(1)},
      {"changed content is loaded beside the old", {{{1, 8, 7, kNo}}}, load(1)},
      {"a failed reload leaves the old", {{{1, 8, 7, 8}}}, nothing},
      {"changed back after a failed reload", {{{1, 7, 7, 8}}}, nothing},
      {"new version before old goes", {{{1, kNo, 7, kNo}, {2, 7, kNo, kNo}}}, load(2)},
      {"new version serves, old goes", {{{1, kNo, 7, kNo}, {2, 7, 7, kNo}}}, unload(1)},
      {"new version failed, old stays", {{{1, kNo, 7, kNo}, {2, 7, kNo, 7}}}, nothing},
      {"stale but serving is no gap", {{{1, kNo, 7, kNo}, {2, 8, 7, 8}}}, unload(1)},
      {"lowest goes first", {{{2, kNo, 7, kNo}, {1, kNo, 7, kNo}}}, unload(1)},
      {"nothing wanted, all go", {{{1, kNo, 7, kNo}, {2, kNo, kNo, 7}}}, unload(1)},
      {"one of two failed, a third loads first",
       {{{1, kNo, 7, kNo}, {2, 7, kNo, 7}, {3, 7, kNo, kNo}}},
       load(3)},
      {"free first: the old version goes",
       {{{1, kNo, 7, kNo}, {2, 7, kNo, kNo}}, false, true},
       unload(1)},
      {"free first: the same version goes", {{{1, 8, 7, kNo}}, false, true}, unload(1)},
      {"free first: then it loads", {{{1, 8, kNo, kNo}}, false, true}, load(1)},
      {"free first: other wanted versions stay",
       {{{1, 7, 7, kNo}, {2, 7, kNo, kNo}}, false, true},
       load(2)},
      {"free first without a load frees nothing that fills a gap",
       {{{1, kNo, 7, kNo}, {2, 7, kNo, 7}}, false, true},
       nothing},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(next_action(one.model), one.expected)
        << one.what << ": got " << static_cast<int>(next_action(one.model).kind) << " of "
        << next_action(one.model).version;
  }
}

TEST(NextAction, MemoryBudget) {
  EXPECT_FALSE(must_free_first(0, 1000, 1000));
  EXPECT_FALSE(must_free_first(100, 60, 40));
  EXPECT_TRUE(must_free_first(100, 61, 40));
  EXPECT_TRUE(must_free_first(100, 0, 101));
  EXPECT_TRUE(must_free_first(100, ~uint64_t{0}, ~uint64_t{0}));
}

// Whatever fails, a model that serves goes on serving, and the decisions come to an end.
TEST(NextAction, EndsAndKeepsServing) {
  for (unsigned bits = 0; bits < 1U << 9; ++bits) {
    ModelFactsNow model;
    bool wanted = false;
    bool served = false;
    for (int i = 0; i < 3; ++i) {
      VersionFacts version{i + 1};
      if (bits & (1U << i)) version.wanted = 8;
      if (bits & (8U << i)) version.serving = 7;
      wanted |= version.wanted.has_value();
      served |= version.serving.has_value();
      model.versions.push_back(version);
    }
    int steps = 0;
    for (Action action; (action = next_action(model)).kind != ActionKind::kNothing; ++steps) {
      ASSERT_LT(steps, 10);
      VersionFacts& version = model.versions[static_cast<size_t>(action.version - 1)];
      if (action.kind == ActionKind::kUnload) {
        version.serving.reset();
      } else if (bits & (64U << (action.version - 1))) {
        version.serving = version.wanted;
      } else {
        version.failed = version.wanted;
      }
      bool serves = false;
      for (const VersionFacts& one : model.versions) serves |= one.serving.has_value();
      EXPECT_TRUE(serves || !served || !wanted) << bits;
    }
  }
}

}  // namespace
}  // namespace supernova::model
