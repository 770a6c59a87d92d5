// Jetson boards: the device tree names a Tegra chip, the GPU is a platform device, memory is the
// machine's. The layout is that of L4T releases 32 to 36 (JetPack 4 to 6).
#include <sstream>

#include "base/text.h"
#include "device/bus.h"
#include "device/diagnosis.h"
#include "device/nvidia/nvidia.h"
#include "device/system_tree.h"

namespace supernova::device::nvidia {
namespace {

// "# R36 (release), REVISION: 3.0, ..." -> "36.3.0"
std::string release(const std::string& sysroot) {
  const std::string line = read_line(sysroot, "etc/nv_tegra_release");
  const size_t major = line.find("# R");
  const size_t minor = line.find("REVISION: ");
  if (major == std::string::npos || minor == std::string::npos) return "";
  const auto number = [&line](size_t at) {
    const size_t end = std::min(line.find_first_not_of("0123456789.", at), line.size());
    return line.substr(at, end - at);
  };
  return base::str_cat(number(major + 3), ".", number(minor + 10));
}

// The GPU's name among platform devices: "17000000.gpu", "17000000.gv11b".
std::string gpu_name(const std::string& sysroot) {
  for (const std::string& name : list_folder(sysroot, "sys/bus/platform/devices")) {
    for (const char* end : {".gpu", ".ga10b", ".gv11b", ".gp10b", ".gm20b"}) {
      if (name.ends_with(end)) return printable(name);
    }
  }
  return "";
}

uint64_t memory_field(const std::string& sysroot, std::string_view key) {
  uint64_t kilobytes = 0;
  std::istringstream(value_of(read_system_file(sysroot, "proc/meminfo"), key)) >> kilobytes;
  return kilobytes * 1024;
}

// Deep learning accelerators: "dla0", "dla1", and their nodes.
void add_accelerators(const std::string& sysroot, Device& device) {
  for (const std::string& name : list_folder(sysroot, "sys/bus/platform/devices")) {
    if (const size_t at = name.find(".nvdla"); at != std::string::npos) {
      device.features.push_back("dla" + printable(name.substr(at + 6)));
    }
  }
  const bool by_platform = !device.features.empty();
  for (const std::string& name : list_folder(sysroot, "dev")) {
    if (!name.starts_with("nvhost-nvdla") && !name.starts_with("nvhost-ctrl-nvdla")) continue;
    device.nodes.push_back("/dev/" + name);
    if (!by_platform && name.starts_with("nvhost-nvdla")) {
      device.features.push_back("dla" + printable(name.substr(12)));
    }
  }
}

}  // namespace

void look_for_jetson(const System& system, std::vector<Device>& devices) {
  const std::string& root = system.root;
  if (!board_compatible(root, "nvidia,tegra")) return;
  Device device = made_device(SN_DEVICE_NVIDIA);
  const std::string name = gpu_name(root);
  const bool new_nodes = exists(root, "dev/nvgpu/igpu0");
  const bool old_nodes = exists(root, "dev/nvhost-gpu");
  // Chips before TX1, and kernels without NVIDIA's parts, have no GPU that computes.
  if (name.empty() && !new_nodes && !old_nodes) return;
  device.model = board_model(root);
  device.address = name.empty() ? "" : "platform:" + name;
  device.vendor_id = 0x10de;
  device.driver =
      name.empty() ? "nvgpu" : link_name(root, "sys/bus/platform/devices/" + name + "/driver");
  device.driver_version = release(root);
  device.engine = "onnxruntime";
  device.memory_bytes = memory_field(root, "MemTotal");
  device.memory_free_bytes = memory_field(root, "MemAvailable");
  add_accelerators(root, device);
  for (const char* chip : {"tegra210", "tegra186", "tegra194", "tegra234", "tegra264"}) {
    if (board_compatible(root, base::str_cat("nvidia,", chip))) device.features.emplace_back(chip);
  }
  const std::string gpu = new_nodes ? "/dev/nvgpu/igpu0/ctrl" : "/dev/nvhost-gpu";
  device.nodes.insert(device.nodes.begin(), {"/dev/nvmap", gpu});

  Diagnosis diagnosis(root);
  constexpr std::string_view kPass = "--runtime nvidia (NVIDIA Container Toolkit)";
  const std::string install = "install NVIDIA's JetPack (apt install nvidia-jetpack)";
  if (diagnosis.need_driver(device, {"gk20a", "nvgpu"}, install)) {
    for (const std::string& node : {std::string("/dev/nvmap"), gpu}) {
      diagnosis.need_node(node, kPass, install);
    }
    diagnosis.need_library(
        {"libcuda.so.1"}, {"usr/lib/aarch64-linux-gnu/nvidia", "usr/lib/aarch64-linux-gnu/tegra"},
        in_container(root) ? base::str_cat("start the container with ", kPass) : install);
  }
  diagnosis.settle(device);
  devices.push_back(std::move(device));
}

}  // namespace supernova::device::nvidia
