// What few engines use, through a worker (tests/streaming_engine): several responses, cancel,
// states, optional inputs, parameters, the host's log, outputs larger than expected.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <condition_variable>
#include <mutex>

#include "engine/worker/worker_engine.h"
#include "engine/worker/worker_status.h"

namespace supernova::engine::worker {
namespace {

using testing::ElementsAre;

// One run and what came back.
struct Call {
  Call(float count_given, std::vector<float> large_given = {})
      : count(count_given), large(std::move(large_given)) {
    inputs[0] = input("COUNT", &one, &count, sizeof(count));
    size = static_cast<int64_t>(large.size());
    inputs[1] = input("LARGE", &size, large.data(), large.size() * sizeof(float));
    output.size = sizeof(output);
    output.name = "OUT";
    output.dtype = SN_FP32;
    output.buffer.size = sizeof(output.buffer);
    run.size = sizeof(run);
    run.inputs = inputs;
    run.input_count = large.empty() ? 1 : 2;
    run.outputs = &output;
    run.output_count = 1;
    run.ctx = this;
    run.on_response = [](void* ctx, const sn_response* response) {
      static_cast<Call*>(ctx)->take(*response);
    };
  }
  static sn_tensor input(const char* name, const int64_t* dims, void* data, size_t byte_size) {
    sn_tensor tensor{};
    tensor.size = sizeof(tensor);
    tensor.name = name;
    tensor.dtype = SN_FP32;
    tensor.rank = 1;
    tensor.dims = dims;
    tensor.buffer.size = sizeof(tensor.buffer);
    tensor.buffer.data = data;
    tensor.buffer.byte_size = byte_size;
    return tensor;
  }
  void take(const sn_response& response) {
    std::lock_guard lock(mutex);
    ++responses;
    if (response.error != nullptr) code = response.error->code;
    for (size_t i = 0; i < response.output_count; ++i) {
      const sn_buffer& buffer = response.outputs[i].buffer;
      const auto* const first = static_cast<const float*>(buffer.data);
      values.insert(values.end(), first, first + buffer.byte_size / sizeof(float));
      if (buffer.release != nullptr) buffer.release(buffer.owner);
    }
    final = response.final != 0;
    changed.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return final; });
  }

  const int64_t one = 1;
  int64_t size = 0;
  float count;
  std::vector<float> large;
  sn_tensor inputs[2];
  sn_tensor output{};
  sn_run run{};
  std::mutex mutex;
  std::condition_variable changed;
  int responses = 0;
  int32_t code = SN_OK;
  std::vector<float> values;
  bool final = false;
};

class WorkerAbi : public testing::Test {
 protected:
  void SetUp() override {
    const sn_option items[] = {{"worker.library", SUPERNOVA_STREAMING_ENGINE},
                               {"worker.program", SUPERNOVA_WORKER_PROGRAM},
                               {"worker.name", "streaming-abi"}};
    const sn_options options{sizeof(sn_options), items, std::size(items)};
    const sn_device cpu{sizeof(sn_device), SN_DEVICE_CPU, 0, "cpu"};
    const sn_artefact artefact{sizeof(sn_artefact), "any", nullptr, "x", 1, nullptr};
    host_.size = sizeof(host_);
    host_.ctx = this;
    host_.log = [](void* ctx, int32_t, const char* text) {
      auto& self = *static_cast<WorkerAbi*>(ctx);
      std::lock_guard lock(self.mutex_);
      self.said_ = text;
      self.changed_.notify_all();
    };
    error_.size = sizeof(error_);
    ASSERT_EQ(api_->engine_open(&host_, &options, &engine_, &error_), SN_OK) << error_.message;
    ASSERT_EQ(api_->model_open(engine_, &artefact, &options, &model_, &error_), SN_OK);
    ASSERT_EQ(api_->instance_open(model_, &cpu, &options, &instance_, &error_), SN_OK);
  }
  void TearDown() override {
    if (instance_ != nullptr) api_->instance_close(instance_);
    if (model_ != nullptr) api_->model_close(model_);
    if (engine_ != nullptr) api_->engine_close(engine_);
  }
  void run(Call& call) {
    ASSERT_EQ(api_->run(instance_, &call.run, &error_), SN_OK) << error_.message;
    call.wait();
  }

  const sn_engine_api* const api_ = worker_engine_entry(SN_ENGINE_ABI_VERSION);
  sn_host host_{};
  sn_error error_{};
  sn_engine* engine_ = nullptr;
  sn_model* model_ = nullptr;
  sn_instance* instance_ = nullptr;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string said_;
};

TEST_F(WorkerAbi, DescribesWhatIsOptional) {
  const sn_model_info& info = *api_->model_info(model_);
  ASSERT_EQ(info.signature_count, 1U);
  ASSERT_EQ(info.signatures[0].input_count, 2U);
  EXPECT_EQ(info.signatures[0].inputs[0].optional, 0);
  EXPECT_EQ(info.signatures[0].inputs[1].optional, 1);
}

TEST_F(WorkerAbi, PassesEveryResponseOnInOrder) {
  for (int i = 0; i < 20; ++i) {
    Call one(1);
    run(one);
    EXPECT_EQ(one.responses, 1);
    EXPECT_THAT(one.values, ElementsAre(0));
    Call five(5);
    run(five);
    EXPECT_EQ(five.responses, 5);
    EXPECT_THAT(five.values, ElementsAre(0, 1, 2, 3, 4));
  }
}

TEST_F(WorkerAbi, PassesOutputsOfAnySizeOn) {
  for (const size_t size : {size_t{10}, size_t{300'000}, size_t{300'000}, size_t{1'000'000}}) {
    Call call(1, std::vector<float>(size, 3.5F));
    run(call);
    EXPECT_EQ(call.code, SN_OK);
    EXPECT_EQ(call.values, call.large) << size;
  }
}

TEST_F(WorkerAbi, Cancels) {
  Call call(-1);
  ASSERT_EQ(api_->run(instance_, &call.run, &error_), SN_OK) << error_.message;
  api_->cancel(instance_, &call.run);
  call.wait();
  EXPECT_EQ(call.code, SN_CANCELLED);
}

TEST_F(WorkerAbi, TellsARunToEndAtItsDeadline) {
  Call call(-1);
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  call.run.deadline_ns =
      static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec) + 1000;
  ASSERT_EQ(api_->run(instance_, &call.run, &error_), SN_OK) << error_.message;
  call.wait();
  EXPECT_EQ(call.code, SN_DEADLINE_EXCEEDED);
  EXPECT_EQ(call.responses, 1);
  // Closed when the engine has ended it, which nobody hears of.
  api_->instance_close(std::exchange(instance_, nullptr));
  for (const auto& record : worker_records()) {
    if (record->name() != "streaming-abi") continue;
    EXPECT_EQ(record->ends(EndCause::kTimedOut), 0U);
  }
}

TEST_F(WorkerAbi, PassesParametersAndTheLogOn) {
  const sn_option say[] = {{"say", "hello"}};
  const sn_options parameters{sizeof(sn_options), say, 1};
  Call call(1);
  call.run.parameters = &parameters;
  run(call);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return said_ == "worker 'streaming-abi': hello"; });
}

TEST_F(WorkerAbi, KeepsSequencesApartAndTellsWhenTheyAreLost) {
  sn_state* states[2] = {};
  for (sn_state*& state : states) {
    ASSERT_EQ(api_->state_open(instance_, &state, &error_), SN_OK) << error_.message;
  }
  const auto sum = [&](sn_state* state, float count) {
    Call call(count);
    call.run.state = state;
    run(call);
    return call.values;
  };
  EXPECT_THAT(sum(states[0], 1), ElementsAre(1));
  EXPECT_THAT(sum(states[1], 10), ElementsAre(10));
  EXPECT_THAT(sum(states[0], 2), ElementsAre(3));
  for (const auto& record : worker_records()) {
    if (record->name() == "streaming-abi") ::kill(record->pid(), SIGKILL);
  }
  // A run that needs no state finds the next worker; the sequence does not go on as if nothing
  // had been.
  Call call(2);
  run(call);
  EXPECT_THAT(call.values, ElementsAre(0, 1));
  Call lost(1);
  lost.run.state = states[0];
  int32_t code = api_->run(instance_, &lost.run, &error_);
  if (code == SN_OK) {
    lost.wait();
    code = lost.code;
  }
  EXPECT_TRUE(code == SN_FAILED_PRECONDITION || code == SN_UNAVAILABLE) << code;
  for (sn_state* state : states) api_->state_close(state);
}

}  // namespace
}  // namespace supernova::engine::worker
