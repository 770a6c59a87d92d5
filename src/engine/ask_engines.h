// What the engines say of devices. Thread-safe.
#pragma once

#include <vector>

#include "device/device.h"
#include "engine/catalogue.h"

namespace supernova::engine {

// Asks the engines whether they drive the devices of this machine: a device gets the engine that
// does, its own first, or is made unusable with that engine's reason. What a probe found missing
// stays.
void ask_engines(Catalogue& engines, std::vector<device::Device>& devices);

}  // namespace supernova::engine
