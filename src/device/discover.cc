#include "device/device.h"
#include "device/probes.h"

namespace supernova::device {

std::vector<Device> discover(const std::string& sysroot) {
  std::vector<Probe> probes;
  list_probes(probes);
  std::vector<Device> devices;
  for (const Probe& probe : probes) probe(sysroot, devices);
  return devices;
}

}  // namespace supernova::device
