#include "engine/onnxruntime/providers/provider.h"

#include <absl/strings/match.h>
#include <dlfcn.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "device/device.h"
#include "device/kinds.h"
#include "device/vulkan/choose.h"
#include "device/vulkan/vulkan.h"
#include "engine/onnxruntime/providers/failures.h"
#include "engine/onnxruntime/providers/libraries.h"
#include "engine/onnxruntime/providers/listed_devices.h"
#include "engine/onnxruntime/providers/plugins.h"

namespace supernova::engine::onnxruntime {
namespace {

constexpr char kShared[] = "libonnxruntime_providers_shared.so";
constexpr char kCudaLibrary[] = "libonnxruntime_providers_cuda.so";
constexpr char kTensorRtLibrary[] = "libonnxruntime_providers_tensorrt.so";
// Loaded by the provider itself when it is first needed, so it is not among what it names.
constexpr char kCudnn[] = "libcudnn.so.9";
constexpr char kVulkanLoader[] = "libvulkan.so.1";

std::string device_name(const sn_device& device) {
  if (device.kind == SN_DEVICE_CPU) return "cpu";
  return base::str_cat(device::device_kind_name(static_cast<sn_device_kind>(device.kind)), ":",
                       device.ordinal);
}

// The folder of the runtime's library, where it looks for its providers.
std::string runtime_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(api().CreateEnv), &info) == 0) return "";
  return std::filesystem::path(info.dli_fname).parent_path();
}

std::string_view source_of(std::string_view library) {
  if (library == "libcuda.so.1") return "NVIDIA's driver";
  if (library.starts_with("libcudnn")) return "cuDNN; PyPI: nvidia-cudnn-cu13";
  if (library.starts_with("libcublas")) return "CUDA; PyPI: nvidia-cublas";
  if (library.starts_with("libcurand")) return "CUDA; PyPI: nvidia-curand";
  if (library.starts_with("libcudart")) return "CUDA; PyPI: nvidia-cuda-runtime";
  if (library.starts_with("libnv")) return "TensorRT";
  return "the system's loader does not find it";
}

// What a provider beside the runtime needs and is not here, in words; "" = nothing.
std::string missing_for(const std::string& provider_library) {
  const std::filesystem::path folder = runtime_folder();
  std::vector<std::string> missing;
  for (const std::string& name : {std::string(kShared), provider_library}) {
    std::error_code error;
    if (std::filesystem::exists(folder / name, error)) continue;
    missing.push_back(base::str_cat(
        name, " beside the runtime in ", folder.string(),
        " (npm: com.github.asus4.onnxruntime.linux-x64-gpu; 'make engines-gpu' lays it out)"));
  }
  std::vector<std::string> needed = needed_libraries(folder / provider_library);
  if (!needed.empty()) needed.emplace_back(kCudnn);
  std::sort(needed.begin(), needed.end());
  needed.erase(std::unique(needed.begin(), needed.end()), needed.end());
  for (const std::string& library : needed) {
    if (!is_installed(library)) {
      missing.push_back(base::str_cat(library, " (", source_of(library), ")"));
    }
  }
  return base::str_join(missing, ", ");
}

bool runtime_has(std::string_view provider) {
  char** names = nullptr;
  int count = 0;
  if (!to_status(api().GetAvailableProviders(&names, &count)).ok()) return false;
  bool found = false;
  for (int i = 0; i < count; ++i) found = found || names[i] == provider;
  to_status(api().ReleaseAvailableProviders(names, count)).IgnoreError();
  return found;
}

std::string missing_for_webgpu() {
  std::vector<std::string> missing;
  if (!runtime_has("WebGpuExecutionProvider")) {
    missing.emplace_back("an ONNX Runtime that was built with WebGPU (npm: onnxruntime-node, x64)");
  }
  if (!is_installed(kVulkanLoader)) {
    missing.push_back(base::str_cat(kVulkanLoader, " (Debian: libvulkan1)"));
  }
  if (device::vulkan::installed_drivers("/").empty()) {
    missing.emplace_back(
        "a Vulkan driver (the GPU vendor's, or Mesa 25 or later; Debian 12: mesa-vulkan-drivers "
        "from bookworm-backports)");
  }
  return base::str_join(missing, ", ");
}

// Whether WebGPU will take that device. Where Vulkan does not answer, WebGPU says so itself.
base::Status check_vulkan_choice(const Provider& provider, const sn_device& device) {
  static ListedDevices listed(&device::vulkan::ask_loader);
  const std::string why = device::vulkan::why_not_alone(device, listed.get());
  if (why.empty()) return {};
  return absl::FailedPreconditionError(base::str_cat(
      provider.name, " might run on another device than ", provider.device, ": ", why));
}

base::Result<Provider> built_in(ProviderKind kind, const sn_device& device) {
  Provider provider{kind, "", nullptr, device_name(device)};
  std::string missing;
  if (kind == ProviderKind::kWebGpu) {
    if (!device::is_graphics(device.kind)) {
      return absl::FailedPreconditionError(base::str_cat(
          "WebGPU drives graphics processors, not ", provider.device, "; name one as the device"));
    }
    provider.name = "WebGpuExecutionProvider";
    missing = missing_for_webgpu();
  } else {
    provider.name =
        kind == ProviderKind::kCuda ? "CUDAExecutionProvider" : "TensorrtExecutionProvider";
    if (device.kind != SN_DEVICE_NVIDIA) {
      return absl::FailedPreconditionError(
          base::str_cat(provider.name, " drives devices of NVIDIA, not ", provider.device,
                        "; name one as the device"));
    }
    missing = missing_for(kCudaLibrary);
    if (missing.empty() && kind == ProviderKind::kTensorRt) missing = missing_for(kTensorRtLibrary);
  }
  if (missing.empty()) return provider;
  return absl::FailedPreconditionError(base::str_cat(
      provider.name, " could drive ", provider.device, ", but this is missing: ", missing));
}

base::Result<Provider> plugin(const Runtime& runtime, const sn_device& device,
                              std::string_view name, const Options& options) {
  SN_ASSIGN(const PlugIns plugins, register_plugins(runtime, options));
  Provider provider{ProviderKind::kPlugin, "", nullptr, device_name(device)};
  SN_ASSIGN(provider.plugin, find_plugin(plugins, {name, &device}));
  provider.name = api().EpDevice_EpName(provider.plugin);
  return provider;
}

struct KeyValues {
  std::vector<const char*> keys;
  std::vector<const char*> values;
  std::vector<std::string> kept;

  void add(const char* key, const std::string& value) {
    keys.push_back(key);
    values.push_back(value.c_str());
  }
};

KeyValues passed_through(const Options& options) {
  KeyValues list;
  for (const auto& [key, value] : options) {
    if (absl::StartsWith(key, kProviderPrefix)) {
      list.add(key.c_str() + sizeof(kProviderPrefix) - 1, value);
    }
  }
  return list;
}

base::Status add_cuda(const sn_device& device, const Options& options, KeyValues list,
                      OrtSessionOptions* session) {
  const std::string ordinal = std::to_string(device.ordinal);
  list.add("device_id", ordinal);
  const std::string memory(option(options, kDeviceMemory));
  if (!memory.empty()) list.add("gpu_mem_limit", memory);
  OrtCUDAProviderOptionsV2* raw = nullptr;
  SN_ORT_TRY(api().CreateCUDAProviderOptions(&raw));
  const std::unique_ptr<OrtCUDAProviderOptionsV2, Releaser<&OrtApi::ReleaseCUDAProviderOptions>>
      made(raw);
  SN_ORT_TRY(
      api().UpdateCUDAProviderOptions(raw, list.keys.data(), list.values.data(), list.keys.size()));
  return to_status(api().SessionOptionsAppendExecutionProvider_CUDA_V2(session, raw));
}

base::Status add_tensorrt(const sn_device& device, KeyValues list, OrtSessionOptions* session) {
  const std::string ordinal = std::to_string(device.ordinal);
  list.add("device_id", ordinal);
  OrtTensorRTProviderOptionsV2* raw = nullptr;
  SN_ORT_TRY(api().CreateTensorRTProviderOptions(&raw));
  const std::unique_ptr<OrtTensorRTProviderOptionsV2,
                        Releaser<&OrtApi::ReleaseTensorRTProviderOptions>>
      made(raw);
  SN_ORT_TRY(api().UpdateTensorRTProviderOptions(raw, list.keys.data(), list.values.data(),
                                                 list.keys.size()));
  return to_status(api().SessionOptionsAppendExecutionProvider_TensorRT_V2(session, raw));
}

base::Status add(const Runtime& runtime, const Provider& provider, const sn_device& device,
                 const Options& options, OrtSessionOptions* session) {
  const KeyValues list = passed_through(options);
  switch (provider.kind) {
    case ProviderKind::kCuda:
      return add_cuda(device, options, list, session);
    case ProviderKind::kTensorRt:
      // What TensorRT leaves, CUDA takes.
      SN_TRY(add_tensorrt(device, list, session));
      return add_cuda(device, options, {}, session);
    case ProviderKind::kWebGpu:
      return to_status(api().SessionOptionsAppendExecutionProvider(
          session, "WebGPU", list.keys.data(), list.values.data(), list.keys.size()));
    case ProviderKind::kPlugin:
      break;
  }
  return to_status(api().SessionOptionsAppendExecutionProvider_V2(
      session, runtime.env, &provider.plugin, 1, list.keys.data(), list.values.data(),
      list.keys.size()));
}

}  // namespace

bool is_for_cpu(const sn_device& device, const Options& options) {
  const std::string_view provider = option(options, kProviderOption);
  return device.kind == SN_DEVICE_CPU && (provider.empty() || short_name(provider) == "cpu");
}

base::Result<Provider> choose_provider(const Runtime& runtime, const sn_device& device,
                                       const Options& options) {
  const std::string_view asked = option(options, kProviderOption);
  const std::string name = short_name(asked);
  if (name == "cpu") {
    return absl::InvalidArgumentError(
        base::str_cat(kProviderOption, "=", asked, " does not drive ", device_name(device),
                      "; ask for the device cpu, or leave the option out"));
  }
  // A library that is named means its provider, also where the runtime has one of that name.
  const bool own = option(options, kPluginOption).empty();
  if (own && (name == "cuda" || (name.empty() && device.kind == SN_DEVICE_NVIDIA))) {
    return built_in(ProviderKind::kCuda, device);
  }
  if (own && name == "tensorrt") return built_in(ProviderKind::kTensorRt, device);
  if (own && (name == "webgpu" || (name.empty() && device.kind == SN_DEVICE_VULKAN))) {
    return built_in(ProviderKind::kWebGpu, device);
  }
  return plugin(runtime, device, asked, options);
}

base::Status add_provider(const Runtime& runtime, const Provider& provider, const sn_device& device,
                          const Options& options, OrtSessionOptions* session) {
  if (provider.kind == ProviderKind::kWebGpu) SN_TRY(check_vulkan_choice(provider, device));
  const base::Status status = add(runtime, provider, device, options, session);
  if (status.ok()) return {};
  // Options it does not know are the user's; all else is the machine's.
  const auto code = status.code() == absl::StatusCode::kInvalidArgument
                        ? absl::StatusCode::kInvalidArgument
                        : absl::StatusCode::kFailedPrecondition;
  return {code, base::str_cat(provider.name, " can't be used on ", provider.device, ": ",
                              plain_report(base::message(status)))};
}

}  // namespace supernova::engine::onnxruntime
