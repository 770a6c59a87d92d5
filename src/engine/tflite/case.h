// What the tests of this engine share: models made on the spot, opened and run through the engine's
// C++ side.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/tflite/runtime.h"
#include "support/tensors.h"
#include "support/tflite_builder.h"

namespace supernova::engine::tflite {

const sn_engine_api* entry(uint32_t host_abi_version);

using test::FlatTable;
using test::TfModel;
using test::TfTensor;
using test::TfType;
using testing::ElementsAre;
using testing::HasSubstr;

// Skips a test, with a line, where TensorFlow Lite is not installed.
class WithLibrary : public testing::Test {
 protected:
  void SetUp() override {
    const auto runtime = load_runtime();
    if (!runtime.ok()) GTEST_SKIP() << runtime.status().message();
  }
};

inline sn_device device_of(sn_device_kind kind, int ordinal = 0) {
  sn_device device{};
  device.size = sizeof(device);
  device.kind = kind;
  device.ordinal = ordinal;
  return device;
}

inline Artefact artefact_of(const std::string& content) {
  Artefact artefact;
  artefact.format = "tflite";
  artefact.bytes = tensor::Buffer::copy_of(content);
  return artefact;
}

struct Opened {
  std::unique_ptr<Engine> engine;
  std::unique_ptr<engine::Model> model;
  std::unique_ptr<Session> session;
};

inline base::Result<Opened> open(const TfModel& model, const tensor::Options& options = {},
                                 const sn_device& device = device_of(SN_DEVICE_CPU)) {
  Opened opened;
  SN_ASSIGN(opened.engine, Engine::open(&entry, {}));
  SN_ASSIGN(opened.model, opened.engine->open_model(artefact_of(model.file()), {}));
  SN_ASSIGN(opened.session, opened.model->open_session(device, options));
  return opened;
}

inline std::string refusal(const base::Result<Opened>& opened) {
  return opened.ok() ? "opened" : std::string(base::message(opened.status()));
}

inline base::Result<tensor::Response> run(Session& session, std::vector<tensor::Tensor> inputs) {
  tensor::Request request;
  request.inputs = std::move(inputs);
  std::promise<base::Result<tensor::Response>> promise;
  auto answer = promise.get_future();
  session.run(request, [&](base::Result<tensor::Response> response) {
    promise.set_value(std::move(response));
  });
  return answer.get();
}

inline tensor::Tensor floats(std::string name, tensor::Shape shape,
                             const std::vector<float>& values) {
  return test::tensor_of(std::move(name), tensor::DataType::kFp32, std::move(shape), values);
}

// Values of the first output.
inline std::vector<float> run_floats(Session& session, std::vector<tensor::Tensor> inputs) {
  const auto response = run(session, std::move(inputs));
  EXPECT_TRUE(response.ok()) << response.status();
  return response.ok() ? test::values_of<float>(response->outputs[0]) : std::vector<float>();
}

// y = (x + x) * x, then its larger one with 0; shape [-1, 2].
inline TfModel sum_product() {
  TfModel model;
  const std::vector<int32_t> open{-1, 2};
  const auto x = model.input({.shape = {1, 2}, .signature = open, .name = "x"});
  const auto sum = model.tensor({.shape = {1, 2}, .signature = open, .name = "sum"});
  const auto product = model.tensor({.shape = {1, 2}, .signature = open, .name = "product"});
  const auto y = model.tensor({.shape = {1, 2}, .signature = open, .name = "y"});
  model.op("ADD", {x, x}, {sum});
  model.op("MUL", {sum, x}, {product});
  model.op("RELU", {product}, {y});
  model.set_outputs({y});
  return model;
}

}  // namespace supernova::engine::tflite
