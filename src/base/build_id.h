// What tells one build of this program from another.
#pragma once

#include <string>

namespace supernova::base {

// The identity that the linker computed from the program's content (the GNU build-id note), in
// hexadecimal; "" where the program was linked without one.
std::string build_id();

}  // namespace supernova::base
