// The wrapper over the engine ABI, on engines made up here: good, asynchronous and broken ones.
#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <future>
#include <thread>

#include "device/cpu_limits.h"

namespace supernova::engine {
namespace {

using testing::HasSubstr;

// What the fake engine does; reset before each test.
struct Behaviour {
  sn_engine_api table{};
  bool null_table = false;
  std::function<int32_t(const sn_run&, sn_error*)> run;
  int thread_budget = -1;
  int open_engines = 0;
  int open_models = 0;
  int open_instances = 0;
  int released = 0;
  std::vector<int64_t> output_dims;
  int64_t output_size = -1;
};
Behaviour fake;

int token;
template <typename T>
T* handle() {
  return reinterpret_cast<T*>(&token);
}

sn_tensor_info tensor_info(const char* name, int32_t dtype, const int64_t* dims) {
  sn_tensor_info info{};
  info.size = sizeof(info);
  info.name = name;
  info.dtype = dtype;
  info.rank = 1;
  info.dims = dims;
  return info;
}

const sn_model_info* fake_model_info(sn_model*) {
  static const int64_t any = -1;
  static sn_tensor_info input;
  static sn_tensor_info output;
  static sn_signature signature;
  static sn_model_info info;
  input = tensor_info("in", SN_FP32, &any);
  output = tensor_info("out", SN_FP32, &fake.output_size);
  signature = {sizeof(signature), "", &input, 1, &output, 1};
  info = {sizeof(info), &signature, 1};
  return &info;
}

sn_engine_api good_table() {
  sn_engine_api api{};
  api.size = sizeof(api);
  api.abi_version = SN_ENGINE_ABI_VERSION;
  api.engine_open = [](const sn_host* host, const sn_options*, sn_engine** out,
                       sn_error*) -> int32_t {
    fake.thread_budget = host->thread_budget;
    ++fake.open_engines;
    *out = handle<sn_engine>();
    return SN_OK;
  };
  api.engine_close = [](sn_engine*) { --fake.open_engines; };
  api.engine_info = [](sn_engine*) -> const sn_engine_info* {
    static const char* const formats[] = {"fake"};
    static const sn_engine_info info = {sizeof(info), "fake", "1", formats, 1, 3};
    return &info;
  };
  api.model_open = [](sn_engine*, const sn_artefact*, const sn_options*, sn_model** out,
                      sn_error*) -> int32_t {
    ++fake.open_models;
    *out = handle<sn_model>();
    return SN_OK;
  };
  api.model_close = [](sn_model*) { --fake.open_models; };
  api.model_info = &fake_model_info;
  api.instance_open = [](sn_model*, const sn_device*, const sn_options*, sn_instance** out,
                         sn_error*) -> int32_t {
    ++fake.open_instances;
    *out = handle<sn_instance>();
    return SN_OK;
  };
  api.instance_close = [](sn_instance*) { --fake.open_instances; };
  api.run = [](sn_instance*, const sn_run* run, sn_error* error) -> int32_t {
    return fake.run(*run, error);
  };
  return api;
}

const sn_engine_api* fake_entry(uint32_t) { return fake.null_table ? nullptr : &fake.table; }

// Answers with `count` floats of value 1 in memory of its own.
void answer(const sn_run& run, int64_t count, size_t byte_size, int32_t final = 1,
            const char* name = "out", int32_t dtype = SN_FP32) {
  sn_tensor tensor{};
  tensor.size = sizeof(tensor);
  tensor.name = name;
  tensor.dtype = dtype;
  tensor.rank = 1;
  tensor.dims = &count;
  tensor.buffer.size = sizeof(tensor.buffer);
  auto* values = new std::vector<float>(byte_size / sizeof(float) + 1, 1.0F);
  tensor.buffer.data = values->data();
  tensor.buffer.byte_size = byte_size;
  tensor.buffer.owner = values;
  tensor.buffer.release = [](void* owner) {
    delete static_cast<std::vector<float>*>(owner);
    ++fake.released;
  };
  const sn_response response = {sizeof(response), &tensor, 1, nullptr, final};
  run.on_response(run.ctx, &response);
}

class EngineWrapper : public testing::Test {
 protected:
  void SetUp() override {
    fake = Behaviour{};
    fake.table = good_table();
    fake.run = [](const sn_run& run, sn_error*) -> int32_t {
      answer(run, 2, 2 * sizeof(float));
      return SN_OK;
    };
  }

  static std::string open_error() {
    const auto engine = Engine::open(&fake_entry, {});
    EXPECT_EQ(engine.status().code(), absl::StatusCode::kFailedPrecondition);
    return std::string(engine.status().message());
  }

  // Opens everything, runs one request and closes everything again.
  static base::Result<tensor::Response> run_once() {
    SN_ASSIGN(const auto engine, Engine::open(&fake_entry, {}));
    tensor::Artefact artefact;
    artefact.format = "fake";
    SN_ASSIGN(const auto model, engine->open_model(artefact, {}));
    sn_device device{};
    device.size = sizeof(device);
    SN_ASSIGN(const auto session, model->open_session(device, {}));
    std::promise<base::Result<tensor::Response>> promise;
    {
      // Gone before an asynchronous engine answers: the run keeps what it needs.
      tensor::Request request;
      tensor::Tensor input;
      input.name = "in";
      input.data_type = tensor::DataType::kFp32;
      input.shape = {1};
      input.buffer = tensor::Buffer::copy_of(std::string_view("\0\0\x80?", 4));
      request.inputs.push_back(std::move(input));
      session->run(request, [&](base::Result<tensor::Response> response) {
        promise.set_value(std::move(response));
      });
    }
    return promise.get_future().get();
  }
};

TEST_F(EngineWrapper, OpensRunsAndClosesInOrder) {
  {
    const auto response = run_once();
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->outputs.at(0).buffer.size(), 8U);
    EXPECT_EQ(fake.open_instances, 0);
    EXPECT_EQ(fake.open_models, 0);
    EXPECT_EQ(fake.open_engines, 1) << "open while its memory is out";
    EXPECT_EQ(fake.released, 0);
  }
  EXPECT_EQ(fake.released, 1);
  EXPECT_EQ(fake.open_engines, 0);
}

TEST_F(EngineWrapper, SaysHowManyThreadsMayBeBusy) {
  ASSERT_TRUE(Engine::open(&fake_entry, {}).ok());
  EXPECT_EQ(fake.thread_budget, device::process_thread_budget());
  EXPECT_GE(fake.thread_budget, 1);
}

TEST_F(EngineWrapper, RefusesTablesItCanNotUse) {
  fake.null_table = true;
  EXPECT_THAT(open_error(), HasSubstr("does not serve engine ABI version 0"));
  fake.null_table = false;
  fake.table.abi_version = 7;
  EXPECT_THAT(open_error(), HasSubstr("ABI version 7"));
  fake.table = good_table();
  fake.table.size = 4;
  EXPECT_THAT(open_error(), HasSubstr("4 bytes"));
  fake.table.size = offsetof(sn_engine_api, instance_open);
  EXPECT_THAT(open_error(), HasSubstr("lacks instance_open")) << "beyond its size is not read";
  fake.table = good_table();
  fake.table.run = nullptr;
  EXPECT_THAT(open_error(), HasSubstr("lacks run"));
}

TEST_F(EngineWrapper, RefusesLibrariesThatAreNoEngines) {
  const auto missing = Engine::open_library("/nowhere/engine.so", {});
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("/nowhere/engine.so"));
  const auto other = Engine::open_library("libm.so.6", {});
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("supernova_engine_entry"));
}

TEST_F(EngineWrapper, PassesErrorsOn) {
  fake.run = [](const sn_run&, sn_error* error) -> int32_t {
    std::strcpy(error->message, "no more of it");
    return SN_RESOURCE_EXHAUSTED;
  };
  EXPECT_EQ(run_once().status(), absl::ResourceExhaustedError("no more of it"));
  fake.run = [](const sn_run& run, sn_error*) -> int32_t {
    sn_error error{};
    error.size = sizeof(error);
    error.code = SN_UNAVAILABLE;
    std::strcpy(error.message, "later");
    const sn_response response = {sizeof(response), nullptr, 0, &error, 1};
    run.on_response(run.ctx, &response);
    return SN_OK;
  };
  EXPECT_EQ(run_once().status(), absl::UnavailableError("later"));
  fake.run = [](const sn_run&, sn_error*) -> int32_t { return 999; };
  EXPECT_EQ(run_once().status().code(), absl::StatusCode::kUnknown);
}

TEST_F(EngineWrapper, WaitsForAnAsynchronousAnswer) {
  std::thread later;
  fake.run = [&](const sn_run& run, sn_error*) -> int32_t {
    later = std::thread([&run] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      const auto* value = static_cast<const float*>(run.inputs[0].buffer.data);
      answer(run, 1, *value == 1.0F ? sizeof(float) : 0);
    });
    return SN_OK;
  };
  const auto response = run_once();
  later.join();
  ASSERT_TRUE(response.ok()) << response.status();
}

TEST_F(EngineWrapper, RefusesAnswersThatDoNotFit) {
  const auto refusal = [&](auto respond) {
    fake.released = 0;
    fake.run = [respond](const sn_run& run, sn_error*) -> int32_t {
      respond(run);
      return SN_OK;
    };
    const auto status = run_once().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
    EXPECT_EQ(fake.released, 1) << "memory is given back all the same";
    return std::string(status.message());
  };
  EXPECT_THAT(refusal([](const sn_run& run) { answer(run, 1000, 8); }), HasSubstr("[1000]"));
  EXPECT_THAT(refusal([](const sn_run& run) { answer(run, 2, 8, 1, "other"); }),
              HasSubstr("did not return the output 'out'"));
  EXPECT_THAT(refusal([](const sn_run& run) { answer(run, 2, 8, 1, "out", SN_INT32); }),
              HasSubstr("'out'"));
}

TEST_F(EngineWrapper, TakesOneResponseOnly) {
  fake.run = [](const sn_run& run, sn_error*) -> int32_t {
    answer(run, 2, 8, 0);
    answer(run, 2, 8, 1);
    return SN_OK;
  };
  EXPECT_EQ(run_once().status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(fake.released, 2);
  fake.run = [](const sn_run& run, sn_error*) -> int32_t {
    answer(run, 2, 8, 0);
    const sn_response last = {sizeof(last), nullptr, 0, nullptr, 1};
    run.on_response(run.ctx, &last);
    return SN_OK;
  };
  EXPECT_TRUE(run_once().ok()) << "the final one may be empty";
}

TEST_F(EngineWrapper, LendsMemoryWhereTheShapeIsKnown) {
  const void* lent = nullptr;
  fake.run = [&](const sn_run& run, sn_error*) -> int32_t {
    const sn_buffer& buffer = run.outputs[0].buffer;
    lent = buffer.data;
    if (lent != nullptr) {
      EXPECT_EQ(buffer.capacity, 12U);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(lent) % tensor::Buffer::kAlignment, 0U);
    }
    answer(run, 2, 8);  // in memory of its own, although memory was lent
    return SN_OK;
  };
  fake.output_size = -1;
  EXPECT_TRUE(run_once().ok());
  EXPECT_EQ(lent, nullptr);
  fake.output_size = 3;
  EXPECT_TRUE(run_once().ok());
  EXPECT_NE(lent, nullptr);
  fake.output_size = int64_t{1} << 60;  // more than there is: the engine has to bring it
  EXPECT_TRUE(run_once().ok());
  EXPECT_EQ(lent, nullptr);
}

}  // namespace
}  // namespace supernova::engine
