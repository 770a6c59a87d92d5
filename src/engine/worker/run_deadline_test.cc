// Runs that are not over at their deadline, or some time after they were cancelled.
#include "support/worker_fixture.h"

namespace supernova::engine::worker {
namespace {

TEST_F(WorkerEngine, ARunIsAnsweredAtItsDeadlineWhateverTheEngineDoes) {
  open({{"worker.load_timeout_ms", "3000"}});
  Opened it = load("values");
  const pid_t pid = record()->pid();
  const Answer late = ask(*it.session, {kHang}, kTimeToBegin).get();
  EXPECT_EQ(late.status().code(), absl::StatusCode::kDeadlineExceeded) << late.status();
  expect_through(*it.session, {1});
  EXPECT_EQ(record()->pid(), pid);
  // What is under way still can't be closed, so it goes with its worker.
  it = Opened{};
  wait_for([&] { return record()->ends(EndCause::kTimedOut) == 1; });
  expect_through(*load("").session, {2});
}

TEST_F(WorkerEngine, ARunThatIsCancelledAndDoesNotEndKeepsNobody) {
  open({{"worker.load_timeout_ms", "3000"}});
  Opened it = load(base::str_cat("values once=", once()));
  Stop stop;
  auto hung = ask(*it.session, {kHang}, {}, &stop);
  wait_for([&] { return std::filesystem::exists(once()); });  // it is in the engine then
  stop.request();
  EXPECT_EQ(hung.get().status().code(), absl::StatusCode::kCancelled);
  expect_through(*it.session, {1});
  it = Opened{};
  wait_for([&] { return record()->ends(EndCause::kTimedOut) == 1; });
}

TEST_F(WorkerEngine, WhatIsAnsweredAtItsDeadlineIsBlamedForWhatItDoesLater) {
  open({{"worker.run_timeout_ms", "1000"}});
  const Opened it = load("values");
  for (uint64_t i = 1; i <= 2; ++i) {
    const Answer late = ask(*it.session, {kHang, 7}, kTimeToBegin).get();
    EXPECT_EQ(late.status().code(), absl::StatusCode::kDeadlineExceeded) << late.status();
    wait_for([&] { return record()->ends(EndCause::kTimedOut) == i; });
  }
  // It is known by what the worker was given.
  wait_for([&] {
    const Answer again = ask(*it.session, {kHang, 7}, milliseconds(30)).get();
    return again.status().code() == absl::StatusCode::kFailedPrecondition;
  });
  expect_through(*it.session, {1, 7});
}

TEST_F(WorkerEngine, RunsThatAreGivenUpKeepTheirPlaceInTheEngine) {
  open();
  const Opened it = load("values");
  const int most = it.session->max_concurrency();
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < most; ++i) {
    answers.push_back(ask(*it.session, {kHang, static_cast<float>(i)}, kTimeToBegin));
  }
  for (auto& answer : answers) {
    EXPECT_EQ(answer.get().status().code(), absl::StatusCode::kDeadlineExceeded);
  }
  // The engine takes no more of them.
  const Answer full = ask(*it.session, {1}, milliseconds(100)).get();
  EXPECT_EQ(full.status().code(), absl::StatusCode::kDeadlineExceeded) << full.status();
  auto waits = ask(*it.session, {2});
  kill_worker();
  EXPECT_TRUE(waits.get().ok());
}

TEST_F(WorkerEngine, ARunThatWaitsForAPlaceGoesWhenAnyOtherHasEnded) {
  open();
  const Opened it = load("values meet=2");
  const Opened other = load("values meet=2");
  std::vector<std::future<Answer>> given_up;
  for (int i = 1; i < it.session->max_concurrency(); ++i) {
    given_up.push_back(ask(*it.session, {kHang, static_cast<float>(i)}, kTimeToBegin));
  }
  for (auto& answer : given_up) answer.wait();
  // One place is left.
  auto last = ask(*it.session, {kMeet});
  auto waits = ask(*it.session, {1});
  auto meets = ask(*other.session, {kMeet});
  EXPECT_TRUE(meets.get().ok());
  EXPECT_TRUE(last.get().ok());
  const bool went = waits.wait_for(std::chrono::seconds(20)) == std::future_status::ready;
  EXPECT_TRUE(went);
  if (!went) kill_worker();
}

}  // namespace
}  // namespace supernova::engine::worker
