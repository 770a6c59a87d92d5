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

// The plug-ins that one model may use.
struct PlugIns {
  struct Library {
    std::string path;
    std::vector<const OrtEpDevice*> devices;  // the runtime's; none on hardware it doesn't drive
  };
  std::vector<Library> libraries;
  std::vector<std::string> refused;  // a line for each one that can't be used
};

// Tells the runtime of the libraries that the option or, where it is not given, the environment
// names. One that the option names by its file must be usable.
base::Result<PlugIns> register_plugins(const Runtime& runtime, const Options& options);

// What of their devices fits.
struct PluginQuery {
  std::string_view provider;  // its name, "" = any
  const sn_device* device = nullptr;
};
// One of the devices of the first library that has any that fit; FAILED_PRECONDITION lists what
// there is.
base::Result<const OrtEpDevice*> find_plugin(const PlugIns& plugins, const PluginQuery& query);

// "openvino" for "OpenVINOExecutionProvider".
std::string short_name(std::string_view provider);

}  // namespace supernova::engine::onnxruntime
