// Workers that are killed, crash, hang and lie, seen through the engine.
#include "engine/worker/worker_engine.h"

#include "base/sanitized.h"
#include "support/worker_fixture.h"

namespace supernova::engine::worker {
namespace {

TEST_F(WorkerEngine, ARunOutlivesItsWorker) {
  open();
  const Opened it = load(base::str_cat("run=slow slow_ms=600000 once=", once()));
  auto answer = ask(*it.session, {1, 2});
  wait_for([&] { return std::filesystem::exists(once()); });
  kill_worker();
  const Answer got = answer.get();
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_THAT(values_of<float>(got->outputs[0]), ElementsAre(1, 2));
  EXPECT_EQ(record()->ends(EndCause::kKilledFromOutside), 1U);
  EXPECT_EQ(record()->ends(EndCause::kCrashed), 0U);
  EXPECT_EQ(record()->retried_runs(), 1U);
}

TEST_F(WorkerEngine, KillsUnderLoadLoseNothing) {
  open();
  const Opened it = load("");
  std::atomic<bool> ends{false};
  std::atomic<int> answered{0};
  std::vector<std::thread> clients;
  for (int t = 0; t < 4; ++t) {
    clients.emplace_back([&, t] {
      for (int i = 0; !ends; ++i) {
        const auto value = static_cast<float>(t * 100000 + i % 900);
        expect_through(*it.session, {value, value + 1, value + 2});
        ++answered;
      }
    });
  }
  for (int i = 0; i < 10; ++i) {
    const int before = answered;
    const uint64_t restarts = record()->restarts();
    kill_worker();
    wait_for([&] { return record()->restarts() > restarts && answered > before + 20; });
  }
  ends = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(record()->ends(EndCause::kKilledFromOutside), 10U);
}

TEST_F(WorkerEngine, ACrashIsTriedOnceMore) {
  open();
  const Opened it = load(base::str_cat("run=segv once=", once()));
  expect_through(*it.session, {5});
  EXPECT_EQ(record()->ends(EndCause::kCrashed), 1U);
}

TEST_F(WorkerEngine, ARequestThatCrashesIsAnsweredWithTheReason) {
  open();
  const Opened it = load("values");
  const Answer first = ask(*it.session, {kSegv, 3}).get();
  EXPECT_EQ(first.status().code(), absl::StatusCode::kInternal) << first.status();
#if !SUPERNOVA_SANITIZED
  EXPECT_THAT(std::string(first.status().message()), HasSubstr("SIGSEGV"));
#endif
  EXPECT_THAT(std::string(first.status().message()),
              HasSubstr("worker '" + record()->name() + "' ended"));
  const uint64_t crashes = record()->ends(EndCause::kCrashed);
  const Answer again = ask(*it.session, {kSegv, 3}).get();
  EXPECT_EQ(again.status().code(), absl::StatusCode::kFailedPrecondition) << again.status();
  EXPECT_EQ(record()->ends(EndCause::kCrashed), crashes) << "it is not tried any more";
  expect_through(*it.session, {1, 3});
}

TEST_F(WorkerEngine, ACrashOfOneModelsLoadLeavesOthersAlone) {
  open();
  const Opened good = load("");
  const auto bad = try_load("load=abort");
  ASSERT_FALSE(bad.ok());
  EXPECT_THAT(std::string(bad.status().message()), HasSubstr("SIGABRT"));
  expect_through(*good.session, {1, 2, 3});
  EXPECT_FALSE(try_load("open=exit").ok());
  expect_through(*good.session, {4});
  const auto error = try_load("load=error");
  EXPECT_THAT(std::string(error.status().message()), HasSubstr("as it was told to"));
}

TEST_F(WorkerEngine, ARunThatHangsIsEnded) {
  open({{"worker.run_timeout_ms", "300"}});
  const Opened it = load("values");
  expect_through(*it.session, {1});
  const Answer hung = ask(*it.session, {kHang}).get();
  EXPECT_EQ(hung.status().code(), absl::StatusCode::kDeadlineExceeded) << hung.status();
  expect_through(*it.session, {2});
  EXPECT_EQ(record()->ends(EndCause::kTimedOut), 1U);
}

TEST_F(WorkerEngine, AWorkerThatIsStoppedIsReplaced) {
  open({{"worker.run_timeout_ms", "300"}});
  const Opened it = load("values");
  expect_through(*it.session, {1});
  wait_for([&] { return record()->pid() != 0; });
  const pid_t pid = record()->pid();
  ::kill(pid, SIGSTOP);
  // All its threads are, or one may still answer.
  siginfo_t stopped{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &stopped, WSTOPPED | WNOWAIT), 0);
  expect_through(*it.session, {2});
  EXPECT_NE(record()->pid(), pid);
  EXPECT_EQ(record()->ends(EndCause::kTimedOut), 1U);
}

TEST_F(WorkerEngine, ALoadThatHangsIsEnded) {
  open({{"worker.load_timeout_ms", "2000"}});
  const Opened good = load("");
  const auto hung = try_load("load=hang");
  ASSERT_FALSE(hung.ok());
  EXPECT_THAT(std::string(hung.status().message()), HasSubstr("took too long"));
  expect_through(*good.session, {1});
}

TEST_F(WorkerEngine, SaysThatItCanNotRunWhileNoWorkerComesUp) {
  const auto program = folder_ / "worker";
  std::filesystem::create_symlink(SUPERNOVA_WORKER_PROGRAM, program);
  open({{"worker.program", program.string()}, {"worker.spare", "0"}});
  const Opened it = load("");
  EXPECT_TRUE(it.session->health().ok());
  std::filesystem::remove(program);
  kill_worker();
  // A run that finds none waits, but not beyond its deadline.
  wait_for([&] { return record()->pid() == 0; });
  const Answer late = ask(*it.session, {1}, milliseconds(30)).get();
  EXPECT_FALSE(late.ok());
  wait_for([&] { return !it.session->health().ok(); });
  const base::Status health = it.session->health();
  EXPECT_EQ(health.code(), absl::StatusCode::kUnavailable) << health;
  EXPECT_THAT(std::string(health.message()), HasSubstr("no worker has been ready for"));
  std::filesystem::create_symlink(SUPERNOVA_WORKER_PROGRAM, program);
  wait_for([&] { return it.session->health().ok(); });
  expect_through(*it.session, {3});
}

TEST_F(WorkerEngine, ALoadDoesNotWaitForAnother) {
  open();
  auto slow = std::async(std::launch::async, [&] {
    return try_load(base::str_cat("load=hang once=", once()), "slow");
  });
  wait_for([&] { return std::filesystem::exists(once()); });
  const Opened good = load("");
  expect_through(*good.session, {1});
  EXPECT_EQ(record()->ends(EndCause::kKilledFromOutside), 0U);
  kill_worker();
  const auto opened = slow.get();
  ASSERT_TRUE(opened.ok()) << opened.status();
  expect_through(*opened->session, {2});
  expect_through(*good.session, {3});
}

TEST_F(WorkerEngine, OfSeveralLoadsTheOneThatCrashesIsBlamed) {
  open();
  auto slow = std::async(std::launch::async, [&] {
    return try_load(base::str_cat("load=hang once=", once()), "slow");
  });
  wait_for([&] { return std::filesystem::exists(once()); });
  const auto bad = try_load("load=abort");
  ASSERT_FALSE(bad.ok());
  EXPECT_THAT(std::string(bad.status().message()), HasSubstr("SIGABRT"));
  const auto opened = slow.get();
  ASSERT_TRUE(opened.ok()) << opened.status();
  expect_through(*opened->session, {1});
}

TEST_F(WorkerEngine, WhatMakesNoSenseIsAnError) {
  open();
  const Opened it = load("values");
  EXPECT_EQ(ask(*it.session, {kCorrupt, 2}).get().status().code(), absl::StatusCode::kInternal);
  expect_through(*it.session, {1});
}

TEST_F(WorkerEngine, EndsWithItsEngine) {
  open();
  const Opened it = load("");
  const pid_t pid = record()->pid();
  ASSERT_EQ(::kill(pid, 0), 0);
  EXPECT_NE(::getpgid(pid), ::getpgrp());
  engine_.reset();  // the model holds it still
  expect_through(*it.session, {1});
  const_cast<Opened&>(it) = Opened{};
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST_F(WorkerEngine, SaysWhyItCanNotBeOpened) {
  const auto reason = [&](Options options) {
    options.try_emplace("worker.program", SUPERNOVA_WORKER_PROGRAM);
    return std::string(Engine::open(&worker_engine_entry, options).status().message());
  };
  EXPECT_THAT(reason({}), HasSubstr("worker.engine"));
  EXPECT_THAT(reason({{"worker.engine", "nothing"}}), HasSubstr("'nothing'"));
  EXPECT_THAT(reason({{"worker.library", "/nowhere.so"}}), HasSubstr("/nowhere.so"));
  EXPECT_THAT(reason({{"worker.engine", "x"}, {"worker.program", "/nowhere"}}),
              HasSubstr("/nowhere"));
  EXPECT_THAT(reason({{"worker.engine", "x"}, {"worker.strange", "1"}}),
              HasSubstr("worker.strange"));
  EXPECT_THAT(reason({{"worker.library", SUPERNOVA_FAULTY_FOLDER "/faulty_abi.so"}}),
              HasSubstr("version 99"));
  EXPECT_THAT(reason({{"worker.library", SUPERNOVA_FAULTY_FOLDER "/faulty_constructor.so"}}),
              HasSubstr("SIGABRT"));
}

}  // namespace
}  // namespace supernova::engine::worker
