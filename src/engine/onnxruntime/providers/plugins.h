// Vendors' execution providers as libraries that the runtime is told of: each file once per
// process, never unloaded. Safe from any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/onnxruntime/options.h"
#include "engine/onnxruntime/runtime.h"

namespace supernova::engine::onnxruntime {

// Files and folders, separated by colons; a folder stands for every plug-in directly in it.
inline constexpr char kPluginPath[] = "SUPERNOVA_EP_PATH";
inline constexpr char kPluginOption[] = "ep_library";

// Tells the runtime of the libraries that the option or, where it is not given, the environment
// names. `refused` gets a line for each one that can't be used; one that the option names by its
// file must be usable.
base::Status register_plugins(const Runtime& runtime, const Options& options,
                              std::vector<std::string>& refused);

// What of the runtime's devices fits.
struct PluginQuery {
  std::string_view provider;  // its name, "" = any
  const sn_device* device = nullptr;
};
// The devices of one provider of a plug-in, one of them; FAILED_PRECONDITION lists what there is.
base::Result<const OrtEpDevice*> find_plugin(const Runtime& runtime, const PluginQuery& query,
                                             const std::vector<std::string>& refused);

// "openvino" for "OpenVINOExecutionProvider".
std::string short_name(std::string_view provider);

}  // namespace supernova::engine::onnxruntime
