#include "engine/onnxruntime/providers/plugins.h"

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_split.h>
#include <absl/strings/strip.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>

#include "device/device.h"
#include "engine/onnxruntime/providers/libraries.h"

namespace supernova::engine::onnxruntime {
namespace {

namespace fs = std::filesystem;

constexpr char kEntry[] = "CreateEpFactories";
constexpr uint32_t kNvidia = 0x10de;
constexpr uint32_t kAmd = 0x1002;
constexpr uint32_t kIntel = 0x8086;

std::mutex register_mutex;
std::map<std::string, base::Status> registered;  // by file

// The name that the runtime knows the library by; some providers take it as their own.
std::string registration_name(const fs::path& file) {
  std::string name = file.stem();
  for (const char* prefix : {"lib", "onnxruntime_providers_", "onnxruntime_ep_"}) {
    if (absl::StartsWith(name, prefix)) name.erase(0, std::char_traits<char>::length(prefix));
  }
  return name;
}

base::Status register_file(const Runtime& runtime, const fs::path& file) {
  std::error_code error;
  if (!fs::exists(file, error)) {
    return absl::NotFoundError(base::str_cat("the library '", file.string(), "' does not exist"));
  }
  if (!exports(file, kEntry)) {
    return absl::FailedPreconditionError(
        base::str_cat("'", file.string(), "' is no execution provider: it exports no ", kEntry));
  }
  std::lock_guard lock(register_mutex);
  const fs::path whole = fs::weakly_canonical(file, error);
  if (const auto found = registered.find(whole); found != registered.end()) return found->second;
  std::string name = registration_name(whole);
  for (const auto& [other, status] : registered) {
    if (registration_name(other) == name) name = whole;
  }
  base::Status status =
      to_status(api().RegisterExecutionProviderLibrary(runtime.env, name.c_str(), whole.c_str()));
  if (!status.ok()) {
    status = absl::FailedPreconditionError(base::str_cat(
        "the execution provider '", whole.string(), "' can't be used with ONNX Runtime ",
        runtime.version, ": ", status.message(), ". Install the one built for this version"));
  }
  registered.emplace(whole, status);
  return status;
}

std::vector<fs::path> files_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (entry.path().extension() == ".so" && exports(entry.path(), kEntry)) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

OrtHardwareDeviceType hardware_type(int32_t kind) {
  switch (kind) {
    case SN_DEVICE_CPU:
      return OrtHardwareDeviceType_CPU;
    case SN_DEVICE_NVIDIA:
    case SN_DEVICE_AMD:
    case SN_DEVICE_INTEL_GPU:
    case SN_DEVICE_VULKAN:
    case SN_DEVICE_OPENCL:
      return OrtHardwareDeviceType_GPU;
    default:
      return OrtHardwareDeviceType_NPU;  // what the runtime has for every other accelerator
  }
}

uint32_t vendor_of(const sn_device& device) {
  if (device.vendor_id != 0) return device.vendor_id;
  switch (device.kind) {
    case SN_DEVICE_NVIDIA:
      return kNvidia;
    case SN_DEVICE_AMD:
      return kAmd;
    case SN_DEVICE_INTEL_GPU:
      return kIntel;
    default:
      return 0;
  }
}

// The runtime calls every accelerator an NPU: of the other kinds the vendor has to be known.
bool needs_vendor(int32_t kind) {
  return hardware_type(kind) == OrtHardwareDeviceType_NPU && kind != SN_DEVICE_NPU;
}

bool fits(const OrtHardwareDevice& hardware, const sn_device& device) {
  const uint32_t vendor = vendor_of(device);
  if (vendor == 0 && needs_vendor(device.kind)) return false;
  return api().HardwareDevice_Type(&hardware) == hardware_type(device.kind) &&
         (vendor == 0 || vendor == api().HardwareDevice_VendorId(&hardware)) &&
         (device.product_id == 0 || device.product_id == api().HardwareDevice_DeviceId(&hardware));
}

bool same_provider(std::string_view name, std::string_view asked) {
  return absl::EqualsIgnoreCase(absl::string_view(name.data(), name.size()),
                                absl::string_view(asked.data(), asked.size())) ||
         short_name(name) == short_name(asked);
}

// Those of the runtime itself, which have ways of their own.
bool is_built_in(std::string_view provider) {
  const std::string name = short_name(provider);
  return name == "cpu" || name == "webgpu";
}

// Whether the runtime says that the hardware sits at the device's address.
bool is_at(const OrtHardwareDevice& hardware, const sn_device& device) {
  const char* address = api().GetKeyValue(api().HardwareDevice_Metadata(&hardware), "pci_bus_id");
  return address != nullptr && *address != '\0' && device.id != nullptr &&
         std::string_view(device.id).find(address) != std::string_view::npos;
}

const OrtEpDevice* one_of(const std::vector<const OrtEpDevice*>& found, const sn_device& device) {
  for (const OrtEpDevice* candidate : found) {
    if (is_at(*api().EpDevice_Device(candidate), device)) return candidate;
  }
  if (found.size() == 1) return found.front();
  const auto ordinal = static_cast<size_t>(std::max(device.ordinal, 0));
  return ordinal < found.size() ? found[ordinal] : nullptr;
}

// A plug-in that is loaded may offer no device: Intel's does so on other vendors' processors.
std::string what_is_here(const std::vector<std::string>& names) {
  if (!names.empty()) return base::str_join(names, ", ");
  std::lock_guard lock(register_mutex);
  std::vector<std::string> loaded;
  for (const auto& [file, status] : registered) {
    if (status.ok()) loaded.push_back(fs::path(file).filename());
  }
  if (loaded.empty()) return "none is here";
  return base::str_cat(base::str_join(loaded, ", "), ", which offers no device on this machine");
}

std::string how_to_get(const std::vector<std::string>& refused) {
  return base::str_cat(
      ". Put the vendor's plug-in (a library that exports ", kEntry, ") into a folder that ",
      kPluginPath, " names, or name it with the option ", kPluginOption,
      refused.empty() ? "" : base::str_cat(". Not usable: ", base::str_join(refused, "; ")));
}

}  // namespace

std::string short_name(std::string_view provider) {
  std::string name(provider);
  absl::AsciiStrToLower(&name);
  return std::string(absl::StripSuffix(name, "executionprovider"));
}

base::Status register_plugins(const Runtime& runtime, const Options& options,
                              std::vector<std::string>& refused) {
  const std::string_view chosen = option(options, kPluginOption);
  const char* environment = std::getenv(kPluginPath);
  const std::string paths(!chosen.empty()          ? chosen
                          : environment != nullptr ? std::string_view(environment)
                                                   : std::string_view());
  for (const std::string& path :
       std::vector<std::string>(absl::StrSplit(paths, ':', absl::SkipEmpty()))) {
    for (const fs::path& file : files_of(path)) {
      const base::Status status = register_file(runtime, file);
      if (status.ok()) continue;
      if (!chosen.empty() && file == path) return status;
      refused.emplace_back(status.message());
    }
  }
  return {};
}

base::Result<const OrtEpDevice*> find_plugin(const Runtime& runtime, const PluginQuery& query,
                                             const std::vector<std::string>& refused) {
  const OrtEpDevice* const* devices = nullptr;
  size_t count = 0;
  SN_ORT_TRY(api().GetEpDevices(runtime.env, &devices, &count));
  std::vector<const OrtEpDevice*> named;
  std::vector<const OrtEpDevice*> fitting;
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) {
    const std::string_view name = api().EpDevice_EpName(devices[i]);
    if (is_built_in(name)) continue;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
    if (!query.provider.empty() && !same_provider(name, query.provider)) continue;
    // The first provider that fits is it, where none is named.
    if (!named.empty() && name != api().EpDevice_EpName(named.front())) continue;
    const bool fit = fits(*api().EpDevice_Device(devices[i]), *query.device);
    if (fit) fitting.push_back(devices[i]);
    if (fit || !query.provider.empty()) named.push_back(devices[i]);
  }
  // Who asks for the CPU and names a provider means what that provider drives.
  if (fitting.empty() && query.device->kind == SN_DEVICE_CPU) fitting = named;
  if (const OrtEpDevice* device = one_of(fitting, *query.device)) return device;
  const auto kind = device::device_kind_name(static_cast<sn_device_kind>(query.device->kind));
  const std::string here = what_is_here(names);
  if (!query.provider.empty() && named.empty()) {
    return absl::FailedPreconditionError(base::str_cat("there is no execution provider '",
                                                       query.provider, "'; plug-ins: ", here,
                                                       how_to_get(refused)));
  }
  return absl::FailedPreconditionError(
      base::str_cat("beside the CPU no execution provider drives the device ", kind, ":",
                    query.device->ordinal, "; plug-ins: ", here, how_to_get(refused)));
}

}  // namespace supernova::engine::onnxruntime
