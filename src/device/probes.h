// The list of probes, generated from the folders beside this file.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "device/device.h"

namespace supernova::device {

using Probe = std::function<void(const std::string& sysroot, std::vector<Device>& devices)>;

void list_probes(std::vector<Probe>& probes);

}  // namespace supernova::device
