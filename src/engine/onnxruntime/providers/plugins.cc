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

struct Registration {
  base::Status status;
  PlugIns::Library library;
};

std::mutex register_mutex;
std::map<std::string, Registration> registered;  // by file

// The name that the runtime knows the library by; some providers take it as their own.
std::string registration_name(const fs::path& file) {
  std::string name = file.stem();
  for (const char* prefix : {"lib", "onnxruntime_providers_", "onnxruntime_ep_"}) {
    if (absl::StartsWith(name, prefix)) name.erase(0, std::char_traits<char>::length(prefix));
  }
  return name;
}

base::Result<std::vector<const OrtEpDevice*>> all_devices(const Runtime& runtime) {
  const OrtEpDevice* const* devices = nullptr;
  size_t count = 0;
  SN_ORT_TRY(api().GetEpDevices(runtime.env, &devices, &count));
  return std::vector<const OrtEpDevice*>(devices, devices + count);
}

// With the lock. The devices that come with it are its own: the runtime does not tell later.
base::Status tell_runtime(const Runtime& runtime, const std::string& name,
                          PlugIns::Library& library) {
  SN_ASSIGN(const auto before, all_devices(runtime));
  SN_ORT_TRY(
      api().RegisterExecutionProviderLibrary(runtime.env, name.c_str(), library.path.c_str()));
  SN_ASSIGN(library.devices, all_devices(runtime));
  std::erase_if(library.devices, [&](const OrtEpDevice* device) {
    return std::find(before.begin(), before.end(), device) != before.end();
  });
  return {};
}

// With the lock: two of one provider are two versions, or a mistake.
void say_if_there_already(const PlugIns::Library& library) {
  for (const OrtEpDevice* device : library.devices) {
    const std::string_view name = api().EpDevice_EpName(device);
    for (const auto& [file, other] : registered) {
      for (const OrtEpDevice* theirs : other.library.devices) {
        if (name != api().EpDevice_EpName(theirs)) continue;
        log(Level::kInfo,
            base::str_cat("the execution provider ", name, " is in '", file, "' and in '",
                          library.path, "'; a model uses the first of ", "those that ",
                          kPluginOption, " or ", kPluginPath, " names for it"));
        return;
      }
    }
  }
}

base::Result<PlugIns::Library> register_file(const Runtime& runtime, const fs::path& file) {
  std::error_code error;
  if (!fs::exists(file, error)) {
    return absl::NotFoundError(base::str_cat("the library '", file.string(), "' does not exist"));
  }
  if (const std::string why = why_no_library(file); !why.empty()) {
    return absl::FailedPreconditionError(
        base::str_cat("'", file.string(), "' is no execution provider for here: ", why));
  }
  if (!exports(file, kEntry)) {
    return absl::FailedPreconditionError(
        base::str_cat("'", file.string(), "' is no execution provider: it exports no ", kEntry));
  }
  std::lock_guard lock(register_mutex);
  const fs::path whole = fs::weakly_canonical(file, error);
  if (const auto found = registered.find(whole); found != registered.end()) {
    SN_TRY(found->second.status);
    return found->second.library;
  }
  std::string name = registration_name(whole);
  for (const auto& [other, registration] : registered) {
    if (registration_name(other) == name) name = whole;
  }
  Registration made{{}, {whole, {}}};
  made.status = tell_runtime(runtime, name, made.library);
  if (!made.status.ok()) {
    made.status = absl::FailedPreconditionError(base::str_cat(
        "the execution provider '", whole.string(), "' can't be used with ONNX Runtime ",
        runtime.version, ": ", made.status.message(), ". Install the one built for this version"));
  }
  say_if_there_already(made.library);
  registered.emplace(whole, made);
  SN_TRY(made.status);
  return made.library;
}

// Of a folder those that are plug-ins, and those that would be libraries and can't be loaded.
std::vector<fs::path> files_of(const fs::path& path, std::vector<std::string>& refused) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return {path};
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(path, error), end; entry != end; entry.increment(error)) {
    const fs::path& file = entry->path();
    if (file.extension() != ".so") continue;
    if (exports(file, kEntry) || !why_no_library(file).empty()) files.push_back(file);
    if (error) break;
  }
  if (error) {
    refused.push_back(
        base::str_cat("the folder '", path.string(), "' can't be read: ", error.message()));
  } else if (files.empty()) {
    refused.push_back(base::str_cat("the folder '", path.string(), "' holds no plug-in"));
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
std::string what_is_here(const PlugIns& plugins) {
  std::vector<std::string> names;
  std::vector<std::string> silent;
  for (const PlugIns::Library& library : plugins.libraries) {
    if (library.devices.empty()) silent.push_back(fs::path(library.path).filename());
    for (const OrtEpDevice* device : library.devices) {
      const std::string name = api().EpDevice_EpName(device);
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  if (!silent.empty()) {
    names.push_back(base::str_cat(base::str_join(silent, ", "),
                                  silent.size() == 1 ? ", which offers" : ", which offer",
                                  " no device on this machine"));
  }
  return names.empty() ? "none is here" : base::str_join(names, ", ");
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

base::Result<PlugIns> register_plugins(const Runtime& runtime, const Options& options) {
  const std::string_view chosen = option(options, kPluginOption);
  const char* environment = std::getenv(kPluginPath);
  const std::string paths(!chosen.empty()          ? chosen
                          : environment != nullptr ? std::string_view(environment)
                                                   : std::string_view());
  PlugIns plugins;
  for (const std::string& path :
       std::vector<std::string>(absl::StrSplit(paths, ':', absl::SkipEmpty()))) {
    for (const fs::path& file : files_of(path, plugins.refused)) {
      auto library = register_file(runtime, file);
      if (library.ok()) {
        plugins.libraries.push_back(*std::move(library));
        continue;
      }
      if (!chosen.empty() && file == path) return library.status();
      plugins.refused.emplace_back(library.status().message());
    }
  }
  return plugins;
}

namespace {

struct Matches {
  std::vector<const OrtEpDevice*> named;
  std::vector<const OrtEpDevice*> fitting;
};

Matches match(const PlugIns::Library& library, const PluginQuery& query) {
  Matches matches;
  for (const OrtEpDevice* device : library.devices) {
    const std::string_view name = api().EpDevice_EpName(device);
    if (!query.provider.empty() && !same_provider(name, query.provider)) continue;
    const bool fit = fits(*api().EpDevice_Device(device), *query.device);
    if (!fit && query.provider.empty()) continue;
    // The first provider that fits is it, where none is named.
    if (!matches.named.empty() && name != api().EpDevice_EpName(matches.named.front())) continue;
    if (fit) matches.fitting.push_back(device);
    matches.named.push_back(device);
  }
  // Who asks for the CPU and names a provider means what that provider drives.
  if (matches.fitting.empty() && query.device->kind == SN_DEVICE_CPU) {
    matches.fitting = matches.named;
  }
  return matches;
}

}  // namespace

base::Result<const OrtEpDevice*> find_plugin(const PlugIns& plugins, const PluginQuery& query) {
  bool is_named = false;
  for (const PlugIns::Library& library : plugins.libraries) {
    const Matches matches = match(library, query);
    if (const OrtEpDevice* device = one_of(matches.fitting, *query.device)) return device;
    is_named = is_named || !matches.named.empty();
  }
  const auto kind = device::device_kind_name(static_cast<sn_device_kind>(query.device->kind));
  const std::string here =
      base::str_cat("; plug-ins: ", what_is_here(plugins), how_to_get(plugins.refused));
  if (!query.provider.empty() && !is_named) {
    return absl::FailedPreconditionError(
        base::str_cat("there is no execution provider '", query.provider, "'", here));
  }
  return absl::FailedPreconditionError(
      base::str_cat("beside the CPU no execution provider drives the device ", kind, ":",
                    query.device->ordinal, here));
}

}  // namespace supernova::engine::onnxruntime
