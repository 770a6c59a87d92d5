// Ending runs early, on an engine made up here that answers when the test or a cancel says so, and
// that knows which of its runs are under way.
#include "engine/stop.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <set>
#include <thread>

#include "engine/engine.h"
#include "support/fake_engine.h"

namespace supernova::engine {
namespace {

struct Fake {
  std::mutex mutex;
  std::condition_variable changed;
  std::multiset<const sn_run*> runs;  // that have no final response yet
  int begun = 0;
  int cancels = 0;
  std::set<const sn_run*> early;   // cancelled, and not begun yet
  int late_cancels = 0;            // of runs that were over
  bool answers_in_cancel = false;  // within the call
  int32_t answers_with = SN_OK;    // what a run ends with that was cancelled
  bool answers_in_run = false;     // at once
  bool flag_was_set_first = true;  // before each cancel
};
Fake* fake = nullptr;

void answer(const sn_run* run, int32_t code) {
  sn_error error{};
  error.size = sizeof(error);
  error.code = code;
  const sn_response response = {sizeof(response), nullptr, 0, code == SN_OK ? nullptr : &error, 1};
  run->on_response(run->ctx, &response);
  std::lock_guard lock(fake->mutex);
  fake->runs.erase(fake->runs.find(run));  // the next run may have its address already
}

int32_t fake_run(sn_instance*, const sn_run* run, sn_error*) {
  {
    std::lock_guard lock(fake->mutex);
    const bool was_early = fake->early.erase(run) > 0;
    if (was_early && __atomic_load_n(run->cancelled, __ATOMIC_SEQ_CST) == 0) ++fake->late_cancels;
    fake->runs.insert(run);
    ++fake->begun;
    fake->changed.notify_all();
  }
  if (fake->answers_in_run) answer(run, SN_OK);
  return SN_OK;
}

void fake_cancel(sn_instance*, const sn_run* run) {
  std::unique_lock lock(fake->mutex);
  ++fake->cancels;
  fake->flag_was_set_first =
      fake->flag_was_set_first && __atomic_load_n(run->cancelled, __ATOMIC_SEQ_CST) == 1;
  const bool is_known = fake->runs.contains(run);
  if (!is_known) fake->early.insert(run);
  fake->changed.notify_all();
  lock.unlock();
  if (fake->answers_in_cancel && is_known) answer(run, fake->answers_with);
}

const sn_model_info* no_tensors(sn_model*) {
  static const sn_signature signature = {sizeof(signature), "", nullptr, 0, nullptr, 0};
  static const sn_model_info info = {sizeof(info), &signature, 1};
  return &info;
}

sn_engine_api make_table(bool cancels) {
  sn_engine_api table = testing_support::fake_engine_table(&no_tensors, &fake_run);
  table.engine_info = [](sn_engine*) -> const sn_engine_info* {
    static const char* const formats[] = {"*"};
    static const sn_engine_info info = {sizeof(info), "fake", "1", formats, 1, 16, 1};
    return &info;
  };
  if (cancels) table.cancel = &fake_cancel;
  return table;
}

const sn_engine_api* entry(uint32_t) {
  static const sn_engine_api api = make_table(true);
  return &api;
}
const sn_engine_api* entry_without_cancel(uint32_t) {
  static const sn_engine_api api = make_table(false);
  return &api;
}

class StopTest : public ::testing::Test {
 protected:
  StopTest() {
    fake = &fake_;
    open(&entry);
  }
  void open(sn_engine_entry_fn table) {
    session_.reset();
    model_.reset();
    engine_ = *Engine::open(table, {});
    model_ = *engine_->open_model({}, {});
    const sn_device device{sizeof(sn_device), SN_DEVICE_CPU, 0, "cpu"};
    session_ = *model_->open_session(device, {});
  }
  std::future<base::Status> run(Stop& stop) {
    auto promise = std::make_shared<std::promise<base::Status>>();
    session_->run(
        {},
        [promise](base::Result<tensor::Response> result) { promise->set_value(result.status()); },
        &stop);
    return promise->get_future();
  }
  void answer_one(int32_t code) {
    const sn_run* run = nullptr;
    {
      std::lock_guard lock(fake_.mutex);
      run = *fake_.runs.begin();
    }
    answer(run, code);
  }
  static bool is_ready(std::future<base::Status>& status) {
    return status.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

  Fake fake_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Session> session_;
};

TEST_F(StopTest, ARunThatIsStoppedBeforehandDoesNotBegin) {
  Stop stop;
  stop.request();
  EXPECT_EQ(run(stop).get().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(fake_.begun, 0);
  EXPECT_EQ(fake_.cancels, 0);
}

TEST_F(StopTest, TheEngineIsToldOnceAndSaysWhenItHasEnded) {
  ASSERT_TRUE(engine_->can_cancel());
  Stop stop;
  auto status = run(stop);
  stop.request();
  stop.request();
  EXPECT_EQ(fake_.cancels, 1);
  EXPECT_TRUE(fake_.flag_was_set_first);
  EXPECT_FALSE(is_ready(status)) << "it still works on what it was given";
  answer_one(SN_CANCELLED);
  EXPECT_EQ(status.get().code(), absl::StatusCode::kCancelled);
}

TEST_F(StopTest, WhateverItFailsOfThenItWasCancelled) {
  Stop stop;
  auto status = run(stop);
  stop.request();
  answer_one(SN_INTERNAL);
  EXPECT_EQ(status.get().code(), absl::StatusCode::kCancelled);
}

TEST_F(StopTest, AFailureOfItsOwnStaysOne) {
  Stop stop;
  auto status = run(stop);
  answer_one(SN_INTERNAL);
  EXPECT_EQ(status.get().code(), absl::StatusCode::kInternal);
}

TEST_F(StopTest, AnAnswerThatIsThereCounts) {
  Stop stop;
  auto status = run(stop);
  stop.request();
  answer_one(SN_OK);
  EXPECT_TRUE(status.get().ok());
}

TEST_F(StopTest, AnEngineMayAnswerWithinTheCall) {
  fake_.answers_in_cancel = true;
  fake_.answers_with = SN_CANCELLED;
  Stop stop;
  auto status = run(stop);
  stop.request();
  EXPECT_EQ(status.get().code(), absl::StatusCode::kCancelled);
}

TEST_F(StopTest, ARunThatIsOverIsLeftAlone) {
  fake_.answers_in_run = true;
  Stop stop;
  EXPECT_TRUE(run(stop).get().ok());
  stop.request();
  EXPECT_EQ(fake_.cancels, 0);
}

TEST_F(StopTest, EnginesWithoutItComeToTheirEnd) {
  open(&entry_without_cancel);
  EXPECT_FALSE(engine_->can_cancel());
  Stop stop;
  auto status = run(stop);
  stop.request();
  answer_one(SN_OK);
  EXPECT_TRUE(status.get().ok());
}

// One thread answers runs as they come, one stops them: each completes once, and the engine is
// never asked to cancel what is over.
TEST_F(StopTest, StoppingRacesWithTheAnswer) {
  constexpr int kRuns = 10'000;
  std::atomic<Stop*> current{nullptr};
  std::atomic<bool> over{false};
  std::thread stopper([&] {
    while (!over) {
      if (Stop* stop = current.exchange(nullptr)) stop->request();
    }
  });
  std::thread answerer([&] {
    std::unique_lock lock(fake_.mutex);
    while (!over) {
      fake_.changed.wait(lock, [&] { return over || !fake_.runs.empty(); });
      if (over) return;
      const sn_run* const run = *fake_.runs.begin();
      lock.unlock();
      answer(run, SN_OK);
      lock.lock();
    }
  });
  int cancelled = 0;
  std::vector<std::unique_ptr<Stop>> stops;  // a late request() still finds its own
  for (int i = 0; i < kRuns; ++i) {
    Stop& stop = *stops.emplace_back(std::make_unique<Stop>());
    current = &stop;
    const base::Status status = run(stop).get();
    ASSERT_TRUE(status.ok() || absl::IsCancelled(status)) << status;
    cancelled += absl::IsCancelled(status) ? 1 : 0;
  }
  {
    std::lock_guard lock(fake_.mutex);
    over = true;
    fake_.changed.notify_all();
  }
  stopper.join();
  answerer.join();
  EXPECT_EQ(fake_.begun + cancelled, kRuns) << "what began was answered";
  EXPECT_EQ(fake_.late_cancels, 0);
  EXPECT_TRUE(fake_.early.empty());
  RecordProperty("cancels", fake_.cancels);
}

}  // namespace
}  // namespace supernova::engine
