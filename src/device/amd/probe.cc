// AMD GPUs: PCI with the driver amdgpu, and the compute topology that the kernel shows
// (Documentation of /sys/class/kfd/kfd/topology; gfx_target_version is major·10000 + minor·100 +
// stepping, location_id is bus·256 + device·8 + function).
#include <cstdio>
#include <sstream>

#include "base/text.h"
#include "device/bus.h"
#include "device/diagnosis.h"
#include "device/probes.h"
#include "device/system_tree.h"

namespace supernova::device::amd {

Probe make_probe();

namespace {

constexpr std::string_view kTopology = "sys/class/kfd/kfd/topology/nodes";
constexpr uint64_t kHeapsOfTheGpu[] = {1, 2};  // frame buffer, public and private

struct ComputeNode {
  uint64_t domain = 0;
  uint64_t location = 0;
  std::string gfx;   // "gfx90a"
  std::string name;  // "mi210"
  uint64_t memory = 0;
};

uint64_t property(const std::string& properties, std::string_view key) {
  const std::string text = value_of(properties, key);
  uint64_t value = 0;
  return base::parse_whole(std::string_view(text), value) ? value : 0;
}

std::string gfx_name(uint64_t version) {
  if (version == 0) return "";
  char text[64];
  std::snprintf(text, sizeof(text), "gfx%u%x%x", static_cast<unsigned>(version / 10000),
                static_cast<unsigned>(version / 100 % 100), static_cast<unsigned>(version % 100));
  return text;
}

uint64_t memory_of(const std::string& root, const std::string& node) {
  uint64_t memory = 0;
  for (const std::string& bank : list_folder(root, node + "/mem_banks")) {
    const std::string text = read_system_file(root, node + "/mem_banks/" + bank + "/properties");
    for (const uint64_t heap : kHeapsOfTheGpu) {
      if (property(text, "heap_type") == heap) memory += property(text, "size_in_bytes");
    }
  }
  return memory;
}

std::vector<ComputeNode> compute_nodes(const std::string& root) {
  std::vector<ComputeNode> nodes;
  for (const std::string& name : list_folder(root, std::string(kTopology))) {
    const std::string node = base::str_cat(kTopology, "/", name);
    const std::string properties = read_system_file(root, node + "/properties");
    if (property(properties, "simd_count") == 0) continue;  // a CPU
    nodes.push_back({property(properties, "domain"), property(properties, "location_id"),
                     gfx_name(property(properties, "gfx_target_version")),
                     read_line(root, node + "/name"), memory_of(root, node)});
  }
  return nodes;
}

const ComputeNode* node_at(const std::vector<ComputeNode>& nodes, const std::string& slot) {
  for (const ComputeNode& node : nodes) {
    char text[64];
    std::snprintf(text, sizeof(text), "%04x:%02x:%02x.%x", static_cast<unsigned>(node.domain),
                  static_cast<unsigned>(node.location >> 8U & 0xffU),
                  static_cast<unsigned>(node.location >> 3U & 0x1fU),
                  static_cast<unsigned>(node.location & 7U));
    if (slot == text) return &node;
  }
  return nullptr;
}

// Memory errors that the driver has counted, as "ue: N\nce: N".
std::string judge(const std::string& root, const PciDevice& pci) {
  uint64_t errors = 0;
  for (const char* part : {"umc", "gfx", "sdma"}) {
    errors += property(read_system_file(root, base::str_cat(pci.path, "/ras/", part, "_err_count")),
                       "ue");
  }
  return errors == 0 ? ""
                     : base::str_cat("uncorrectable errors since the start: ", errors,
                                     "; restart, exchange it when they come back");
}

Device look_at(const std::string& root, const PciDevice& pci,
               const std::vector<ComputeNode>& compute) {
  Device device = device_at(root, SN_DEVICE_AMD, pci);
  device.engine = "onnxruntime";
  if (const std::string model = read_line(root, pci.path + "/product_name"); !model.empty()) {
    device.model = model;
  }
  const std::string unique = read_line(root, pci.path + "/unique_id");
  if (!unique.empty()) device.uuid = "GPU-" + unique;
  device.memory_bytes = read_number(root, pci.path + "/mem_info_vram_total");
  const uint64_t used = read_number(root, pci.path + "/mem_info_vram_used");
  if (device.memory_bytes > used) device.memory_free_bytes = device.memory_bytes - used;
  const ComputeNode* node = node_at(compute, pci.slot);
  if (node != nullptr) {
    if (!node->gfx.empty()) device.features.push_back(node->gfx);
    if (device.model.empty()) device.model = node->name;
    if (device.memory_bytes == 0) device.memory_bytes = node->memory;
  }
  if (pci.driver == "amdgpu") device.nodes.insert(device.nodes.begin(), "/dev/kfd");

  if (device.model.empty()) device.model = "AMD GPU";

  Diagnosis diagnosis(root);
  if (diagnosis.need_driver(device, {"amdgpu"},
                            "load it (modprobe amdgpu), or install AMD's amdgpu-dkms")) {
    // Not of this GPU alone, where it knows none.
    const bool has_kfd = !compute.empty() || exists(root, "dev/kfd");
    if (node == nullptr && has_kfd) {
      diagnosis.add(
          "the kernel's compute driver (KFD) does not know this GPU: it is too old for ROCm, or "
          "the kernel too old for it");
    }
    for (const std::string& path : device.nodes) {
      if (path.find("/card") != std::string::npos) continue;  // for displays
      diagnosis.need_node(path, "--device /dev/kfd --device /dev/dri",
                          path == "/dev/kfd" && !has_kfd
                              ? "its kernel has no compute driver (KFD, CONFIG_HSA_AMD), which "
                                "distributions' kernels and AMD's amdgpu-dkms have"
                              : "is udev running?");
    }
    diagnosis.need_library(
        {"libmigraphx_c.so.3", "libmigraphx_c.so"}, {"opt/rocm/lib", "opt/rocm/lib64"},
        "install ROCm's migraphx (apt install migraphx, from AMD's package archive "
        "repo.radeon.com)");
  }
  device.health = judge(root, pci);
  if (!device.health.empty()) device.state = DeviceState::kUnhealthy;
  diagnosis.settle(device);
  return device;
}

void look(const System& system, std::vector<Device>& devices) {
  const std::vector<ComputeNode> compute = compute_nodes(system.root);
  for (const PciDevice& pci : list_pci(system.root)) {
    const bool is_gpu = pci.base_class == kPciDisplay ||
                        (pci.base_class == kPciAccelerator && pci.driver == "amdgpu");
    if (pci.vendor == 0x1002 && is_gpu) devices.push_back(look_at(system.root, pci, compute));
  }
}

}  // namespace

Probe make_probe() { return {"amd", SN_DEVICE_AMD, &look, nullptr}; }

}  // namespace supernova::device::amd
