// Intel's GPUs (i915, xe) and the NPUs of Core Ultra processors (intel_vpu).
#include <algorithm>

#include "base/text.h"
#include "device/bus.h"
#include "device/diagnosis.h"
#include "device/probes.h"
#include "device/system_tree.h"

namespace supernova::device::intel {

Probe make_probe();

namespace {

struct NpuName {
  uint32_t product;
  const char* name;
};
// The PCI ids that the kernel's driver binds to.
constexpr NpuName kNpus[] = {{0x7d1d, "Intel NPU (Meteor Lake)"},
                             {0xad1d, "Intel NPU (Arrow Lake)"},
                             {0x643e, "Intel NPU (Lunar Lake)"},
                             {0xb03e, "Intel NPU (Panther Lake)"},
                             {0xfd3e, "Intel NPU (Wildcat Lake)"}};

const char* npu_name(uint32_t product) {
  const auto* it = std::find_if(std::begin(kNpus), std::end(kNpus),
                                [product](const NpuName& npu) { return npu.product == product; });
  return it != std::end(kNpus) ? it->name : nullptr;
}

// Of cards with memory of their own, where their driver says it; 0 for those that use the
// machine's.
uint64_t card_memory(const std::string& root, const PciDevice& pci) {
  uint64_t of_tiles = 0;  // the driver xe
  for (const std::string& name : list_folder(root, pci.path)) {
    if (!name.starts_with("tile")) continue;
    of_tiles += read_number(root, pci.path + "/" + name + "/physical_vram_size_bytes");
  }
  if (of_tiles > 0) return of_tiles;
  for (const std::string& name : list_folder(root, pci.path + "/drm")) {
    const uint64_t bytes = read_number(root, pci.path + "/drm/" + name + "/lmem_total_bytes");
    if (bytes > 0) return bytes;
  }
  return 0;
}

void need_nodes(const Device& device, std::string_view folder, Diagnosis& diagnosis) {
  bool any = false;
  for (const std::string& node : device.nodes) {
    if (node.find("/card") != std::string::npos) continue;  // for displays
    any = true;
    diagnosis.need_node(node, base::str_cat("--device ", folder), "is udev running?");
  }
  if (!any) diagnosis.add(base::str_cat("its driver made no node in ", folder));
}

Device look_at_gpu(const std::string& root, const PciDevice& pci) {
  Device device = device_at(root, SN_DEVICE_INTEL_GPU, pci);
  device.engine = "onnxruntime";
  device.memory_bytes = card_memory(root, pci);
  if (device.model.empty()) device.model = "Intel GPU";
  // What is in the processor sits on the first bus of all.
  const bool in_processor = pci.slot.starts_with("0000:00:") && device.memory_bytes == 0;
  device.features.emplace_back(in_processor ? "shared-memory" : "discrete");
  Diagnosis diagnosis(root);
  if (diagnosis.need_driver(device, {"i915", "xe"},
                            "load it (modprobe i915, newer GPUs xe). It needs a kernel that is "
                            "newer than the GPU, and its firmware (Debian: firmware-misc-nonfree "
                            "or firmware-intel-graphics, Ubuntu: linux-firmware)")) {
    need_nodes(device, "/dev/dri", diagnosis);
    if (!exists(root, "etc/OpenCL/vendors/intel.icd")) {
      diagnosis.add(
          "Intel's compute runtime is not installed, which OpenVINO drives the GPU by: apt install "
          "intel-opencl-icd");
    }
  }
  diagnosis.settle(device);
  return device;
}

Device look_at_npu(const std::string& root, const PciDevice& pci) {
  Device device = device_at(root, SN_DEVICE_NPU, pci);
  device.engine = "onnxruntime";
  if (const char* name = npu_name(pci.product); name != nullptr) device.model = name;
  if (device.model.empty()) device.model = "Intel NPU";
  Diagnosis diagnosis(root);
  if (diagnosis.need_driver(device, {"intel_vpu"},
                            "load it (modprobe intel_vpu, kernel 6.6 or newer), with the firmware "
                            "package intel-fw-npu (github.com/intel/linux-npu-driver)")) {
    need_nodes(device, "/dev/accel", diagnosis);
    diagnosis.need_library({"libze_intel_npu.so.1", "libze_intel_vpu.so.1"}, {},
                           "install intel-level-zero-npu and intel-driver-compiler-npu "
                           "(github.com/intel/linux-npu-driver)");
    diagnosis.need_library({"libze_loader.so.1"}, {}, "apt install libze1 (elsewhere: level-zero)");
  }
  diagnosis.settle(device);
  return device;
}

void look(const System& system, std::vector<Device>& devices) {
  for (const PciDevice& pci : list_pci(system.root)) {
    if (pci.vendor != 0x8086) continue;
    if (pci.base_class == kPciDisplay) {
      devices.push_back(look_at_gpu(system.root, pci));
    } else if (pci.driver == "intel_vpu" || npu_name(pci.product) != nullptr) {
      devices.push_back(look_at_npu(system.root, pci));
    }
  }
}

}  // namespace

Probe make_probe() { return {"intel", SN_DEVICE_INTEL_GPU, &look, nullptr}; }

}  // namespace supernova::device::intel
