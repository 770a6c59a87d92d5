// The library's part of the Vulkan probe.
#pragma once

#include "device/probes.h"

namespace supernova::device::vulkan {

// Asks the Vulkan loader (libvulkan.so.1): a record for each physical device with "name", "type"
// (VkPhysicalDeviceType), "vendor", "device", "version", "driver", "driver_info", "uuid", "slot"
// and "memory", as far as its driver says them.
LibraryAnswer ask_loader();

}  // namespace supernova::device::vulkan
