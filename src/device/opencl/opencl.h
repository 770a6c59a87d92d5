// The library's part of the OpenCL probe.
#pragma once

#include "device/probes.h"

namespace supernova::device::opencl {

// Asks the OpenCL loader (libOpenCL.so.1): a record for each device with "name", "type"
// (CL_DEVICE_TYPE), "vendor", "version", "driver", "platform", "units", "memory" and "slot", as far
// as its driver says them.
LibraryAnswer ask_loader();

}  // namespace supernova::device::opencl
