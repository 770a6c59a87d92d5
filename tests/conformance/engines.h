// The engines under test and short ways to run them.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "support/tensors.h"

namespace supernova::conformance {

struct EngineCase {
  std::string name;
  std::string engine;  // as it calls itself
  std::function<sn_engine_entry_fn()> entry;
  std::function<base::Result<std::unique_ptr<engine::Engine>>()> open;
  // An artefact whose model hands INPUT0 (FP32 [n]) through to OUTPUT0.
  tensor::Artefact passthrough;
  // Where `open` opens it, and with what.
  sn_device device = {sizeof(sn_device), SN_DEVICE_CPU, 0, nullptr, 0, 0};
  engine::Options options = {};
  bool is_in_worker = false;  // of its own, which is replaced when it ends
};
std::ostream& operator<<(std::ostream& out, const EngineCase& engine_case);

// Every engine; only those that run ONNX. With SUPERNOVA_CONFORMANCE_DEVICE=vulkan or nvidia it is
// the ONNX engine on the first such device, with SUPERNOVA_CONFORMANCE_PROVIDER=NAME by that
// execution provider (a plug-in in SUPERNOVA_EP_PATH); where that can't be, the program ends with a
// line that says what is missing.
std::vector<EngineCase> all_engines();
std::vector<EngineCase> onnx_engines();

tensor::Artefact onnx_artefact(std::string model);
sn_device cpu();

using test::tensor_of;
using test::values_of;
tensor::Tensor floats(std::string name, tensor::Shape shape, const std::vector<float>& values);
tensor::Tensor texts(std::string name, tensor::Shape shape, const std::vector<std::string>& values);

std::vector<std::string> texts_of(const tensor::Tensor& tensor);

// Runs and waits for the answer.
base::Result<tensor::Response> run(engine::Session& session, const tensor::Request& request);
base::Result<tensor::Response> run(engine::Session& session, std::vector<tensor::Tensor> inputs,
                                   std::vector<std::string> outputs = {});

// Engine, model and session in one go.
struct Opened {
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<engine::Model> model;
  std::unique_ptr<engine::Session> session;
};
base::Result<Opened> open(const EngineCase& engine_case, const tensor::Artefact& artefact,
                          const engine::Options& options = {});

}  // namespace supernova::conformance
