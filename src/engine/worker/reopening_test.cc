// What was open when a worker ended, and what its opening again does to the next one.
#include "support/worker_fixture.h"

namespace supernova::engine::worker {
namespace {

TEST_F(WorkerEngine, WhatWasOpenIsOpenedAgainSideBySide) {
  open();
  std::vector<Opened> all;
  for (int i = 0; i < 8; ++i) all.push_back(load("load=meet meet=8 while=" + gone()));
  lose_device();
  kill_worker();
  for (const Opened& one : all) expect_through(*one.session, {1});
  EXPECT_EQ(record()->ends(EndCause::kKilledFromOutside), 1U);
  EXPECT_EQ(record()->restarts(), 1U);
}

TEST_F(WorkerEngine, OfSeveralThatAreOpenedAgainTheOneThatCrashesIsBlamed) {
  open();
  std::vector<Opened> good;
  const std::string slow = "load=slow slow_ms=100 while=" + gone();
  for (int i = 0; i < 3; ++i) good.push_back(load(slow));
  const Opened bad = load("load=abort while=" + gone());
  for (int i = 0; i < 3; ++i) good.push_back(load(slow));
  lose_device();
  kill_worker();
  for (const Opened& one : good) expect_through(*one.session, {1});
  // Once among others, which tells nothing, and twice alone.
  EXPECT_EQ(record()->ends(EndCause::kCrashed), 3U);
  const base::Status health = bad.session->health();
  EXPECT_EQ(health.code(), absl::StatusCode::kUnavailable) << health;
  EXPECT_THAT(std::string(health.message()), HasSubstr("quarantined"));
  // It is not tried in the next one, so that the others come back at once.
  kill_worker();
  for (const Opened& one : good) {
    expect_through(*one.session, {2});
    EXPECT_TRUE(one.session->health().ok());
  }
  EXPECT_EQ(record()->ends(EndCause::kCrashed), 3U);
}

TEST_F(WorkerEngine, OfSeveralThatAreOpenedAgainTheOneThatHangsIsBlamed) {
  open({{"worker.load_timeout_ms", "1500"}});
  const Opened bad = load("load=hang while=" + gone());
  const Opened good = load("");
  const Opened other = load("");
  lose_device();
  kill_worker();
  expect_through(*good.session, {1});
  expect_through(*other.session, {1});
  EXPECT_EQ(record()->ends(EndCause::kTimedOut), 2U);
  EXPECT_THAT(std::string(bad.session->health().message()), HasSubstr("quarantined"));
}

TEST_F(WorkerEngine, KillsWhileModelsAreOpenedAgainBlameNobody) {
  open();
  const Opened first = load(base::str_cat("load=hang while=", gone(), " once=", once()));
  const Opened second = load("");
  lose_device();
  kill_worker();
  for (int i = 0; i < 4; ++i) {
    pid_t pid = 0;
    wait_for([&] { return static_cast<bool>(std::ifstream(once()) >> pid); });
    if (i < 3) std::filesystem::remove(once());
    ::kill(pid, SIGKILL);
  }
  expect_through(*first.session, {1});
  expect_through(*second.session, {1});
  EXPECT_EQ(record()->ends(EndCause::kKilledFromOutside), 5U);
  EXPECT_TRUE(first.session->health().ok());
}

TEST_F(WorkerEngine, WhoIsToldThatAModelIsGoneMayAskAboutOthers) {
  open();
  const Opened bad = load("load=error values while=" + gone());
  const Opened good = load("");
  lose_device();
  std::promise<bool> told;
  std::future<base::Status> health;
  tensor::Request request;
  request.inputs.push_back(
      tensor_of("INPUT0", tensor::DataType::kFp32, {1}, std::vector<float>{kHang}));
  bad.session->run(request, [&](const Answer& answer) {
    EXPECT_THAT(std::string(answer.status().message()), HasSubstr("could not be opened again"));
    health = std::async(std::launch::async, [&] { return good.session->health(); });
    told.set_value(health.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
  });
  kill_worker();
  EXPECT_TRUE(told.get_future().get());
  EXPECT_TRUE(health.get().ok());
}

TEST_F(WorkerEngine, OneThatIsClosedSlowlyKeepsNoOtherFromThat) {
  open();
  Opened slow = load(base::str_cat("close=hang while=", gone(), " once=", once()));
  Opened quick = load("");
  lose_device();
  const auto closes = std::async(std::launch::async, [&] { slow = Opened{}; });
  wait_for([&] { return std::filesystem::exists(once()); });
  const auto other = std::async(std::launch::async, [&] { quick = Opened{}; });
  EXPECT_EQ(other.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  give_device_back();
  closes.wait();
}

// Who answers a run that was lost is the last to hold its engine.
TEST_F(WorkerEngine, MayEndOnAThreadThatHearsItsWorkers) {
  open({{"worker.spare", "0"}});
  Opened it = load("values");
  std::promise<void> told;
  std::promise<void> closed;
  tensor::Request request;
  request.inputs.push_back(
      tensor_of("INPUT0", tensor::DataType::kFp32, {1}, std::vector<float>{kSegv}));
  it.session->run(request, [&](const Answer& answer) {
    EXPECT_FALSE(answer.ok());
    told.set_value();
    closed.get_future().wait();
  });
  told.get_future().wait();
  const auto known = record();
  it = Opened{};
  engine_.reset();
  closed.set_value();
  wait_for([&] { return known->state() == WorkerState::kStopped; });
}

}  // namespace
}  // namespace supernova::engine::worker
