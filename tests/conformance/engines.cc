#include "conformance/engines.h"

#include <dlfcn.h>

#include <cstdlib>
#include <future>
#include <iostream>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/worker/worker_engine.h"
#include "support/onnx_models.h"
#include "support/tflite_builder.h"
#include "tensor/bytes.h"

namespace supernova::engine::onnxruntime {
const sn_engine_api* entry(uint32_t host_abi_version);
}

namespace supernova::engine::tflite {
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
  return {"onnxruntime", "onnxruntime", [] { return &engine::onnxruntime::entry; },
          [] { return engine::Engine::open(&engine::onnxruntime::entry, {}); },
          onnx_artefact(test::identity_model(tensor::DataType::kFp32, {"n"}))};
}

// TensorFlow Lite is there only where it was installed.
std::optional<EngineCase> tflite_case() {
  const auto opened = engine::Engine::open(&engine::tflite::entry, {});
  const auto verdict = opened.ok() ? (*opened)->can_drive(cpu(), {}) : opened.status();
  if (!verdict.ok() || verdict->compatibility == SN_CAN_NOT_RUN) {
    std::cerr << "tflite is left out: "
              << (verdict.ok() ? verdict->reason : verdict.status().ToString()) << "\n";
    return std::nullopt;
  }
  test::TfModel model;
  const auto x = model.input({.shape = {1}, .signature = {-1}, .name = "INPUT0"});
  const auto y = model.tensor({.shape = {1}, .signature = {-1}, .name = "OUTPUT0"});
  model.op("MAXIMUM", {x, x}, {y});
  model.set_outputs({y});
  tensor::Artefact artefact;
  artefact.format = "tflite";
  artefact.bytes = tensor::Buffer::copy_of(model.file());
  return EngineCase{"tflite", "tflite", [] { return &engine::tflite::entry; },
                    [] { return engine::Engine::open(&engine::tflite::entry, {}); }, artefact};
}

EngineCase do_nothing_case() {
  tensor::Artefact anything;
  anything.format = "anything";
  anything.bytes = tensor::Buffer::copy_of("x");
  return {"do_nothing", "do_nothing", &do_nothing_entry,
          [] { return engine::Engine::open_library(SUPERNOVA_DO_NOTHING_ENGINE, {}); }, anything};
}

// The table of a worker that hosts one of the engines above, whatever options it is opened with.
struct WorkerOptions {
  const char* key;
  const char* value;
};
constexpr WorkerOptions kOnnxruntime{"worker.engine", "onnxruntime"};
constexpr WorkerOptions kTflite{"worker.engine", "tflite"};
constexpr WorkerOptions kDoNothing{"worker.library", SUPERNOVA_DO_NOTHING_ENGINE};

template <const WorkerOptions& hosted>
const sn_engine_api* worker_entry(uint32_t version) {
  const sn_engine_api* const table = engine::worker::worker_engine_entry(version);
  if (table == nullptr) return nullptr;
  static sn_engine_api with_options = *table;
  with_options.engine_open = [](const sn_host* host, const sn_options* options, sn_engine** out,
                                sn_error* error) -> int32_t {
    std::vector<sn_option> items(options->items, options->items + options->count);
    items.push_back({hosted.key, hosted.value});
    items.push_back({"worker.program", SUPERNOVA_WORKER_PROGRAM});
    const sn_options all{sizeof(sn_options), items.data(), items.size()};
    return engine::worker::worker_engine_entry(SN_ENGINE_ABI_VERSION)
        ->engine_open(host, &all, out, error);
  };
  return &with_options;
}

template <const WorkerOptions& hosted>
EngineCase in_a_worker(EngineCase engine_case) {
  engine_case.name += "_in_a_worker";
  engine_case.is_in_worker = true;
  engine_case.entry = [] { return &worker_entry<hosted>; };
  engine_case.open = [] { return engine::Engine::open(&worker_entry<hosted>, {}); };
  return engine_case;
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
  std::vector<EngineCase> all{onnxruntime_case(), do_nothing_case(),
                              in_a_worker<kOnnxruntime>(onnxruntime_case()),
                              in_a_worker<kDoNothing>(do_nothing_case())};
  static const std::optional<EngineCase> tflite = tflite_case();  // says so once
  if (!tflite) return all;
  all.push_back(*tflite);
  all.push_back(in_a_worker<kTflite>(*tflite));
  return all;
}
std::vector<EngineCase> onnx_engines() {
  if (is_elsewhere()) return on_other_device();
  return {onnxruntime_case(), in_a_worker<kOnnxruntime>(onnxruntime_case())};
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
