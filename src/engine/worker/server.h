// The worker's main loop: what apps/worker does.
#pragma once

#include <span>

#include "engine/worker/hosted_engine.h"

namespace supernova::engine::worker {

// Serves one engine to the server at the other end of the socket, descriptor 3, until that is gone.
// Returns what the program exits with; other threads may still run then.
int serve(std::span<const BuiltinEngine> builtin);

// What it exits with when its memory has run out and the engine could not cope.
inline constexpr int kOutOfMemoryExit = 86;
// When a run's device is lost.
inline constexpr int kDeviceLostExit = 87;

}  // namespace supernova::engine::worker
