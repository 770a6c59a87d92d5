// NVIDIA GPUs: PCI, what the driver says in /proc, and NVML where it can be asked.
#include <algorithm>
#include <sstream>

#include "base/text.h"
#include "device/bus.h"
#include "device/diagnosis.h"
#include "device/nvidia/nvidia.h"
#include "device/record.h"
#include "device/system_tree.h"

namespace supernova::device::nvidia {

Probe make_probe();

std::string kernel_driver_version(const std::string& sysroot) {
  // "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 ..."
  const std::string line =
      value_of(read_system_file(sysroot, "proc/driver/nvidia/version"), "NVRM version");
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    const bool numeric = word.find_first_not_of("0123456789.") == std::string::npos;
    if (numeric && word.find('.') != std::string::npos) return word;
  }
  return module_version(sysroot, "nvidia");
}

namespace {

using Outcome = LibraryAnswer::Outcome;

constexpr std::string_view kInstall =
    "install NVIDIA's driver (Debian: nvidia-driver, Ubuntu: ubuntu-drivers install) and restart";
constexpr std::string_view kPass = "--gpus all (NVIDIA Container Toolkit)";

// What /proc says of the GPU in that slot.
void read_information(const std::string& root, const std::string& slot, Device& device,
                      std::string& minor) {
  const std::string information =
      read_system_file(root, "proc/driver/nvidia/gpus/" + slot + "/information");
  if (const std::string model = value_of(information, "Model"); !model.empty()) {
    device.model = model;
  }
  const std::string uuid = value_of(information, "GPU UUID");
  if (uuid.find('?') == std::string::npos) device.uuid = uuid;  // before it was initialised
  minor = value_of(information, "Device Minor");
}

// What is known against a GPU.
std::string judge(const Record& gpu) {
  if (gpu.contains("lost")) {
    return "it has fallen off the bus (see the kernel's log for Xid 79): restart the machine";
  }
  if (gpu.contains("remap_failed")) {
    return "rows of its memory failed and could not be replaced: have it exchanged";
  }
  if (const uint64_t errors = number_in(gpu, "ecc"); errors > 0) {
    return base::str_cat("uncorrectable memory errors since the start: ", errors,
                         "; reset it (nvidia-smi --gpu-reset), exchange it when they come back");
  }
  const uint64_t degrees = number_in(gpu, "temperature");
  const uint64_t slowdown = number_in(gpu, "slowdown");
  if (slowdown > 0 && degrees >= slowdown) {
    return base::str_cat("too hot: ", degrees, " °C, it slows down from ", slowdown, " °C");
  }
  return "";
}

void merge(const Record& gpu, Device& device) {
  if (!text_in(gpu, "name").empty()) device.model = text_in(gpu, "name");
  if (!text_in(gpu, "uuid").empty()) device.uuid = text_in(gpu, "uuid");
  if (!text_in(gpu, "driver").empty()) device.driver_version = text_in(gpu, "driver");
  device.memory_bytes = number_in(gpu, "memory");
  device.memory_free_bytes = number_in(gpu, "free");
  if (gpu.contains("capability")) device.features.push_back("sm_" + text_in(gpu, "capability"));
  if (gpu.contains("mig")) device.features.emplace_back("mig");
  device.health = judge(gpu);
  if (!device.health.empty()) device.state = DeviceState::kUnhealthy;
}

// What speaks against a driver that works; "" = nothing. Not what is missing: a runtime of the
// user's own may be for an older CUDA, and NVIDIA's package cuda-compat helps some GPUs.
std::string judge_driver(std::string_view version) {
  constexpr int kForCuda13 = 580;
  int major = 0;
  if (!base::parse_whole(version.substr(0, version.find('.')), major) || major >= kForCuda13) {
    return "";
  }
  return base::str_cat(
      "its driver, ", version, ", is older than ", kForCuda13,
      ", which CUDA 13 needs (that is what 'make engines-gpu' brings): upgrade it");
}

// The nodes that CUDA opens.
std::vector<std::string> compute_nodes(const std::string& root, const std::string& minor) {
  if (exists(root, "dev/dxg") && !exists(root, "dev/nvidiactl")) return {"/dev/dxg"};  // WSL
  std::vector<std::string> nodes{"/dev/nvidiactl", "/dev/nvidia-uvm"};
  if (!minor.empty()) nodes.insert(nodes.begin(), "/dev/nvidia" + minor);
  return nodes;
}

void diagnose(const System& system, const LibraryAnswer& answer, const std::string& minor,
              Device& device) {
  Diagnosis diagnosis(system.root);
  const bool boxed = in_container(system.root);
  if (diagnosis.need_driver(device, {"nvidia"}, kInstall)) {
    for (const std::string& node : compute_nodes(system.root, minor)) {
      diagnosis.need_node(
          node, kPass,
          base::str_cat("run 'nvidia-modprobe -u -c ", minor.empty() ? "0" : minor, "' as root"));
    }
    diagnosis.need_library({"libcuda.so.1"}, {"usr/lib/wsl/lib"},
                           boxed ? base::str_cat("start the container with ", kPass,
                                                 " and NVIDIA_DRIVER_CAPABILITIES=compute,utility")
                                 : std::string(kInstall));
    if (answer.outcome == Outcome::kRefused) {
      diagnosis.add(base::str_cat("NVIDIA's library (NVML) says: ", answer.reason,
                                  "; the kernel's driver is ", device.driver_version,
                                  ", and a library of another version needs a restart"));
    }
  }
  if (answer.outcome == Outcome::kTimedOut || answer.outcome == Outcome::kCrashed) {
    device.state = DeviceState::kNotAnswering;
    device.health = base::str_cat("NVIDIA's library (NVML) ", answer.reason,
                                  "; see the kernel's log for Xid errors");
  }
  diagnosis.settle(device);
  if (device.state == DeviceState::kUsable && device.health.empty()) {
    device.health = judge_driver(device.driver_version);
  }
}

// A GPU that is on no bus that is to be seen.
Device unseen_on_bus(const std::string& root) {
  Device device = made_device(SN_DEVICE_NVIDIA);
  device.model = "NVIDIA GPU";
  device.vendor_id = 0x10de;
  device.driver = "nvidia";
  device.driver_version = kernel_driver_version(root);
  device.engine = "onnxruntime";
  return device;
}

// One that only NVML tells of: WSL, and containers that hide the PCI bus.
Device from_record(const System& system, const LibraryAnswer& answer, const Record& gpu) {
  Device device = unseen_on_bus(system.root);
  const std::string slot = text_in(gpu, "slot");
  if (!slot.empty()) device.address = "pci:" + slot;
  const auto ids = static_cast<uint32_t>(number_in(gpu, "ids"));
  device.vendor_id = ids != 0 ? ids & 0xffffU : 0x10de;
  device.product_id = ids >> 16U;
  const std::string minor = text_in(gpu, "minor");
  device.nodes = compute_nodes(system.root, minor);
  merge(gpu, device);
  diagnose(system, answer, minor, device);
  return device;
}

// One that only its node tells of, /dev/nvidiaN, and perhaps /proc.
Device from_node(const System& system, const LibraryAnswer& answer, const std::string& minor) {
  Device device = unseen_on_bus(system.root);
  device.address = "/dev/nvidia" + minor;
  for (const std::string& slot : list_folder(system.root, "proc/driver/nvidia/gpus")) {
    Device told = device;
    std::string its_minor;
    read_information(system.root, slot, told, its_minor);
    if (its_minor != minor) continue;
    device = std::move(told);
    device.address = "pci:" + printable(slot);
  }
  device.nodes = compute_nodes(system.root, minor);
  diagnose(system, answer, minor, device);
  return device;
}

void look_for_nodes(const System& system, const LibraryAnswer& answer,
                    std::vector<Device>& devices) {
  constexpr std::string_view kNode = "nvidia";
  for (const std::string& name : list_folder(system.root, "dev")) {
    int number = 0;
    const bool is_gpu = name.starts_with(kNode) &&
                        base::parse_whole(std::string_view(name).substr(kNode.size()), number);
    if (is_gpu) devices.push_back(from_node(system, answer, name.substr(kNode.size())));
  }
}

void look(const System& system, std::vector<Device>& devices) {
  const std::string& root = system.root;
  std::vector<PciDevice> gpus = list_pci(root);
  std::erase_if(gpus, [](const PciDevice& pci) {
    return pci.vendor != 0x10de || pci.base_class != kPciDisplay;
  });
  const bool has_driver = !kernel_driver_version(root).empty() || exists(root, "dev/nvidiactl") ||
                          exists(root, "dev/dxg");
  LibraryAnswer answer;
  if (has_driver) answer = system.ask();
  for (const PciDevice& pci : gpus) {
    Device device = device_at(root, SN_DEVICE_NVIDIA, pci);
    device.engine = "onnxruntime";
    if (device.model.empty()) device.model = "NVIDIA GPU";
    if (pci.driver == "nvidia") device.driver_version = kernel_driver_version(root);
    std::string minor;
    read_information(root, pci.slot, device, minor);
    const auto it =
        std::find_if(answer.records.begin(), answer.records.end(),
                     [&pci](const Record& record) { return text_in(record, "slot") == pci.slot; });
    if (it != answer.records.end()) {
      if (minor.empty()) minor = text_in(*it, "minor");
      merge(*it, device);
      answer.records.erase(it);
    }
    if (pci.driver == "nvidia") {
      const std::vector<std::string> nodes = compute_nodes(root, minor);
      device.nodes.insert(device.nodes.begin(), nodes.begin(), nodes.end());
    }
    diagnose(system, answer, minor, device);
    devices.push_back(std::move(device));
  }
  for (const Record& gpu : answer.records) devices.push_back(from_record(system, answer, gpu));
  look_for_jetson(system, devices);
  if (devices.empty()) look_for_nodes(system, answer, devices);
}

}  // namespace

Probe make_probe() { return {"nvidia", SN_DEVICE_NVIDIA, &look, &ask_nvml}; }

}  // namespace supernova::device::nvidia
