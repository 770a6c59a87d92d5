// What a worker does when a signal ends it.
#pragma once

#include <atomic>
#include <cstdint>

namespace supernova::engine::worker {

// Before SIGABRT, SIGSEGV or SIGBUS ends the process, where nobody else handles it: sets
// `at_memory_limit`, which must live as long as the process, to 1 where the process has about as
// much memory as RLIMIT_DATA lets it have, as what it was refused is likely why it ends; and gives
// all threads a low priority where the one that ends it has one, as the last of them clears the
// memory away. The signal stays what it was.
void handle_fatal_signals(std::atomic<uint32_t>& at_memory_limit);

}  // namespace supernova::engine::worker
