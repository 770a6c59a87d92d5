#include "schedule/form_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supernova::schedule {
namespace {

using std::chrono::microseconds;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using Kind = BatchAction::Kind;

const Clock::Point kStart{std::chrono::hours(1)};

Waiting rows(size_t count) { return {count, true, kStart, Clock::kNever}; }
Waiting other(size_t count) { return {count, false, kStart, Clock::kNever}; }

struct Case {
  const char* what;
  BatchRules rules;
  std::vector<Waiting> waiting;
  bool running;
  microseconds since;  // the head came
  Kind kind;
  std::vector<uint32_t> take;
};

const Case kCases[] = {
    {"nobody waits", {8, {}, {}, false}, {}, false, {}, Kind::kNothing, {}},
    {"one and idle: at once",
     {8, {4}, microseconds(500), false},
     {rows(1)},
     false,
     {},
     Kind::kRun,
     {0}},
    {"all that wait, idle, though no preferred size",
     {8, {4}, microseconds(500), false},
     {rows(1), rows(1)},
     false,
     {},
     Kind::kRun,
     {0, 1}},
    {"no batching", {1, {}, {}, false}, {rows(1), rows(1)}, false, {}, Kind::kRun, {0}},
    {"up to the most",
     {4, {}, {}, false},
     {rows(2), rows(2), rows(1)},
     false,
     {},
     Kind::kRun,
     {0, 1}},
    {"what does not fit ends it",
     {4, {}, {}, false},
     {rows(3), rows(2), rows(1)},
     false,
     {},
     Kind::kRun,
     {0}},
    {"larger than the most runs alone",
     {4, {}, {}, false},
     {rows(9), rows(1)},
     false,
     {},
     Kind::kRun,
     {0}},
    {"a head that can't be joined",
     {4, {}, {}, false},
     {rows(0), rows(1)},
     false,
     {},
     Kind::kRun,
     {0}},
    {"other shapes are passed over",
     {8, {}, {}, false},
     {rows(1), other(1), rows(0), rows(1)},
     false,
     {},
     Kind::kRun,
     {0, 3}},
    {"unless order counts",
     {8, {}, {}, true},
     {rows(1), other(1), rows(1)},
     false,
     {},
     Kind::kRun,
     {0}},
    {"a preferred size exactly",
     {8, {2, 4}, {}, false},
     {rows(1), rows(1), rows(1), rows(1), rows(1)},
     false,
     {},
     Kind::kRun,
     {0, 1, 2, 3}},
    {"the head alone is one", {8, {3}, {}, false}, {rows(3), rows(1)}, false, {}, Kind::kRun, {0}},
    {"a preferred size that can't be met",
     {8, {4}, {}, false},
     {rows(3), rows(2)},
     false,
     {},
     Kind::kRun,
     {0, 1}},
    {"another instance runs: waits for more",
     {8, {}, microseconds(500), false},
     {rows(1), rows(1)},
     true,
     microseconds(499),
     Kind::kWait,
     {}},
    {"but not longer",
     {8, {}, microseconds(500), false},
     {rows(1), rows(1)},
     true,
     microseconds(500),
     Kind::kRun,
     {0, 1}},
    {"no delay is configured", {8, {}, {}, false}, {rows(1)}, true, {}, Kind::kRun, {0}},
    {"full does not wait",
     {2, {}, microseconds(500), false},
     {rows(1), rows(1)},
     true,
     {},
     Kind::kRun,
     {0, 1}},
    {"what can't grow does not wait",
     {4, {}, microseconds(500), false},
     {rows(3), rows(2)},
     true,
     {},
     Kind::kRun,
     {0}},
    {"nor where order ends it",
     {4, {}, microseconds(500), true},
     {rows(1), other(1)},
     true,
     {},
     Kind::kRun,
     {0}},
    {"preferred does not wait",
     {8, {2}, microseconds(500), false},
     {rows(1), rows(1)},
     true,
     {},
     Kind::kRun,
     {0, 1}},
    {"nobody expires for it",
     {8, {}, microseconds(500), false},
     {rows(1), {1, true, kStart, kStart + microseconds(400)}},
     true,
     {},
     Kind::kRun,
     {0, 1}},
};

TEST(FormBatchTest, Table) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.what);
    const BatchAction action = form_batch(c.rules, {c.waiting, c.running, kStart + c.since});
    EXPECT_EQ(static_cast<int>(action.kind), static_cast<int>(c.kind));
    EXPECT_THAT(action.take, ElementsAreArray(c.take));
    if (c.kind == Kind::kWait) {
      EXPECT_EQ(action.until, kStart + c.rules.max_queue_delay);
    }
  }
}

}  // namespace
}  // namespace supernova::schedule
