// Reads small files of /proc and /sys below a root.
#pragma once

#include <string>

namespace supernova::device {

// The content of `path` below `sysroot` ("" when it can't be read), at most 1 MiB.
std::string read_system_file(const std::string& sysroot, const std::string& path);

}  // namespace supernova::device
