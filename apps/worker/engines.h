// The engines that are built into supernova-worker; generated.
#pragma once

#include "engine/worker/hosted_engine.h"

namespace supernova::engine::worker {

std::span<const BuiltinEngine> builtin_engines();

}  // namespace supernova::engine::worker
