#include "engine/onnxruntime/device_session.h"

#include <mutex>

#include "engine/onnxruntime/providers/failures.h"
#include "engine/option_values.h"

namespace supernova::engine::onnxruntime {
namespace {

constexpr char kNoFallback[] = "session.disable_cpu_ep_fallback";

// Sessions of the WebGPU provider share one device and are not safe beside each other: whatever
// they do is done by one thread of the process. Recursive, because a response may be answered with
// the next run.
std::recursive_mutex webgpu_mutex;
using Lock = std::unique_lock<std::recursive_mutex>;

Lock exclusive(const Provider& provider) {
  return provider.kind == ProviderKind::kWebGpu ? Lock(webgpu_mutex) : Lock();
}

base::Result<std::unique_ptr<Model>> open_model(const Runtime& runtime, const sn_artefact& artefact,
                                                const Provider& provider, const sn_device& device,
                                                const Options& options, int thread_budget,
                                                bool strict) {
  return Model::open(runtime, artefact, options, thread_budget,
                     [&](OrtSessionOptions* session) -> base::Status {
                       SN_TRY(add_provider(runtime, provider, device, options, session));
                       SN_ORT_TRY(api().AddSessionConfigEntry(session, kRecordPlacement, "1"));
                       if (!strict) return {};
                       return to_status(api().AddSessionConfigEntry(session, kNoFallback, "1"));
                     });
}

std::string say(const std::vector<PlacedNode>& nodes, const Provider& provider) {
  return say_fallback(nodes, provider.name, provider.kind != ProviderKind::kWebGpu);
}

base::Status refuse(const Provider& provider, std::string_view fallback) {
  return absl::FailedPreconditionError(
      base::str_cat(kStrictDevice, ": not all of the model runs on ", provider.device, ": ",
                    fallback, ". Without ", kStrictDevice, " the rest runs on the CPU"));
}

}  // namespace

base::Result<std::unique_ptr<DeviceSession>> DeviceSession::open(const Runtime& runtime,
                                                                 const sn_artefact& artefact,
                                                                 const sn_device& device,
                                                                 const Options& options,
                                                                 int thread_budget) {
  std::unique_ptr<DeviceSession> made(new DeviceSession);
  made->ordinal_ = device.ordinal;
  SN_ASSIGN(made->provider_, choose_provider(runtime, device, options));
  const Provider& provider = made->provider_;
  SN_ASSIGN(const bool strict, is_strict(options));
  const auto lock = exclusive(provider);
  auto model = open_model(runtime, artefact, provider, device, options, thread_budget, strict);
  if (!model.ok() && strict && model.status().code() != absl::StatusCode::kFailedPrecondition) {
    // The runtime refuses without saying which nodes: an open one tells.
    auto lenient = open_model(runtime, artefact, provider, device, options, thread_budget, false);
    if (lenient.ok()) {
      SN_ASSIGN(const auto nodes, read_placement((*lenient)->session(), provider.name));
      const std::string fallback = say(nodes, provider);
      return refuse(provider, fallback.empty() ? base::message(model.status()) : fallback);
    }
  }
  if (!model.ok()) return device_failure(provider, model.status());
  made->model_ = *std::move(model);
  SN_ASSIGN(made->placement_, read_placement(made->model_->session(), provider.name));
  if (const std::string fallback = made->fallback(); strict && !fallback.empty()) {
    return refuse(provider, fallback);
  }
  if (provider.kind == ProviderKind::kWebGpu) made->warm_up();
  return made;
}

DeviceSession::~DeviceSession() {
  const auto lock = exclusive(provider_);
  model_.reset();
}

std::string DeviceSession::fallback() const { return say(placement_, provider_); }

base::Status DeviceSession::run(const sn_run& run) {
  const auto lock = exclusive(provider_);
  return device_failure(provider_, model_->run(run));
}

// The first run compiles shaders, for seconds. Whether a made-up input suits the model does not
// matter.
void DeviceSession::warm_up() { model_->run_on_zeros().IgnoreError(); }

uint64_t DeviceSession::device_memory_bytes() const {
  const auto lock = exclusive(provider_);
  if (provider_.kind == ProviderKind::kPlugin) {
    const OrtMemoryInfo* memory =
        api().EpDevice_MemoryInfo(provider_.plugin, OrtDeviceMemoryType_DEFAULT);
    return memory == nullptr ? 0 : model_->bytes_in(*memory);
  }
  if (provider_.kind == ProviderKind::kWebGpu) return 0;
  OrtMemoryInfo* raw = nullptr;
  if (!to_status(
           api().CreateMemoryInfo("Cuda", OrtArenaAllocator, ordinal_, OrtMemTypeDefault, &raw))
           .ok()) {
    return 0;
  }
  const std::unique_ptr<OrtMemoryInfo, Releaser<&OrtApi::ReleaseMemoryInfo>> memory(raw);
  return model_->bytes_in(*memory);
}

}  // namespace supernova::engine::onnxruntime
