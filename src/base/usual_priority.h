// A thread inherits the priority of the one that starts it, and only the privileged can raise it
// again. What is started on a thread of low priority and outlasts its work there, a pool of threads
// or a process, is therefore started by way of another.
#pragma once

#include <absl/functional/function_ref.h>

namespace supernova::base {

// Starts a thread that keeps the priority of the caller, for as long as the process lives. To be
// called before any thread lowers its own; further calls do nothing.
void keep_usual_priority();

// Runs `start` on that thread, or here where none is kept, and returns when it has; what it throws
// is thrown here. It should be short: others wait meanwhile. It must not call this itself.
// Thread-safe.
void at_usual_priority(absl::FunctionRef<void()> start);

}  // namespace supernova::base
