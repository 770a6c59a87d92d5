// The C ABI from the host's side, without the wrapper: who owns the outputs' memory.
#include <gtest/gtest.h>

#include <cstring>
#include <future>

#include "conformance/engines.h"

namespace supernova::conformance {
namespace {

class Abi : public testing::TestWithParam<EngineCase> {
 protected:
  void SetUp() override {
    const sn_engine_entry_fn entry = GetParam().entry();
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry(SN_ENGINE_ABI_VERSION + 1), nullptr) << "an unknown version is not served";
    api_ = entry(SN_ENGINE_ABI_VERSION);
    ASSERT_NE(api_, nullptr);
    host_.size = sizeof(host_);
    options_.size = sizeof(options_);
    error_.size = sizeof(error_);
    ASSERT_EQ(api_->engine_open(&host_, &options_, &engine_, &error_), SN_OK) << error_.message;
    artefact_.size = sizeof(artefact_);
    artefact_.format = GetParam().passthrough.format.c_str();
    artefact_.data = GetParam().passthrough.bytes.data();
    artefact_.data_size = GetParam().passthrough.bytes.size();
    ASSERT_EQ(api_->model_open(engine_, &artefact_, &options_, &model_, &error_), SN_OK)
        << error_.message;
    const sn_device device = cpu();
    ASSERT_EQ(api_->instance_open(model_, &device, &options_, &instance_, &error_), SN_OK)
        << error_.message;
  }

  void TearDown() override {
    close_instance();
    if (engine_ != nullptr) api_->engine_close(engine_);
  }

  void close_instance() {
    if (instance_ != nullptr) api_->instance_close(instance_);
    if (model_ != nullptr) api_->model_close(model_);
    instance_ = nullptr;
    model_ = nullptr;
  }

  static sn_tensor tensor(const char* name, const int64_t* dims, void* data, size_t byte_size) {
    sn_tensor tensor{};
    tensor.size = sizeof(tensor);
    tensor.name = name;
    tensor.dtype = SN_FP32;
    tensor.rank = 1;
    tensor.dims = dims;
    tensor.buffer.size = sizeof(tensor.buffer);
    tensor.buffer.device.size = sizeof(sn_device);
    tensor.buffer.data = data;
    tensor.buffer.byte_size = byte_size;
    return tensor;
  }

  struct Answer {
    Abi* test = nullptr;
    std::promise<void> final;
    int responses = 0;
    int32_t code = SN_OK;  // of a response that says that the run failed
    sn_buffer buffer{};
    int64_t size = -1;
  };

  // INPUT0 = {1, 2, 3}; OUTPUT0 goes into `lent`, or into the engine's memory where that is null.
  // Returns when the response is there, which may be later than the engine does.
  int32_t run(float* lent, size_t capacity, Answer& answer) {
    static const int64_t dims[] = {3};
    static float values[] = {1, 2, 3};
    const sn_tensor input = tensor("INPUT0", dims, values, sizeof(values));
    sn_tensor output = tensor("OUTPUT0", dims, lent, capacity);
    output.buffer.capacity = capacity;
    sn_run run{};
    run.size = sizeof(run);
    run.inputs = &input;
    run.input_count = 1;
    run.outputs = &output;
    run.output_count = 1;
    run.ctx = &answer;
    answer.test = this;
    run.on_response = [](void* ctx, const sn_response* response) {
      Answer& answer = *static_cast<Answer*>(ctx);
      answer.test->read(*response, answer);
      answer.final.set_value();
    };
    const int32_t code = api_->run(instance_, &run, &error_);
    if (code != SN_OK) return code;
    answer.final.get_future().wait();
    return answer.code;
  }

  void read(const sn_response& response, Answer& answer) {
    if (response.error != nullptr) {
      answer.code = response.error->code;
      error_ = *response.error;
      return;
    }
    ++answer.responses;
    ASSERT_EQ(response.final, 1);
    ASSERT_EQ(response.output_count, 1U);
    ASSERT_STREQ(response.outputs[0].name, "OUTPUT0");
    ASSERT_EQ(response.outputs[0].rank, 1);
    answer.size = response.outputs[0].dims[0];
    answer.buffer = response.outputs[0].buffer;
  }

  const sn_engine_api* api_ = nullptr;
  sn_host host_{};  // without any function: all are optional
  sn_options options_{};
  sn_error error_{};
  sn_artefact artefact_{};
  sn_engine* engine_ = nullptr;
  sn_model* model_ = nullptr;
  sn_instance* instance_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Engines, Abi, testing::ValuesIn(all_engines()),
                         testing::PrintToStringParamName());

TEST_P(Abi, WritesIntoLentMemory) {
  float lent[3] = {};
  Answer answer;
  ASSERT_EQ(run(lent, sizeof(lent), answer), SN_OK) << error_.message;
  EXPECT_EQ(answer.responses, 1);
  EXPECT_EQ(answer.buffer.data, lent);
  EXPECT_EQ(answer.buffer.release, nullptr);
  EXPECT_EQ(answer.buffer.byte_size, sizeof(lent));
  EXPECT_EQ(lent[2], 3);
}

TEST_P(Abi, RefusesLentMemoryThatIsTooSmall) {
  float lent[3] = {7, 7, 7};
  Answer answer;
  EXPECT_NE(run(lent, sizeof(float), answer), SN_OK);
  EXPECT_NE(error_.message[0], '\0');
  EXPECT_EQ(answer.responses, 0);
  EXPECT_EQ(lent[1], 7);
}

TEST_P(Abi, BringsMemoryThatOutlivesTheModel) {
  Answer answer;
  ASSERT_EQ(run(nullptr, 0, answer), SN_OK) << error_.message;
  ASSERT_NE(answer.buffer.release, nullptr);
  ASSERT_EQ(answer.buffer.byte_size, 3 * sizeof(float));
  EXPECT_EQ(answer.size, 3);
  close_instance();
  EXPECT_EQ(static_cast<const float*>(answer.buffer.data)[2], 3);
  answer.buffer.release(answer.buffer.owner);
}

TEST_P(Abi, CutsErrorMessagesToTheRoomThereIs) {
  // As written by a host whose sn_error is shorter.
  sn_error small{};
  small.size = offsetof(sn_error, message) + 8;
  std::memset(small.message, '#', sizeof(small.message));
  sn_device device = cpu();
  device.kind = SN_DEVICE_FPGA;
  sn_instance* instance = nullptr;
  EXPECT_NE(api_->instance_open(model_, &device, &options_, &instance, &small), SN_OK);
  EXPECT_LT(strnlen(small.message, 8), 8U) << "zero-terminated within its size";
  EXPECT_EQ(small.message[8], '#') << "written beyond its size";
}

}  // namespace
}  // namespace supernova::conformance
