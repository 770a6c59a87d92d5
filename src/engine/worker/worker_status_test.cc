#include "engine/worker/worker_status.h"

#include <gtest/gtest.h>

namespace supernova::engine::worker {
namespace {

TEST(WorkerStatusTest, RecordsAreListedWhileTheyLive) {
  auto first = add_worker_record("vendor@cpu");
  const auto second = add_worker_record("vendor@cpu");
  EXPECT_EQ(first->name(), "vendor@cpu");
  EXPECT_EQ(second->name(), "vendor@cpu#2");
  EXPECT_EQ(worker_records().size(), 2U);
  first.reset();
  ASSERT_EQ(worker_records().size(), 1U);
  EXPECT_EQ(worker_records().front()->name(), "vendor@cpu#2");
  EXPECT_EQ(add_worker_record("vendor@cpu")->name(), "vendor@cpu");
}

TEST(WorkerStatusTest, EndsAreCountedByCause) {
  const auto record = add_worker_record("w");
  record->count_end(EndCause::kCrashed);
  record->count_end(EndCause::kStopped);
  record->count_end(EndCause::kStopped);
  EXPECT_EQ(record->ends(EndCause::kCrashed), 1U);
  EXPECT_EQ(record->ends(EndCause::kStopped), 2U);
  EXPECT_EQ(record->ends(EndCause::kTimedOut), 0U);
}

}  // namespace
}  // namespace supernova::engine::worker
