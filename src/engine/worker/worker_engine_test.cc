// Workers that are killed, crash, hang and lie (tests/faulty_engine), seen through the engine.
#include "engine/worker/worker_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <sstream>
#include <thread>

#include "base/sanitized.h"
#include "base/usual_priority.h"
#include "engine/engine.h"
#include "engine/worker/worker_status.h"
#include "support/tensors.h"

namespace supernova::engine::worker {
namespace {

using std::chrono::milliseconds;
using test::tensor_of;
using test::values_of;
using testing::ElementsAre;
using testing::HasSubstr;

using Answer = base::Result<tensor::Response>;

class WorkerEngine : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "supernova-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void open(Options options = {}) {
    options.try_emplace("worker.library", SUPERNOVA_FAULTY_ENGINE);
    options.try_emplace("worker.program", SUPERNOVA_WORKER_PROGRAM);
    options.try_emplace("worker.name", folder_.filename().string());
    auto engine = Engine::open(&worker_engine_entry, options);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }

  struct Opened {
    std::unique_ptr<Model> model;
    std::unique_ptr<Session> session;
  };
  base::Result<Opened> try_load(const std::string& words) {
    return try_load(words, base::str_cat("model", ++models_));
  }
  base::Result<Opened> try_load(const std::string& words, const std::string& name) {
    Artefact artefact;
    artefact.format = "faulty";
    artefact.path = folder_ / name;
    artefact.digest = artefact.path;
    std::ofstream(artefact.path) << words;
    Opened opened;
    SN_ASSIGN(opened.model, engine_->open_model(artefact, {}));
    const sn_device cpu{sizeof(sn_device), SN_DEVICE_CPU, 0, "cpu"};
    SN_ASSIGN(opened.session, opened.model->open_session(cpu, {}));
    return opened;
  }
  Opened load(const std::string& words) {
    auto opened = try_load(words);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? *std::move(opened) : Opened{};
  }

  static std::future<Answer> ask(Session& session, std::vector<float> values,
                                 milliseconds deadline = {}, Stop* stop = nullptr) {
    auto promise = std::make_shared<std::promise<Answer>>();
    tensor::Request request;
    if (deadline.count() > 0) request.deadline = std::chrono::steady_clock::now() + deadline;
    request.inputs.push_back(tensor_of("INPUT0", tensor::DataType::kFp32,
                                       {static_cast<int64_t>(values.size())}, values));
    auto answer = promise->get_future();
    session.run(
        request, [promise](Answer response) { promise->set_value(std::move(response)); }, stop);
    return answer;
  }
  static void expect_through(Session& session, std::vector<float> values) {
    const Answer answer = ask(session, values).get();
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(values_of<float>(answer->outputs[0]), values);
  }

  std::shared_ptr<const WorkerRecord> record() const {
    for (const auto& one : worker_records()) {
      if (one->name() == folder_.filename()) return one;
    }
    ADD_FAILURE() << "no record";
    return nullptr;
  }
  // Waits for what must come.
  template <typename Condition>
  static void wait_for(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end);
      std::this_thread::sleep_for(milliseconds(1));
    }
  }
  void kill_worker() {
    const auto known = record();
    wait_for([&] { return known->pid() != 0; });
    ::kill(known->pid(), SIGKILL);
  }
  // Whether the worker has a thread of that name, and how nice it is.
  std::optional<int> niceness(const std::string& thread) const {
    const auto tasks = base::str_cat("/proc/", record()->pid(), "/task");
    std::error_code error;
    for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
      std::string text;
      std::getline(std::ifstream(task.path() / "stat"), text);
      const size_t name = text.find('(' + thread + ')');
      if (name == std::string::npos) continue;
      std::istringstream rest(text.substr(text.rfind(')') + 1));
      std::string field;
      for (int i = 3; i <= 19; ++i) rest >> field;  // proc(5)
      return std::stoi(field);
    }
    return std::nullopt;
  }
  std::string once() const { return (folder_ / "once").string(); }
  // The device is lost for as long as that file is there.
  std::string gone() const { return (folder_ / "gone").string(); }
  void lose_device() const { std::ofstream(gone()) << ""; }
  void give_device_back() const { std::filesystem::remove(gone()); }

  std::filesystem::path folder_;
  std::unique_ptr<Engine> engine_;
  int models_ = 0;
};

constexpr float kSegv = 1001;
constexpr float kHang = 1004;
constexpr float kAllocate = 1005;
constexpr float kCorrupt = 1007;
constexpr float kLost = 1009;
constexpr float kFade = 1010;
constexpr float kSink = 1011;

// Within it a run is in the engine, whatever else the machine does.
constexpr milliseconds kTimeToBegin{400};

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
  EXPECT_THAT(std::string(first.status().message()), HasSubstr("the worker of 'faulty' ended"));
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

#if !SUPERNOVA_SANITIZED
TEST_F(WorkerEngine, AModelThatUsedUpTheMemoryRunsAtLowPriority) {
  open({{"worker.memory_byte_size", std::to_string(96 << 20)}, {"worker.run_timeout_ms", "500"}});
  const Opened good = load("values");
  const Opened it = load("values");
  const Answer fat = ask(*it.session, {kAllocate, 1}).get();
  EXPECT_FALSE(fat.ok());
  EXPECT_EQ(record()->ends(EndCause::kOutOfMemory), 2U);
  // It is known then, and not tried twice in workers that have run nothing else.
  const Answer as_fat = ask(*it.session, {kAllocate, 2}).get();
  EXPECT_FALSE(as_fat.ok());
  EXPECT_EQ(record()->ends(EndCause::kOutOfMemory), 3U);
  expect_through(*good.session, {1});
  EXPECT_FALSE(ask(*it.session, {kAllocate, 3}).get().ok());
  EXPECT_EQ(record()->ends(EndCause::kOutOfMemory), 5U);
  auto hung = ask(*it.session, {kHang, 1});
  std::optional<int> nice;
  wait_for([&] { return (nice = niceness("careful-run")).value_or(0) != 0; });
  EXPECT_EQ(*nice, std::min(*niceness("run") + 15, 19));
  wait_for([&] { return niceness("pacer").has_value(); });
  hung.wait();
  expect_through(*it.session, {1});
  wait_for([&] { return !niceness("careful-run"); });
  auto neighbour = ask(*good.session, {kHang, 2});
  EXPECT_EQ(niceness("careful-run"), std::nullopt);
  neighbour.wait();
}

// Models are loaded at low priority, and the worker that a load starts serves for long.
TEST_F(WorkerEngine, IsOfUsualPriorityWhoeverOpensIt) {
  base::keep_usual_priority();
  const int usual = ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()));
  std::thread([&] {
    ASSERT_EQ(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), usual + 5), 0);
    open();
    const Opened it = load("values");
    expect_through(*it.session, {1});
    EXPECT_EQ(niceness("run"), usual);
  }).join();
}

TEST_F(WorkerEngine, AModelThatUsedUpTheMemoryIsTriedBeforeItIsOpened) {
  open({{"worker.memory_byte_size", std::to_string(96 << 20)}, {"worker.load_timeout_ms", "500"}});
  const auto fat = try_load("load=allocate", "model");
  ASSERT_FALSE(fat.ok());
  EXPECT_THAT(std::string(fat.status().message()), HasSubstr("memory"));
  // It is known then, and not tried twice.
  EXPECT_FALSE(try_load("load=allocate", "model").ok());
  // It is the same model to whoever goes by the digest.
  auto hung = std::async(std::launch::async, [&] { return try_load("load=hang", "model"); });
  std::optional<int> nice;
  wait_for([&] { return (nice = niceness("careful-call")).value_or(0) != 0; });
  EXPECT_FALSE(hung.get().ok());
  const auto mended = try_load("hold_mib=40", "model");
  ASSERT_TRUE(mended.ok()) << mended.status();
  expect_through(*mended->session, {1});
  EXPECT_EQ(record()->ends(EndCause::kOutOfMemory), 3U);
}
#endif

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
