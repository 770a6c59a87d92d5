// The library's part of the Vulkan probe.
#pragma once

#include <string>
#include <vector>

#include "device/probes.h"

namespace supernova::device::vulkan {

// Names of the drivers' manifests that the loader finds below `root`, "lvp_icd.x86_64"; on this
// machine ("/") those that VK_DRIVER_FILES or VK_ICD_FILENAMES names, where one is set.
std::vector<std::string> installed_drivers(const std::string& root);

// Asks the Vulkan loader (libvulkan.so.1): a record for each physical device with "name", "type"
// (VkPhysicalDeviceType), "vendor", "device", "version", "driver", "driver_info", "uuid", "slot"
// and "memory", as far as its driver says them, and "no_dynamic_indexing" where it lacks a part of
// shader*ArrayDynamicIndexing.
LibraryAnswer ask_loader();

}  // namespace supernova::device::vulkan
