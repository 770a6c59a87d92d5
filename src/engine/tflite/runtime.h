// The TensorFlow Lite library of this process: found, loaded once and never unloaded, like the
// libraries of delegates (their threads and static objects don't survive that). Safe from any
// thread.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "engine/tflite/c_api.h"

namespace supernova::engine::tflite {

struct Runtime {
  c::Api api{};
  std::string version;
  std::string path;  // where the library came from
};

// The library of that path; "" = SUPERNOVA_TFLITE_LIBRARY, else beside the program in ../lib, else
// where the system has it. The error says what was tried and how to get it. A failure is tried
// again by the next call.
base::Result<const Runtime*> load_runtime(const std::string& path = {});

// A shared library that stays loaded, with its path as found: beside the program, then as dlopen
// finds it. The error is dlopen's.
base::Result<void*> open_library(const std::string& name);

}  // namespace supernova::engine::tflite
