// One of several Vulkan devices: how a process is made to see no other, and whether it does. Pure.
//
// WebGPU can't be told a device. It takes discrete GPUs before integrated ones before software, of
// one kind whichever Vulkan lists first, and passes over what does not suit it: so it surely takes
// the one that is meant only where Vulkan lists no other.
#pragma once

#include <string>
#include <vector>

#include "device/probes.h"

namespace supernova::device::vulkan {

// `environment` (lines NAME=VALUE) and what makes a process that has it see `device` alone: by
// Vulkan's loader, 1.4.326 or later, or by Mesa's device-select layer, which is there where Mesa's
// drivers are and counts for all drivers. As it is where it chooses by itself, and for what is no
// graphics processor or has no identity.
std::string environment_for(const sn_device& device, std::string environment);

// Why WebGPU might take another than `device` of those that Vulkan lists in this process
// (ask_loader), and the remedy; "" = there is no other.
std::string why_not_alone(const sn_device& device, const std::vector<Record>& listed);

}  // namespace supernova::device::vulkan
