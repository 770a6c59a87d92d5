// BYTES tensors as ONNX Runtime string tensors and back. Elements may hold any byte, NUL included.
#pragma once

#include <supernova/engine.h>

#include "base/status.h"
#include "engine/onnxruntime/runtime.h"

namespace supernova::engine::onnxruntime {

base::Result<ValuePtr> make_strings(const Runtime& runtime, const sn_tensor& tensor);
// Packs the elements into memory of malloc, which the buffer's release gives back.
base::Result<sn_buffer> pack_strings(const OrtValue& value, size_t count);

}  // namespace supernova::engine::onnxruntime
