// Groups of device kinds. Pure.
#pragma once

#include <supernova/engine.h>

namespace supernova::device {

inline bool is_graphics(int32_t kind) {
  return kind == SN_DEVICE_NVIDIA || kind == SN_DEVICE_AMD || kind == SN_DEVICE_INTEL_GPU ||
         kind == SN_DEVICE_VULKAN;
}

}  // namespace supernova::device
