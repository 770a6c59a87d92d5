// Which device a user means. Pure; thread-safe.
#pragma once

#include <string_view>
#include <vector>

#include "base/status.h"
#include "device/device.h"

namespace supernova::device {

// The one device that `name` names: its id ("nvidia:0"), its kind where there is one of it
// ("edgetpu"), "gpu" where there is one device of any graphics kind that is not emulated, its
// address or its UUID. Where all that fit are one piece of hardware, its vendor's and Vulkan's, the
// first usable one is meant.
// NOT_FOUND lists what there is; INVALID_ARGUMENT lists the several that the name would fit;
// FAILED_PRECONDITION says what an unusable one is missing. The pointer is into `devices`.
base::Result<const Device*> select(const std::vector<Device>& devices, std::string_view name);

}  // namespace supernova::device
