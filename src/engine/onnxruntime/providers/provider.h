// Which execution provider of the runtime drives a device, and what it is missing. Thread-safe.
//
// Options
//   execution_provider      "cpu", "cuda", "tensorrt", "webgpu" or the name of a plug-in; empty =
//                           what fits the device
//   ep_library              plug-ins, instead of those in SUPERNOVA_EP_PATH (plugins.h)
//   provider.KEY            goes to the provider as KEY
//   device_memory_byte_size the most memory of the device (CUDA)
#pragma once

#include <string>

#include "base/status.h"
#include "engine/onnxruntime/options.h"
#include "engine/onnxruntime/runtime.h"

namespace supernova::engine::onnxruntime {

inline constexpr char kProviderOption[] = "execution_provider";
inline constexpr char kProviderPrefix[] = "provider.";
inline constexpr char kDeviceMemory[] = "device_memory_byte_size";

enum class ProviderKind { kCuda, kTensorRt, kWebGpu, kPlugin };

struct Provider {
  ProviderKind kind = ProviderKind::kPlugin;
  std::string name;                     // as the runtime calls it: "CUDAExecutionProvider"
  const OrtEpDevice* plugin = nullptr;  // of a plug-in; the runtime's
  std::string device;                   // for messages: "nvidia:0"
};

// Whether the runtime's own kernels run the model, as they always did.
bool is_for_cpu(const sn_device& device, const Options& options);

// Without loading what the provider needs, except plug-ins, which the runtime has to be told of.
// FAILED_PRECONDITION says what is missing and how to get it.
base::Result<Provider> choose_provider(const Runtime& runtime, const sn_device& device,
                                       const Options& options);

base::Status add_provider(const Runtime& runtime, const Provider& provider, const sn_device& device,
                          const Options& options, OrtSessionOptions* session);

}  // namespace supernova::engine::onnxruntime
