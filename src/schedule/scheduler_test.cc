// The queue over an engine made up here, whose runs wait until the test lets them go on a thread of
// their own.
#include "schedule/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "schedule/worker_pool.h"
#include "support/fake_engine.h"

namespace supernova::schedule {
namespace {

using ::testing::HasSubstr;

std::mutex gate_mutex;
std::condition_variable gate_wake;
bool gate_open = false;
std::atomic<int> runs{0};
std::atomic<int> overlapping{0};
std::atomic<int> most_overlapping{0};

int32_t late_run(sn_instance*, const sn_run* run, sn_error*) {
  ++runs;
  most_overlapping = std::max(most_overlapping.load(), ++overlapping);
  std::thread([run] {
    {
      std::unique_lock lock(gate_mutex);
      gate_wake.wait(lock, [] { return gate_open; });
    }
    --overlapping;
    const sn_response response = {sizeof(response), nullptr, 0, nullptr, 1};
    run->on_response(run->ctx, &response);
  }).detach();
  return SN_OK;
}

const sn_model_info* no_tensors(sn_model*) {
  static const sn_signature signature = {sizeof(signature), "", nullptr, 0, nullptr, 0};
  static const sn_model_info info = {sizeof(info), &signature, 1};
  return &info;
}

const sn_engine_api* late_entry(uint32_t) {
  static const sn_engine_api api = testing_support::fake_engine_table(&no_tensors, &late_run);
  return &api;
}

class SchedulerTest : public ::testing::Test {
 protected:
  SchedulerTest() {
    gate_open = false;
    runs = most_overlapping = 0;
    engine_ = *engine::Engine::open(&late_entry, {});
    model_ = *engine_->open_model({}, {});
    const sn_device device{sizeof(sn_device), SN_DEVICE_CPU, 0, "cpu"};
    SchedulerOptions options;
    options.max_queue_size = 2;
    scheduler_ = std::make_unique<Scheduler>(*model_->open_session(device, {}), options);
  }
  ~SchedulerTest() override { let_go(); }

  static void let_go() {
    std::lock_guard lock(gate_mutex);
    gate_open = true;
    gate_wake.notify_all();
  }
  std::future<base::Status> enqueue(tensor::Request request = {}) {
    auto promise = std::make_shared<std::promise<base::Status>>();
    scheduler_->enqueue(std::move(request), [promise](base::Result<tensor::Response> result) {
      promise->set_value(result.status());
    });
    return promise->get_future();
  }
  // The first request is with the engine, so that the others wait in the queue.
  std::future<base::Status> occupy() {
    auto first = enqueue();
    while (runs == 0) std::this_thread::yield();
    return first;
  }

  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<engine::Model> model_;
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_F(SchedulerTest, AFullQueueAnswersAtOnce) {
  auto first = occupy();
  auto second = enqueue();
  auto third = enqueue();
  const base::Status refused = enqueue().get();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(base::message(refused)), HasSubstr("Exceeds maximum queue size"));
  let_go();
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(second.get().ok());
  EXPECT_TRUE(third.get().ok());
  EXPECT_EQ(most_overlapping, 1);
}

TEST_F(SchedulerTest, CancelledAndExpiredRequestsAreNotRun) {
  auto first = occupy();
  tensor::Request cancelled;
  cancelled.cancellation = std::make_shared<tensor::Cancellation>();
  cancelled.cancellation->cancel();
  auto second = enqueue(std::move(cancelled));
  tensor::Request expired;
  expired.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  auto third = enqueue(std::move(expired));
  let_go();
  EXPECT_TRUE(first.get().ok());
  EXPECT_EQ(second.get().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(third.get().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(runs, 1);
}

TEST_F(SchedulerTest, StopFinishesWhatIsQueuedAndTakesNoMore) {
  auto first = occupy();
  auto second = enqueue();
  std::thread stopper([this] { scheduler_->stop(); });
  let_go();
  stopper.join();
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(second.get().ok());
  EXPECT_EQ(enqueue().get().code(), absl::StatusCode::kUnavailable);
}

TEST_F(SchedulerTest, TheLastOwnerMayLetGoWithinACompletion) {
  auto first = occupy();
  std::promise<void> gone;
  scheduler_->enqueue({}, [this, &gone](base::Result<tensor::Response>) {
    scheduler_.reset();  // on a thread of the engine
    gone.set_value();
  });
  auto third = enqueue();
  let_go();
  gone.get_future().wait();
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(third.get().ok());
}

}  // namespace
}  // namespace supernova::schedule
