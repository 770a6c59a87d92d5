// BYTES tensors as TensorFlow Lite's string tensors and back. Those begin with the count and the
// places of all elements, as INT32; elements may hold any byte.
#pragma once

#include <supernova/engine.h>

#include <string>
#include <string_view>

#include "base/status.h"

namespace supernova::engine::tflite {

// `packed` has `count` elements in the ABI's form.
base::Result<std::string> to_runtime_strings(std::string_view packed, int64_t count);
// `content` as the runtime left it, with how many elements its shape says.
base::Result<std::string> from_runtime_strings(std::string_view content, int64_t count);

}  // namespace supernova::engine::tflite
