#include <algorithm>
#include <map>

#include "base/text.h"
#include "device/probes.h"
#include "device/system_tree.h"

namespace supernova::device {

std::string_view device_kind_name(sn_device_kind kind) {
  switch (kind) {
    case SN_DEVICE_CPU:
      return "cpu";
    case SN_DEVICE_NVIDIA:
      return "nvidia";
    case SN_DEVICE_AMD:
      return "amd";
    case SN_DEVICE_INTEL_GPU:
      return "intel-gpu";
    case SN_DEVICE_NPU:
      return "npu";
    case SN_DEVICE_VULKAN:
      return "vulkan";
    case SN_DEVICE_OPENCL:
      return "opencl";
    case SN_DEVICE_EDGETPU:
      return "edgetpu";
    case SN_DEVICE_VPU:
      return "vpu";
    case SN_DEVICE_FPGA:
      return "fpga";
    case SN_DEVICE_NEURON:
      return "neuron";
  }
  return "unknown";
}

std::string_view device_state_name(DeviceState state) {
  switch (state) {
    case DeviceState::kUsable:
      return "usable";
    case DeviceState::kUnusable:
      return "unusable";
    case DeviceState::kUnhealthy:
      return "unhealthy";
    case DeviceState::kNotAnswering:
      return "not-answering";
  }
  return "unknown";
}

void number_devices(std::vector<Device>& devices) {
  std::stable_sort(devices.begin(), devices.end(), [](const Device& a, const Device& b) {
    if (a.abi_kind != b.abi_kind) return a.abi_kind < b.abi_kind;
    // PCI addresses are hexadecimal, of one width.
    const bool on_pci = a.address.starts_with("pci:") && b.address.starts_with("pci:");
    return on_pci ? a.address < b.address
                  : natural_less(a.address, b.address) && a.address != b.address;
  });
  std::map<sn_device_kind, int> counts;
  for (Device& device : devices) {
    device.ordinal = counts[device.abi_kind]++;
    // There is one CPU, which every command calls so.
    device.id = device.abi_kind == SN_DEVICE_CPU ? device.kind
                                                 : base::str_cat(device.kind, ":", device.ordinal);
    std::sort(device.features.begin(), device.features.end());
  }
}

bool is_emulated(const Device& device) {
  return std::find(device.features.begin(), device.features.end(), "emulated") !=
         device.features.end();
}

}  // namespace supernova::device
