// Vulkan: which drivers are installed is in the tree (ICD manifests), which devices they drive only
// the loader knows. A GPU that another probe finds too is listed here once more, with the same
// address: it is another way to it.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/text.h"
#include "device/bus.h"
#include "device/diagnosis.h"
#include "device/record.h"
#include "device/system_tree.h"
#include "device/vulkan/vulkan.h"

namespace supernova::device::vulkan {

Probe make_probe();

namespace {

using Outcome = LibraryAnswer::Outcome;

constexpr uint64_t kIntegrated = 1;
constexpr uint64_t kDiscrete = 2;
constexpr uint64_t kVirtual = 3;
constexpr uint64_t kCpu = 4;

constexpr std::string_view kManifest = ".json";

std::string_view variable(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

// The manifests of a list of files and folders, separated by colons.
std::vector<std::string> drivers_named(std::string_view list) {
  namespace fs = std::filesystem;
  std::vector<std::string> drivers;
  while (!list.empty()) {
    const fs::path path = list.substr(0, list.find(':'));
    list.remove_prefix(std::min(list.size(), path.native().size() + 1));
    std::error_code error;
    if (fs::is_directory(path, error)) {
      for (const std::string& name : list_folder("", path)) {
        if (name.ends_with(kManifest)) drivers.push_back(fs::path(name).stem());
      }
    } else if (!path.empty() && fs::exists(path, error)) {
      drivers.push_back(path.stem());
    }
  }
  return drivers;
}

std::string_view type_name(uint64_t type) {
  switch (type) {
    case kIntegrated:
      return "integrated";
    case kDiscrete:
      return "discrete";
    case kVirtual:
      return "virtual";
    case kCpu:
      return "emulated";
    default:
      return "";
  }
}

Device from_record(const Record& record) {
  Device device = made_device(SN_DEVICE_VULKAN);
  device.engine = "onnxruntime";
  device.model = text_in(record, "name");
  device.uuid = text_in(record, "uuid");
  device.vendor_id = static_cast<uint32_t>(number_in(record, "vendor"));
  device.product_id = static_cast<uint32_t>(number_in(record, "device"));
  device.driver = text_in(record, "driver");
  device.driver_version = text_in(record, "driver_info");
  device.memory_bytes = number_in(record, "memory");
  const std::string slot = text_in(record, "slot");
  if (!slot.empty()) device.address = "pci:" + slot;
  device.features.push_back("vulkan-" + text_in(record, "version"));
  const std::string_view type = type_name(number_in(record, "type"));
  if (!type.empty()) device.features.emplace_back(type);
  if (record.contains("no_dynamic_indexing")) {
    device.state = DeviceState::kUnusable;
    device.missing = base::str_cat(
        "its driver", device.driver_version.empty() ? "" : " (" + device.driver_version + ")",
        " can't index arrays dynamically in shaders (shader*ArrayDynamicIndexing), which WebGPU "
        "needs: install the GPU vendor's current one, or Mesa 25 or later (Debian 12: "
        "mesa-vulkan-drivers from bookworm-backports)");
  }
  return device;
}

// Stands for all devices that could not be listed.
Device unlisted(const std::vector<std::string>& drivers, const LibraryAnswer& answer) {
  Device device = made_device(SN_DEVICE_VULKAN);
  device.engine = "onnxruntime";
  device.model = base::str_cat("devices of the Vulkan drivers ", base::str_join(drivers, ", "));
  device.state = DeviceState::kUnusable;
  switch (answer.outcome) {
    case Outcome::kAbsent:
      device.missing = "libvulkan.so.1 is not installed or can't be loaded: apt install libvulkan1";
      break;
    case Outcome::kRefused:
      device.missing = base::str_cat("the Vulkan loader does not start: ", answer.reason,
                                     "; 'vulkaninfo --summary' (apt: vulkan-tools) says more");
      break;
    case Outcome::kCrashed:
    case Outcome::kTimedOut:
      device.state = DeviceState::kNotAnswering;
      device.health = base::str_cat("the Vulkan loader or one of its drivers ", answer.reason,
                                    "; name the drivers to use in VK_DRIVER_FILES");
      break;
    case Outcome::kNotAsked:
    case Outcome::kAnswered:
      device.missing =
          "which devices they drive only the Vulkan loader of the machine itself can tell";
      break;
  }
  return device;
}

void look(const System& system, std::vector<Device>& devices) {
  const std::vector<std::string> drivers = installed_drivers(system.root);
  if (drivers.empty()) return;
  const LibraryAnswer answer = system.ask();
  if (answer.outcome != Outcome::kAnswered) {
    devices.push_back(unlisted(drivers, answer));
    return;
  }
  for (const Record& record : answer.records) devices.push_back(from_record(record));
}

}  // namespace

std::vector<std::string> installed_drivers(const std::string& root) {
  std::vector<std::string> folders = {"usr/share", "usr/local/share", "etc", "usr/local/etc"};
  if (root == "/") {
    // The newer name counts before the older one.
    for (const char* name : {"VK_DRIVER_FILES", "VK_ICD_FILENAMES"}) {
      if (!variable(name).empty()) return drivers_named(variable(name));
    }
    if (!variable("HOME").empty()) {
      folders.push_back(base::str_cat(variable("HOME").substr(1), "/.local/share"));
    }
  }
  std::vector<std::string> drivers;
  for (const std::string& folder : folders) {
    for (const std::string& name : list_folder(root, folder + "/vulkan/icd.d")) {
      if (!name.ends_with(kManifest)) continue;
      drivers.push_back(printable(name.substr(0, name.size() - kManifest.size())));
    }
  }
  return drivers;
}

Probe make_probe() { return {"vulkan", SN_DEVICE_VULKAN, &look, &ask_loader}; }

}  // namespace supernova::device::vulkan
