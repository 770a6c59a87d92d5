// What compiled code and data layouts depend on.
#pragma once

#include <string>

namespace supernova::compile {

// The architecture and the instruction sets of this machine's processors: "x86_64:<digest>".
const std::string& cpu_type();
// The same of another machine: of the text of its /proc/cpuinfo.
std::string cpu_type_of(const std::string& architecture, const std::string& cpuinfo);

}  // namespace supernova::compile
