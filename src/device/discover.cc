#include "device/device.h"
#include "device/probes.h"

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

sn_device to_abi(const Device& device) {
  sn_device out{};
  out.size = sizeof(out);
  out.kind = device.abi_kind;
  out.ordinal = device.ordinal;
  const std::string& identity = !device.address.empty() ? device.address
                                : !device.uuid.empty()  ? device.uuid
                                                        : device.id;
  out.id = identity.c_str();
  out.vendor_id = device.vendor_id;
  out.product_id = device.product_id;
  return out;
}

std::vector<Device> discover(const std::string& sysroot) {
  std::vector<Probe> probes;
  list_probes(probes);
  std::vector<Device> devices;
  for (const Probe& probe : probes) probe(sysroot, devices);
  return devices;
}

}  // namespace supernova::device
