// Sessions on several devices, of which some answer that they are gone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <future>

#include "schedule/scheduler.h"
#include "support/fake_engine.h"
#include "support/manual_clock.h"

namespace supernova::schedule {
namespace {

using ::testing::HasSubstr;

// What a device answers: SN_OK or a code.
struct FakeDevice {
  std::atomic<int32_t> code{SN_OK};
  std::atomic<int> runs{0};
};
std::array<FakeDevice, 3> devices;

int32_t device_run(sn_instance* instance, const sn_run* run, sn_error* error) {
  auto& device = *reinterpret_cast<FakeDevice*>(instance);
  ++device.runs;
  if (const int32_t code = device.code; code != SN_OK) {
    std::strcpy(error->message, "it was unplugged");  // NOLINT
    return error->code = code;
  }
  const sn_response response = {sizeof(response), nullptr, 0, nullptr, 1};
  run->on_response(run->ctx, &response);
  return SN_OK;
}

const sn_model_info* no_tensors(sn_model*) {
  static const sn_signature signature = {sizeof(signature), "", nullptr, 0, nullptr, 0};
  static const sn_model_info info = {sizeof(info), &signature, 1};
  return &info;
}

const sn_engine_api* device_entry(uint32_t) {
  static const sn_engine_api api = [] {
    sn_engine_api table = testing_support::fake_engine_table(&no_tensors, &device_run);
    table.engine_info = [](sn_engine*) -> const sn_engine_info* {
      static const char* const formats[] = {"*"};
      static const sn_engine_info info = {sizeof(info), "fake", "1", formats, 1, 16};
      return &info;
    };
    table.instance_open = [](sn_model*, const sn_device* device, const sn_options*,
                             sn_instance** out, sn_error*) -> int32_t {
      return *out = reinterpret_cast<sn_instance*>(&devices[device->ordinal]), SN_OK;
    };
    return table;
  }();
  return &api;
}

class LostDeviceTest : public ::testing::TestWithParam<bool> {
 protected:
  LostDeviceTest() {
    for (FakeDevice& device : devices) device.code = SN_OK, device.runs = 0;
    engine_ = *engine::Engine::open(&device_entry, {});
    model_ = *engine_->open_model({}, {});
  }
  void open(int count, size_t limit = 1) {
    std::vector<ScheduledSession> sessions;
    for (int i = 0; i < count; ++i) {
      const sn_device device{sizeof(sn_device), SN_DEVICE_NVIDIA, i, "gpu"};
      sessions.push_back(
          {*model_->open_session(device, {}), limit, base::str_cat("nvidia:", std::to_string(i))});
    }
    SchedulerOptions options;
    options.clock = &clock_;
    options.batching.preserve_ordering = GetParam();
    scheduler_ = std::make_unique<Scheduler>(std::move(sessions), options);
  }
  base::Status run() {
    auto promise = std::make_shared<std::promise<base::Status>>();
    auto status = promise->get_future();
    scheduler_->enqueue({}, [promise](base::Result<tensor::Response> result) {
      promise->set_value(result.status());
    });
    return status.get();
  }

  testing_support::ManualClock clock_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<engine::Model> model_;
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_P(LostDeviceTest, ItsRequestsGoToTheOthers) {
  open(2);
  EXPECT_TRUE(run().ok());
  EXPECT_EQ(devices[0].runs, 1);
  devices[0].code = SN_UNAVAILABLE;
  // The run before may still be about to end.
  int sent = 0;
  for (; sent < 1000 && devices[0].runs < 2; ++sent) EXPECT_TRUE(run().ok());
  for (int i = 0; i < 20; ++i, ++sent) EXPECT_TRUE(run().ok());
  EXPECT_EQ(devices[0].runs, 2);  // one request found out
  EXPECT_EQ(devices[1].runs, sent);
  EXPECT_EQ(scheduler_->figures().moved, 1U);
  const auto instances = scheduler_->instances();
  EXPECT_EQ(instances[0].device, "nvidia:0");
  EXPECT_EQ(instances[0].lost, "it was unplugged");
  EXPECT_EQ(instances[1].lost, "");
  EXPECT_EQ(instances[1].runs, static_cast<uint64_t>(sent));
}

TEST_P(LostDeviceTest, IsTriedNowAndThenAndServesAgain) {
  open(2);
  devices[0].code = SN_UNAVAILABLE;
  EXPECT_TRUE(run().ok());
  clock_.advance(std::chrono::seconds(6));
  EXPECT_TRUE(run().ok());  // the trial fails, its request does not
  EXPECT_EQ(devices[0].runs, 2);
  EXPECT_TRUE(run().ok());
  EXPECT_EQ(devices[0].runs, 2);
  devices[0].code = SN_OK;
  clock_.advance(std::chrono::seconds(6));
  EXPECT_TRUE(run().ok());
  EXPECT_EQ(devices[0].runs, 3);
  EXPECT_EQ(scheduler_->instances()[0].lost, "");
  EXPECT_EQ(scheduler_->figures().moved, 2U);
}

TEST_P(LostDeviceTest, ARequestMovesOnceOnly) {
  open(3);
  devices[0].code = devices[1].code = SN_UNAVAILABLE;
  const base::Status status = run();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(base::message(status)), HasSubstr("unplugged"));
  EXPECT_EQ(devices[2].runs, 0);
  EXPECT_TRUE(run().ok());  // the next one knows of both
  EXPECT_EQ(devices[2].runs, 1);
}

TEST_P(LostDeviceTest, WhenAllAreLostEachIsAskedAndTheReasonAnswered) {
  open(2, 16);  // a run that has been answered may still be about to end
  devices[0].code = devices[1].code = SN_UNAVAILABLE;
  for (int i = 0; i < 4; ++i) EXPECT_EQ(run().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(devices[0].runs, 4);
  EXPECT_EQ(devices[1].runs, 4);
  devices[1].code = SN_OK;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(run().ok());
  EXPECT_EQ(scheduler_->instances()[1].lost, "");
}

TEST_P(LostDeviceTest, TheOnlyOneIsNeverGivenUp) {
  open(1);
  devices[0].code = SN_UNAVAILABLE;
  EXPECT_EQ(run().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(scheduler_->instances()[0].lost, "it was unplugged");
  devices[0].code = SN_OK;
  EXPECT_TRUE(run().ok());
  EXPECT_EQ(scheduler_->instances()[0].lost, "");
  EXPECT_EQ(scheduler_->figures().moved, 0U);
}

TEST_P(LostDeviceTest, OtherFailuresMoveNothing) {
  open(2);
  devices[0].code = SN_INTERNAL;
  EXPECT_EQ(run().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(scheduler_->instances()[0].lost, "");
  EXPECT_EQ(devices[1].runs, 0);
}

INSTANTIATE_TEST_SUITE_P(Ordering, LostDeviceTest, ::testing::Bool());

}  // namespace
}  // namespace supernova::schedule
