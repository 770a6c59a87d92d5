// Workers whose device is lost, for a moment or for long.
#include "support/worker_fixture.h"

namespace supernova::engine::worker {
namespace {

TEST_F(WorkerEngine, ARunThatFindsTheDeviceLostIsTriedInTheNextWorker) {
  open();
  const Opened it = load(base::str_cat("run=lost once=", once()));
  const Opened other = load("");
  expect_through(*it.session, {1, 2});
  EXPECT_EQ(record()->ends(EndCause::kDeviceLost), 1U);
  EXPECT_EQ(record()->restarts(), 1U);
  EXPECT_EQ(record()->retried_runs(), 1U);
  expect_through(*it.session, {3});
  expect_through(*other.session, {4});
  EXPECT_EQ(record()->ends(EndCause::kDeviceLost), 1U);
  EXPECT_EQ(record()->ends(EndCause::kCrashed), 0U);
}

TEST_F(WorkerEngine, ADeviceThatStaysLostIsWaitedFor) {
  open();
  const Opened it = load(base::str_cat("load=lost run=lost while=", gone()));
  expect_through(*it.session, {1});
  lose_device();
  const Answer lost = ask(*it.session, {2}).get();
  EXPECT_EQ(lost.status().code(), absl::StatusCode::kUnavailable) << lost.status();
  EXPECT_THAT(std::string(lost.status().message()), HasSubstr("the test device is lost"));
  wait_for([&] { return !it.session->health().ok(); });
  EXPECT_THAT(std::string(it.session->health().message()), HasSubstr("the test device is lost"));
  const uint64_t ends = record()->ends(EndCause::kDeviceLost);
  wait_for([&] { return record()->ends(EndCause::kDeviceLost) > ends; });  // it goes on
  give_device_back();
  wait_for([&] { return it.session->health().ok(); });
  expect_through(*it.session, {3});
}

// What engines say when a device is not there any more is not what they say when they lose it.
TEST_F(WorkerEngine, ADeviceIsWaitedForWhateverIsSaidOfItsAbsence) {
  open();
  const Opened it = load(base::str_cat("load=error values while=", gone()));
  lose_device();
  const Answer lost = ask(*it.session, {kLost}).get();
  EXPECT_EQ(lost.status().code(), absl::StatusCode::kUnavailable) << lost.status();
  wait_for([&] { return !it.session->health().ok(); });
  EXPECT_THAT(std::string(it.session->health().message()), HasSubstr("as it was told to"));
  give_device_back();
  wait_for([&] { return it.session->health().ok(); });
  expect_through(*it.session, {3});
}

TEST_F(WorkerEngine, ALoadThatFindsTheDeviceLostIsTriedInTheNextWorker) {
  open();
  const Opened good = load("");
  const auto once_lost = try_load(base::str_cat("load=lost once=", once()));
  ASSERT_TRUE(once_lost.ok()) << once_lost.status();
  expect_through(*once_lost->session, {1});
  EXPECT_EQ(record()->ends(EndCause::kDeviceLost), 1U);
  // The device is there for others, so it is the model's doing.
  const auto bad = try_load("load=lost");
  ASSERT_FALSE(bad.ok());
  EXPECT_THAT(std::string(bad.status().message()), HasSubstr("the test device is lost"));
}

TEST_F(WorkerEngine, ARunThatAlwaysLosesTheDeviceIsRefusedInTheEnd) {
  open();
  const Opened it = load("values");
  const Opened good = load("");
  for (int i = 0; i < 2; ++i) {
    const Answer lost = ask(*it.session, {kLost, 7}).get();
    EXPECT_EQ(lost.status().code(), absl::StatusCode::kUnavailable) << lost.status();
    expect_through(*good.session, {1});
  }
  EXPECT_EQ(record()->ends(EndCause::kDeviceLost), 4U);
  const Answer refused = ask(*it.session, {kLost, 7}).get();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition) << refused.status();
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("lost its device"));
  EXPECT_EQ(record()->ends(EndCause::kDeviceLost), 4U);
  expect_through(*it.session, {1, 7});
}

TEST_F(WorkerEngine, AModelThatAlwaysLosesTheDeviceIsNotOpenedAgainInTheEnd) {
  open();
  const Opened bad = load(base::str_cat("open=lost while=", gone()));
  const Opened good = load("");
  lose_device();
  kill_worker();
  expect_through(*good.session, {1});
  const base::Status health = bad.session->health();
  EXPECT_EQ(health.code(), absl::StatusCode::kUnavailable) << health;
  EXPECT_THAT(std::string(health.message()), HasSubstr("quarantined"));
  // Among others, alone before the other was there (where that was under way too), alone after it.
  EXPECT_GE(record()->ends(EndCause::kDeviceLost), 3U);
  EXPECT_LE(record()->ends(EndCause::kDeviceLost), 4U);
}

TEST_F(WorkerEngine, AnEngineMaySayThatItsDeviceIsLostWhenItIsAsked) {
  open();
  const Opened it = load("values");
  expect_through(*it.session, {kFade});
  const base::Status health = it.session->health();
  EXPECT_EQ(health.code(), absl::StatusCode::kUnavailable) << health;
  EXPECT_THAT(std::string(health.message()), HasSubstr("faded away"));
  wait_for([&] { return it.session->health().ok(); });
  EXPECT_EQ(record()->ends(EndCause::kDeviceLost), 1U);
  // Also where the run says something else.
  const Answer sunk = ask(*it.session, {kSink}).get();
  EXPECT_EQ(sunk.status().code(), absl::StatusCode::kUnavailable) << sunk.status();
  EXPECT_THAT(std::string(sunk.status().message()), HasSubstr("faded away"));
  expect_through(*it.session, {1});
}

}  // namespace
}  // namespace supernova::engine::worker
