// Runs that nobody waits for any more, on an engine whose runs go on until they are cancelled or
// the test lets them end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <set>
#include <thread>

#include "schedule/scheduler.h"
#include "schedule/worker_pool.h"
#include "support/fake_engine.h"
#include "support/manual_clock.h"
#include "support/row_engine.h"

namespace supernova::schedule {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using testing_support::ManualClock;
using testing_support::rows_request;

// x FP32 [-1,2] -> y, which is never looked at: the runs that succeed are not batches.
class LongEngine {
 public:
  LongEngine() {
    std::lock_guard lock(mutex());
    state() = {};
  }
  static const sn_engine_api* entry(uint32_t) {
    static const sn_engine_api api = [] {
      sn_engine_api table =
          testing_support::fake_engine_table(&testing_support::rows_model_info, &run);
      table.engine_info = [](sn_engine*) -> const sn_engine_info* {
        static const char* const formats[] = {"*"};
        static const sn_engine_info info = {sizeof(info), "long", "1", formats, 1, 4, 1};
        return &info;
      };
      table.cancel = &cancel;
      return table;
    }();
    return &api;
  }
  static int begun() {
    std::lock_guard lock(mutex());
    return state().begun;
  }
  static int cancels() {
    std::lock_guard lock(mutex());
    return state().cancels;
  }
  static void ends_at_once(bool does) {
    std::lock_guard lock(mutex());
    state().ends_at_once = does;
  }
  // As one that can't end a run early.
  static void ignore_cancels() {
    std::lock_guard lock(mutex());
    state().ignores = true;
  }
  // Answers every run that is under way.
  static void let_go(int32_t code = SN_OK) {
    std::set<const sn_run*> runs;
    {
      std::lock_guard lock(mutex());
      runs.swap(state().runs);
    }
    for (const sn_run* run : runs) answer(run, code);
  }

 private:
  struct State {
    std::set<const sn_run*> runs;
    int begun = 0;
    int cancels = 0;
    bool ends_at_once = false;
    bool ignores = false;
  };
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }
  static State& state() {
    static State instance;
    return instance;
  }
  static void answer(const sn_run* run, int32_t code) {
    sn_error error{};
    error.size = sizeof(error);
    error.code = code;
    sn_tensor y = run->inputs[0];
    y.name = "y";
    const bool ok = code == SN_OK;
    const sn_response response = {sizeof(response), ok ? &y : nullptr, ok ? 1U : 0U,
                                  ok ? nullptr : &error, 1};
    run->on_response(run->ctx, &response);
  }
  static int32_t run(sn_instance*, const sn_run* run, sn_error*) {
    bool ends = false;
    {
      std::lock_guard lock(mutex());
      ++state().begun;
      ends = state().ends_at_once;
      const bool cancelled = __atomic_load_n(run->cancelled, __ATOMIC_SEQ_CST) != 0;
      if (!ends && (!cancelled || state().ignores)) {
        state().runs.insert(run);
        return SN_OK;
      }
    }
    answer(run, ends ? SN_OK : SN_CANCELLED);
    return SN_OK;
  }
  static void cancel(sn_instance*, const sn_run* run) {
    {
      std::lock_guard lock(mutex());
      ++state().cancels;
      if (state().ignores || state().runs.erase(run) == 0) return;
    }
    answer(run, SN_CANCELLED);
  }
};

class StopRunsTest : public ::testing::TestWithParam<bool> {
 protected:
  StopRunsTest() {
    options_.has_batch_dimension = true;
    options_.clock = &clock_;
    options_.pool = &pool_;
    options_.batching.preserve_ordering = GetParam();
    engine_ = *engine::Engine::open(&LongEngine::entry, {});
    model_ = *engine_->open_model({}, {});
  }
  ~StopRunsTest() override {
    // What a failed test leaves would be waited for.
    std::atomic<bool> over{false};
    std::thread helper([&] {
      while (!over) LongEngine::let_go(), std::this_thread::yield();
    });
    scheduler_.reset();
    over = true;
    helper.join();
  }
  Scheduler& scheduler() {
    if (scheduler_ == nullptr) {
      const sn_device device{sizeof(sn_device), SN_DEVICE_CPU, 0, "cpu"};
      std::vector<ScheduledSession> sessions;
      sessions.push_back({*model_->open_session(device, {}), sessions_limit_, "cpu"});
      scheduler_ = std::make_unique<Scheduler>(std::move(sessions), options_);
    }
    return *scheduler_;
  }
  struct Sent {
    std::shared_ptr<tensor::Cancellation> cancellation = std::make_shared<tensor::Cancellation>();
    std::future<base::Status> status;
    base::Status get() { return status.get(); }
    bool is_ready() {
      return status.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    }
  };
  Sent send(std::chrono::nanoseconds patience = {}, bool here = false) {
    Sent sent;
    tensor::Request request = rows_request(1, 1);
    request.cancellation = sent.cancellation;
    request.may_run_here = here;
    if (patience.count() > 0) request.deadline = clock_.now() + patience;
    auto promise = std::make_shared<std::promise<base::Status>>();
    sent.status = promise->get_future();
    scheduler().enqueue(std::move(request), [promise](base::Result<tensor::Response> result) {
      promise->set_value(result.status());
    });
    return sent;
  }
  static void wait_for_runs(int count) {
    while (LongEngine::begun() < count) std::this_thread::yield();
  }
  // The first request holds the only run, so that the next ones wait and are joined.
  std::pair<Sent, Sent> send_batch(std::chrono::nanoseconds first = {},
                                   std::chrono::nanoseconds second = {}) {
    sessions_limit_ = 1;
    options_.batching.max_batch_size = 2;
    Sent before = send();
    wait_for_runs(1);
    Sent one = send(first);
    Sent other = send(second);
    LongEngine::let_go();
    EXPECT_TRUE(before.get().ok());
    wait_for_runs(2);
    EXPECT_EQ(scheduler().figures().batches, 1U);
    return {std::move(one), std::move(other)};
  }
  // Alarms for this moment go off.
  void tick() { clock_.advance(std::chrono::nanoseconds(0)); }

  ManualClock clock_;
  WorkerPool pool_{2};
  SchedulerOptions options_;
  LongEngine long_engine_;
  size_t sessions_limit_ = 0;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<engine::Model> model_;
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_P(StopRunsTest, AClientThatGoesEndsItsRun) {
  Sent sent = send();
  wait_for_runs(1);
  sent.cancellation->cancel();
  EXPECT_FALSE(sent.is_ready()) << "not on the thread of whoever cancels";
  tick();
  const base::Status status = sent.get();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(std::string(base::message(status)), HasSubstr("while it ran"));
  EXPECT_EQ(scheduler().figures().stopped, 1U);
  EXPECT_EQ(LongEngine::cancels(), 1);
}

TEST_P(StopRunsTest, TheModelServesAfterwards) {
  Sent sent = send();
  wait_for_runs(1);
  sent.cancellation->cancel();
  tick();
  EXPECT_FALSE(sent.get().ok());
  LongEngine::ends_at_once(true);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(send().get().ok());
  EXPECT_EQ(scheduler().figures().stopped, 1U);
}

TEST_P(StopRunsTest, SoDoesADeadline) {
  Sent sent = send(milliseconds(10));
  wait_for_runs(1);
  clock_.advance(milliseconds(9));
  EXPECT_FALSE(sent.is_ready());
  EXPECT_EQ(LongEngine::cancels(), 0);
  clock_.advance(milliseconds(1));
  EXPECT_EQ(sent.get().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_P(StopRunsTest, AnEngineMayBeTheFirstToNoticeADeadline) {
  Sent late = send(milliseconds(10));
  wait_for_runs(1);
  clock_.move(milliseconds(10));
  LongEngine::let_go(SN_DEADLINE_EXCEEDED);
  EXPECT_EQ(base::message(late.get()), "Request timeout expired");
  Sent early = send(milliseconds(10));
  wait_for_runs(2);
  LongEngine::let_go(SN_DEADLINE_EXCEEDED);
  const base::Status status = early.get();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_NE(base::message(status), "Request timeout expired") << "it is not";
}

TEST_P(StopRunsTest, EachRunAtItsOwn) {
  if (GetParam()) GTEST_SKIP() << "the later answer waits for the earlier";
  Sent late = send(milliseconds(30));
  Sent early = send(milliseconds(10));
  wait_for_runs(2);
  clock_.advance(milliseconds(10));
  EXPECT_EQ(early.get().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(late.is_ready());
  clock_.advance(milliseconds(20));
  EXPECT_EQ(late.get().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_P(StopRunsTest, AnAnswerThatComesAllTheSameIsGiven) {
  LongEngine::ignore_cancels();
  Sent sent = send(milliseconds(10));
  wait_for_runs(1);
  clock_.advance(milliseconds(10));
  EXPECT_FALSE(sent.is_ready());
  LongEngine::let_go();
  EXPECT_TRUE(sent.get().ok());
}

TEST_P(StopRunsTest, ABatchGoesOnForTheOneThatWaits) {
  auto [one, other] = send_batch();
  one.cancellation->cancel();
  tick();
  EXPECT_EQ(LongEngine::cancels(), 0);
  LongEngine::let_go();
  EXPECT_TRUE(other.get().ok());
  EXPECT_TRUE(one.get().ok());
}

TEST_P(StopRunsTest, AndEndsWhenAllHaveGone) {
  auto [one, other] = send_batch();
  other.cancellation->cancel();
  one.cancellation->cancel();
  tick();
  EXPECT_EQ(one.get().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(other.get().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(LongEngine::cancels(), 1);
}

TEST_P(StopRunsTest, OrAreTooLateEachForItsReason) {
  auto [one, other] = send_batch(hours(1), milliseconds(20));
  one.cancellation->cancel();
  tick();
  EXPECT_EQ(LongEngine::cancels(), 0);
  clock_.advance(milliseconds(20));
  EXPECT_EQ(one.get().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(other.get().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_P(StopRunsTest, OneThatBeganInPlaceAndGoesOnElsewhere) {
  options_.inline_limit = hours(1);
  LongEngine::ends_at_once(true);
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(send().get().ok());
  while (scheduler().figures().running > 0) std::this_thread::yield();
  ASSERT_TRUE(scheduler().figures().cheap);
  LongEngine::ends_at_once(false);
  Sent late = send(milliseconds(10), true);
  EXPECT_EQ(scheduler().figures().runs_here, 1U);
  clock_.advance(milliseconds(10));
  EXPECT_EQ(late.get().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_P(StopRunsTest, WithinTheCompletionOfAStoppedRunTheLastOwnerMayLetGo) {
  auto cancellation = std::make_shared<tensor::Cancellation>();
  tensor::Request request = rows_request(1, 1);
  request.cancellation = cancellation;
  std::promise<void> gone;
  scheduler().enqueue(std::move(request), [&](base::Result<tensor::Response>) {
    scheduler_.reset();
    gone.set_value();
  });
  wait_for_runs(1);
  cancellation->cancel();
  tick();
  gone.get_future().wait();
}

INSTANTIATE_TEST_SUITE_P(Ordering, StopRunsTest, ::testing::Bool());

// Counts the alarms that are set.
class CountingClock final : public Clock {
 public:
  Point now() const override { return Clock::steady().now(); }
  void wake_at(Point when, std::weak_ptr<Wakeable> who) override {
    ++alarms;
    Clock::steady().wake_at(when, std::move(who));
  }
  std::atomic<int> alarms{0};
};

TEST(StopRunsCostTest, WhoeverCancelsNothingSetsNoAlarm) {
  LongEngine long_engine;
  LongEngine::ends_at_once(true);
  CountingClock clock;
  WorkerPool pool(2);
  SchedulerOptions options;
  options.clock = &clock;
  options.pool = &pool;
  const auto engine = *engine::Engine::open(&LongEngine::entry, {});
  const auto model = *engine->open_model({}, {});
  const sn_device device{sizeof(sn_device), SN_DEVICE_CPU, 0, "cpu"};
  Scheduler scheduler(*model->open_session(device, {}), options);
  const auto run = [&](std::optional<Clock::Point> deadline, bool here) {
    std::promise<base::Status> promise;
    tensor::Request request = rows_request(1, 1);
    request.cancellation = std::make_shared<tensor::Cancellation>();
    request.deadline = deadline;
    request.may_run_here = here;
    scheduler.enqueue(std::move(request), [&](base::Result<tensor::Response> result) {
      promise.set_value(result.status());
    });
    EXPECT_TRUE(promise.get_future().get().ok());
  };
  for (int i = 0; i < 200; ++i) run({}, i % 2 == 0);
  EXPECT_EQ(clock.alarms, 0);
  // One alarm serves all deadlines that come after it.
  for (int i = 0; i < 200; ++i) run(clock.now() + hours(1), i % 2 == 0);
  EXPECT_LE(clock.alarms, 1);
}

// Clients that go at any moment of their runs.
TEST(StopRunsRaceTest, CancelAndAnswerAtTheSameTime) {
  constexpr int kRuns = 10'000;
  LongEngine long_engine;
  WorkerPool pool(2);
  SchedulerOptions options;
  options.pool = &pool;
  options.batching.max_batch_size = 4;
  options.has_batch_dimension = true;
  const auto engine = *engine::Engine::open(&LongEngine::entry, {});
  const auto model = *engine->open_model({}, {});
  const sn_device device{sizeof(sn_device), SN_DEVICE_CPU, 0, "cpu"};
  std::atomic<bool> over{false};
  std::thread answerer([&] {
    while (!over) LongEngine::let_go(), std::this_thread::yield();
  });
  std::atomic<int> answered{0};
  {
    Scheduler scheduler(*model->open_session(device, {}), options);
    const auto client = [&](int runs) {
      for (int i = 0; i < runs; ++i) {
        tensor::Request request = rows_request(1, 1);
        const auto cancellation = std::make_shared<tensor::Cancellation>();
        request.cancellation = cancellation;
        if (i % 3 == 0)
          request.deadline = Clock::steady().now() + std::chrono::microseconds(i % 50);
        const auto answer = std::make_shared<std::promise<base::Status>>();
        auto status = answer->get_future();
        scheduler.enqueue(std::move(request), [answer](base::Result<tensor::Response> result) {
          answer->set_value(result.status());
        });
        for (int spin = 0; spin < i % 7; ++spin) std::this_thread::yield();
        if (i % 3 != 1) cancellation->cancel();
        const base::Status got = status.get();
        ASSERT_TRUE(got.ok() || absl::IsCancelled(got) || absl::IsDeadlineExceeded(got)) << got;
        ++answered;
      }
    };
    std::thread one(client, kRuns / 2);
    std::thread other(client, kRuns / 2);
    one.join();
    other.join();
  }
  over = true;
  answerer.join();
  EXPECT_EQ(answered, kRuns);
}

}  // namespace
}  // namespace supernova::schedule
