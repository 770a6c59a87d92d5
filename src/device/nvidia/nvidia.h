// The parts of the NVIDIA probe.
#pragma once

#include <string>
#include <vector>

#include "device/probes.h"

namespace supernova::device::nvidia {

// Asks NVML (libnvidia-ml.so.1): a record for each GPU with "slot", "name", "uuid", "driver",
// "memory", "free", "temperature", "slowdown", "ecc", "remap_failed", "lost", "capability", "mig",
// "minor", as far as it says them.
LibraryAnswer ask_nvml();

// The GPU of a Jetson, which is on no bus, with its DLA; nothing on other boards.
void look_for_jetson(const System& system, std::vector<Device>& devices);

// The version that the kernel's driver says of itself, "" = it is not loaded.
std::string kernel_driver_version(const std::string& sysroot);

}  // namespace supernova::device::nvidia
