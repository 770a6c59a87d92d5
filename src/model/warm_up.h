// The first run of a model, before it serves: what is compiled or allocated on the first run is so
// before a client waits for it, and a version that can't run at all is found out in time.
#pragma once

#include <chrono>

#include "engine/engine.h"

namespace supernova::model {

// Runs the session once and waits for it, where the engine is in a worker no longer than `most`:
// DEADLINE_EXCEEDED then.
base::Status run_once(engine::Session& session, tensor::Request request,
                      std::chrono::milliseconds most);

// Runs the session once on zeros of the model's own shapes, sizes that may vary being 1. OK also
// where that can't be done (an input of unknown rank, or very large ones).
base::Status warm_up(engine::Session& session, std::chrono::milliseconds most);

// Whether a warm-up that fails proves that the model can't run: all shapes fixed, and no input
// whose values may be indices, sizes or text.
bool warm_up_proves(const engine::Signature& signature);

}  // namespace supernova::model
