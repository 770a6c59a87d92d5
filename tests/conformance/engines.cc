#include "conformance/engines.h"

#include <dlfcn.h>

#include <cstdlib>
#include <future>
#include <iostream>
#include <string_view>

#include "support/onnx_models.h"
#include "tensor/bytes.h"

namespace supernova::engine::onnxruntime {
const sn_engine_api* entry(uint32_t host_abi_version);
}

namespace supernova::conformance {
namespace {

sn_engine_entry_fn do_nothing_entry() {
  static void* library = dlopen(SUPERNOVA_DO_NOTHING_ENGINE, RTLD_NOW | RTLD_LOCAL);
  return library == nullptr
             ? nullptr
             : reinterpret_cast<sn_engine_entry_fn>(dlsym(library, "supernova_engine_entry"));
}

EngineCase onnxruntime_case() {
  return {"onnxruntime", [] { return &engine::onnxruntime::entry; },
          [] { return engine::Engine::open(&engine::onnxruntime::entry, {}); },
          onnx_artefact(test::identity_model(tensor::DataType::kFp32, {"n"}))};
}

EngineCase do_nothing_case() {
  tensor::Artefact anything;
  anything.format = "anything";
  anything.bytes = tensor::Buffer::copy_of("x");
  return {"do_nothing", &do_nothing_entry,
          [] { return engine::Engine::open_library(SUPERNOVA_DO_NOTHING_ENGINE, {}); }, anything};
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string other_device() { return variable("SUPERNOVA_CONFORMANCE_DEVICE"); }
std::string other_provider() { return variable("SUPERNOVA_CONFORMANCE_PROVIDER"); }
bool is_elsewhere() { return !other_device().empty() || !other_provider().empty(); }

// The ONNX engine on that device; whether its driver suits shows only when it is used.
std::vector<EngineCase> on_other_device() {
  EngineCase it = onnxruntime_case();
  it.device.kind = other_device() == "nvidia"   ? SN_DEVICE_NVIDIA
                   : other_device() == "vulkan" ? SN_DEVICE_VULKAN
                                                : SN_DEVICE_CPU;
  it.options = {{"execution_provider", other_provider()}};
  if (!other_device().empty()) it.options["device"] = base::str_cat(other_device(), ":0");
  static const base::Status status = open(it, it.passthrough).status();
  if (status.ok()) return {it};
  std::cout << "skipped: " << status.message() << std::endl;
  std::exit(0);  // without a case there is nothing to run
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const EngineCase& engine_case) {
  return out << engine_case.name;
}

std::vector<EngineCase> all_engines() {
  if (is_elsewhere()) return on_other_device();
  return {onnxruntime_case(), do_nothing_case()};
}
std::vector<EngineCase> onnx_engines() {
  if (is_elsewhere()) return on_other_device();
  return {onnxruntime_case()};
}

tensor::Artefact onnx_artefact(std::string model) {
  tensor::Artefact artefact;
  artefact.format = "onnx";
  artefact.bytes = tensor::Buffer::copy_of(model);
  return artefact;
}

sn_device cpu() {
  sn_device device{};
  device.size = sizeof(device);
  return device;
}

tensor::Tensor floats(std::string name, tensor::Shape shape, const std::vector<float>& values) {
  return tensor_of(std::move(name), tensor::DataType::kFp32, std::move(shape), values);
}

tensor::Tensor texts(std::string name, tensor::Shape shape,
                     const std::vector<std::string>& values) {
  tensor::Tensor tensor;
  tensor.name = std::move(name);
  tensor.data_type = tensor::DataType::kBytes;
  tensor.shape = std::move(shape);
  tensor.buffer = tensor::pack_bytes(values);
  return tensor;
}

std::vector<std::string> texts_of(const tensor::Tensor& tensor) {
  const auto count = tensor::element_count(tensor.shape);
  if (!count.ok()) return {"bad shape"};
  const auto views = tensor::unpack_bytes(tensor.buffer.view(), *count);
  if (!views.ok()) return {views.status().ToString()};
  return {views->begin(), views->end()};
}

base::Result<tensor::Response> run(engine::Session& session, const tensor::Request& request) {
  std::promise<base::Result<tensor::Response>> promise;
  auto answer = promise.get_future();
  session.run(request, [&](base::Result<tensor::Response> response) {
    promise.set_value(std::move(response));
  });
  return answer.get();
}

base::Result<tensor::Response> run(engine::Session& session, std::vector<tensor::Tensor> inputs,
                                   std::vector<std::string> outputs) {
  tensor::Request request;
  request.inputs = std::move(inputs);
  request.outputs.assign(outputs.begin(), outputs.end());
  return run(session, request);
}

base::Result<Opened> open(const EngineCase& engine_case, const tensor::Artefact& artefact,
                          const engine::Options& options) {
  Opened opened;
  SN_ASSIGN(opened.engine, engine_case.open());
  engine::Options all = options;
  all.insert(engine_case.options.begin(), engine_case.options.end());
  SN_ASSIGN(opened.model, opened.engine->open_model(artefact, all));
  SN_ASSIGN(opened.session, opened.model->open_session(engine_case.device, {}));
  return opened;
}

}  // namespace supernova::conformance
