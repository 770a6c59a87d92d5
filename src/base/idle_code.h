// Gives back the memory of code that ran once. Loading a model touches most of a runtime's code and
// its tables, serving a small part of them, and the kernel leaves what was touched in the process.
#pragma once

#include <cstddef>

namespace supernova::base {

// Takes the program's and its libraries' unchanged pages, code and constants, out of this process.
// They stay in the page cache: what is used again comes back with a fault of about a microsecond
// each 64 KiB, and under pressure the kernel may drop the rest without having to look for it. What
// the process has changed (relocations, a debugger's breakpoints) stays. Returns the bytes that
// were resident; 0 where /proc does not tell. Safe from any thread, libraries may be loaded
// meanwhile.
size_t release_idle_code();

}  // namespace supernova::base
