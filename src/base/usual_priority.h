// A thread inherits the priority of the one that starts it, and only the privileged can raise it
// again. What starts on a thread of low priority threads or processes that outlast its work there
// is therefore done on another.
#pragma once

#include <absl/functional/function_ref.h>

namespace supernova::base {

// Starts a thread that keeps the priority of the caller, for as long as the process lives. To be
// called before any thread lowers its own; further calls do nothing.
void keep_usual_priority();

// Runs `task` on a new thread with the priority that was kept and waits for its end; on this thread
// where none was kept. What it throws is thrown here. Thread-safe.
void at_usual_priority(absl::FunctionRef<void()> task);

}  // namespace supernova::base
