// The contract every engine keeps, whatever it runs: shown on a model that hands its input through.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <span>
#include <stdexcept>
#include <thread>

#include "conformance/engines.h"

namespace supernova::conformance {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class AnyEngine : public testing::TestWithParam<EngineCase> {
 protected:
  Opened opened() {
    auto opened = open(GetParam(), GetParam().passthrough);
    if (!opened.ok()) throw std::runtime_error(opened.status().ToString());
    return *std::move(opened);
  }
};

INSTANTIATE_TEST_SUITE_P(Engines, AnyEngine, testing::ValuesIn(all_engines()),
                         testing::PrintToStringParamName());

TEST_P(AnyEngine, SaysWhatItIs) {
  const auto engine = GetParam().open();
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_EQ((*engine)->name(), GetParam().engine);
  EXPECT_FALSE((*engine)->version().empty());
  EXPECT_TRUE((*engine)->accepts_format(GetParam().passthrough.format));
}

TEST_P(AnyEngine, DescribesItsModel) {
  const Opened it = opened();
  ASSERT_EQ(it.model->signatures().size(), 1U);
  const engine::Signature& signature = it.session->signature();
  ASSERT_EQ(signature.inputs.size(), 1U);
  ASSERT_EQ(signature.outputs.size(), 1U);
  EXPECT_EQ(signature.inputs[0].name, "INPUT0");
  EXPECT_EQ(signature.outputs[0].name, "OUTPUT0");
  EXPECT_EQ(signature.inputs[0].data_type, tensor::DataType::kFp32);
  EXPECT_EQ(signature.inputs[0].shape, tensor::Shape({-1}));
  EXPECT_GE(it.session->max_concurrency(), 1);
}

TEST_P(AnyEngine, HandsThrough) {
  const Opened it = opened();
  tensor::Request request;
  request.id = "seven";
  request.inputs.push_back(floats("INPUT0", {3}, {1.5F, -2, 3}));
  const auto response = run(*it.session, request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->id, "seven");
  ASSERT_EQ(response->outputs.size(), 1U);
  EXPECT_EQ(response->outputs[0].name, "OUTPUT0");
  EXPECT_EQ(response->outputs[0].shape, tensor::Shape({3}));
  EXPECT_THAT(values_of<float>(response->outputs[0]), ElementsAre(1.5F, -2, 3));
}

// What was compiled is opened and does the same; an engine that doesn't compile says so.
TEST_P(AnyEngine, OpensWhatItCompiled) {
  const auto engine = GetParam().open();
  ASSERT_TRUE(engine.ok()) << engine.status();
  std::vector<std::pair<std::string, tensor::Buffer>> files;
  const auto keep = [&](std::string_view name, std::span<const std::byte> content) {
    files.emplace_back(name, tensor::Buffer::copy_of(content));
    return base::Status();
  };
  const base::Status status = (*engine)->compile(GetParam().passthrough, cpu(), {}, keep);
  // One that lives elsewhere can't tell before it is asked.
  if (!(*engine)->can_compile() || absl::IsUnimplemented(status)) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << status;
    EXPECT_TRUE(files.empty());
    return;
  }
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(files.size(), 1U);
  tensor::Artefact compiled;
  compiled.format = files[0].first.substr(files[0].first.rfind('.') + 1);
  compiled.bytes = files[0].second;
  const auto it = open(GetParam(), compiled);
  ASSERT_TRUE(it.ok()) << it.status();
  EXPECT_EQ(it->session->signature().inputs[0].shape, tensor::Shape({-1}));
  const auto response = run(*it->session, {floats("INPUT0", {3}, {1.5F, -2, 3})});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(values_of<float>(response->outputs[0]), ElementsAre(1.5F, -2, 3));
  // What the sink says comes back.
  const auto refuse = [](std::string_view, std::span<const std::byte>) {
    return base::Status(absl::ResourceExhaustedError("the disk is full"));
  };
  EXPECT_EQ((*engine)->compile(GetParam().passthrough, cpu(), {}, refuse),
            absl::ResourceExhaustedError("the disk is full"));
}

TEST_P(AnyEngine, TakesEmptyTensors) {
  const Opened it = opened();
  const auto response = run(*it.session, {floats("INPUT0", {0}, {})});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->outputs[0].shape, tensor::Shape({0}));
  EXPECT_EQ(response->outputs[0].buffer.size(), 0U);
}

TEST_P(AnyEngine, RefusesWrongRequests) {
  const Opened it = opened();
  const auto message = [&](std::vector<tensor::Tensor> inputs,
                           std::vector<std::string> outputs = {}) {
    const auto response = run(*it.session, std::move(inputs), std::move(outputs));
    EXPECT_EQ(response.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(response.status().message());
  };
  const auto good = floats("INPUT0", {1}, {1});
  EXPECT_THAT(message({}), HasSubstr("'INPUT0' is missing"));
  EXPECT_THAT(message({floats("other", {1}, {1})}), HasSubstr("'other'"));
  EXPECT_THAT(message({good, good}), HasSubstr("'INPUT0' is given 2 times"));
  EXPECT_THAT(message({good}, {"nothing"}), HasSubstr("'nothing'"));
  EXPECT_THAT(message({good}, {"OUTPUT0", "OUTPUT0"}), HasSubstr("twice"));
  const auto wrong =
      tensor_of<int64_t>("INPUT0", tensor::DataType::kInt64, {1}, std::vector<int64_t>{1});
  EXPECT_THAT(message({wrong}), HasSubstr("'INPUT0' must be FP32, not INT64"));
  EXPECT_TRUE(run(*it.session, {good}).ok()) << "it goes on after errors";
}

TEST_P(AnyEngine, OutputsOutliveEverything) {
  tensor::Tensor output;
  {
    Opened it = opened();
    auto response = run(*it.session, {floats("INPUT0", {2}, {4, 5})});
    ASSERT_TRUE(response.ok()) << response.status();
    output = response->outputs[0];
  }
  EXPECT_THAT(values_of<float>(output), ElementsAre(4, 5));
}

TEST_P(AnyEngine, OutputsOutliveTheirInputs) {
  const Opened it = opened();
  std::vector<float> many(10000, 3.25F);
  auto response = run(*it.session, {floats("INPUT0", {10000}, many)});
  ASSERT_TRUE(response.ok()) << response.status();
  // Whatever was freed is likely to be handed out again here.
  const auto other = tensor::Buffer::copy_of(std::string(40000, 'x'));
  EXPECT_EQ(values_of<float>(response->outputs[0]), many);
}

TEST_P(AnyEngine, RunsManySessionsAtOnce) {
  const auto engine = GetParam().open();
  ASSERT_TRUE(engine.ok()) << engine.status();
  const auto model = (*engine)->open_model(GetParam().passthrough, {});
  ASSERT_TRUE(model.ok()) << model.status();
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      const auto session = (*model)->open_session(cpu(), {});
      if (!session.ok()) return;
      for (int i = 0; i < 200; ++i) {
        const std::vector<float> values(static_cast<size_t>(1 + (t + i) % 9),
                                        static_cast<float>(t * 1000 + i));
        const auto response =
            run(**session, {floats("INPUT0", {static_cast<int64_t>(values.size())}, values)});
        if (response.ok() && values_of<float>(response->outputs[0]) == values) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 8 * 200);
}

TEST_P(AnyEngine, ReloadsManyTimes) {
  const auto engine = GetParam().open();
  ASSERT_TRUE(engine.ok()) << engine.status();
  for (int i = 0; i < 100; ++i) {
    const auto model = (*engine)->open_model(GetParam().passthrough, {});
    ASSERT_TRUE(model.ok()) << model.status();
    const auto session = (*model)->open_session(cpu(), {});
    ASSERT_TRUE(session.ok()) << session.status();
    const auto response = run(**session, {floats("INPUT0", {1}, {static_cast<float>(i)})});
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_THAT(values_of<float>(response->outputs[0]), ElementsAre(static_cast<float>(i)));
  }
}

TEST_P(AnyEngine, OpensAndClosesWhole) {
  for (int i = 0; i < 20; ++i) {
    const Opened it = opened();
    ASSERT_TRUE(run(*it.session, {floats("INPUT0", {1}, {1})}).ok());
  }
}

TEST_P(AnyEngine, RefusesADeviceItCanNotDrive) {
  const Opened it = opened();
  sn_device device = cpu();
  device.kind = SN_DEVICE_FPGA;
  const auto session = it.model->open_session(device, {});
  EXPECT_EQ(session.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(session.status().message()), HasSubstr("CPU"));
}

}  // namespace
}  // namespace supernova::conformance
