// Weights of an ONNX model that move to another file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace supernova::import::onnx {

// The model file `file` with the external data of its graph's initializers in `location` instead of
// where they were, `lower` bytes nearer to its start.
base::Result<std::string> move_external_data(std::string_view file, std::string_view location,
                                             uint64_t lower);

}  // namespace supernova::import::onnx
