// For the worker's work that may cost its neighbours much.
#pragma once

namespace supernova::engine::worker {

// Names the calling thread, and has it and the threads that it starts use what processor time
// others leave. There is no way back.
void lower_priority(const char* name);

}  // namespace supernova::engine::worker
