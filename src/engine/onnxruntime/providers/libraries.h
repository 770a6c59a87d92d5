// Shared libraries of vendors, looked at without loading them. Stateless and thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace supernova::engine::onnxruntime {

// The libraries that a shared library names as needed (its DT_NEEDED); none when it can't be read.
std::vector<std::string> needed_libraries(const std::string& path);
// Whether it exports a function of that name.
bool exports(const std::string& path, std::string_view function);
// Why the file can't be loaded as a library here: "it can't be read: ...", "it is built for ARM64,
// ...". "" = nothing is known against it.
std::string why_no_library(const std::string& path);
// Whether the dynamic loader would find a library of that name: loaded already, in LD_LIBRARY_PATH,
// in its cache or in the system's folders.
bool is_installed(const std::string& name);

}  // namespace supernova::engine::onnxruntime
