// For the worker's work that may cost its neighbours much.
#pragma once

namespace supernova::engine::worker {

// Names the calling thread, and has it and the threads that it starts use what processor time
// others leave. There is no way back.
void lower_priority(const char* name);

// When a thread of low priority ends the process by a signal, all its threads become so: the last
// of them clears the memory away. For signals that nobody else handles.
void end_at_low_priority();
// The same, now.
void lower_all_if_low();

}  // namespace supernova::engine::worker
