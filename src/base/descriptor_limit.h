// The number of files and connections this process may have open.
#pragma once

#include <cstdint>

namespace supernova::base {

// Raises the limit as far as the system lets a process do it itself (many systems start programs
// with 1,024) and returns what is in force now. For servers, before they listen.
uint64_t raise_descriptor_limit();

}  // namespace supernova::base
