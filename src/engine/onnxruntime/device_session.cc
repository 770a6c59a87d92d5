#include "engine/onnxruntime/device_session.h"

#include <chrono>
#include <mutex>

#include "engine/abi_calls.h"
#include "engine/onnxruntime/providers/failures.h"
#include "engine/onnxruntime/providers/try_device.h"
#include "engine/option_values.h"

namespace supernova::engine::onnxruntime {
namespace {

// Failures of runs in a row that are a loss: where a trial tells nothing, and where it works, as a
// device may have come back with what was open on it gone.
constexpr int kLoss = 5;
constexpr int kLossOnWorkingDevice = 20;

constexpr char kNoFallback[] = "session.disable_cpu_ep_fallback";

// Sessions of the WebGPU provider share one device and are not safe beside each other: whatever
// they do is done by one thread of the process. Recursive, because a response may be answered with
// the next run.
std::recursive_timed_mutex webgpu_mutex;
using Lock = std::unique_lock<std::recursive_timed_mutex>;
// A run that waits for its turn looks this often whether it is still wanted.
constexpr std::chrono::milliseconds kLook{10};

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
  // Who asks for the CPU and names a provider means that one's hardware.
  return absl::FailedPreconditionError(
      base::str_cat(kStrictDevice, ": not all of the model runs on ",
                    provider.device == "cpu" ? provider.name : provider.device, ": ", fallback,
                    ". Without ", kStrictDevice, " the rest runs on the CPU"));
}

}  // namespace

base::Result<std::unique_ptr<DeviceSession>> DeviceSession::open(const Runtime& runtime,
                                                                 const sn_artefact& artefact,
                                                                 const sn_device& device,
                                                                 const Options& options,
                                                                 int thread_budget) {
  std::unique_ptr<DeviceSession> made(new DeviceSession(runtime, device, options));
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
  if (!model.ok()) return made->judge(providers_own(model.status()));
  made->model_ = *std::move(model);
  SN_ASSIGN(made->placement_, read_placement(made->model_->session(), provider.name));
  if (const std::string fallback = made->fallback(); strict && !fallback.empty()) {
    return refuse(provider, fallback);
  }
  if (provider.kind == ProviderKind::kWebGpu) made->warm_up();
  // Before the response, as whoever gets that may be back at once.
  made->model_->on_success([session = made.get()] {
    if (!session->has_run_) session->has_run_ = true;
    if (session->failures_ != 0) session->failures_ = 0;
  });
  return made;
}

DeviceSession::DeviceSession(const Runtime& runtime, const sn_device& device, Options options)
    : runtime_(runtime),
      device_(device),
      device_id_(device.id != nullptr ? device.id : ""),
      options_(std::move(options)) {
  device_.id = device_id_.c_str();
}

DeviceSession::~DeviceSession() {
  const auto lock = exclusive(provider_);
  model_.reset();
}

std::string DeviceSession::fallback() const { return say(placement_, provider_); }

base::Status DeviceSession::run(const sn_run& run) {
  Lock lock;
  if (provider_.kind == ProviderKind::kWebGpu) {
    lock = Lock(webgpu_mutex, std::defer_lock);
    while (!lock.try_lock_for(kLook)) {
      if (is_cancelled(run)) return absl::CancelledError("the run was cancelled before its turn");
    }
  }
  return judge(model_->run(run));
}

base::Status DeviceSession::judge(const base::Status& status) {
  if (status.ok()) return status;
  const Failure failure = failure_of(status);
  if (failure != Failure::kUnclear) return device_failure(provider_, status, failure);
  const TrialVerdict verdict = try_device(runtime_, provider_, device_, options_);
  if (verdict.trial == Trial::kIsLost ||
      (verdict.trial == Trial::kCanNotOpen && model_ != nullptr)) {
    return device_failure(
        provider_,
        absl::InternalError(
            base::str_cat(status.message(), "; nor could it add two numbers then: ", verdict.why)),
        Failure::kLost);
  }
  // What never ran here is not evidence: it may be more than the provider can do.
  const int failures = ++failures_;
  const int loss = verdict.trial == Trial::kWorks ? kLossOnWorkingDevice : kLoss;
  if (!has_run_ || failures < loss) return device_failure(provider_, status, failure);
  return device_failure(
      provider_, base::annotate(status, base::str_cat(failures, " runs in a row")), Failure::kLost);
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
  if (!to_status(api().CreateMemoryInfo("Cuda", OrtArenaAllocator, device_.ordinal,
                                        OrtMemTypeDefault, &raw))
           .ok()) {
    return 0;
  }
  const std::unique_ptr<OrtMemoryInfo, Releaser<&OrtApi::ReleaseMemoryInfo>> memory(raw);
  return model_->bytes_in(*memory);
}

}  // namespace supernova::engine::onnxruntime
