// Sequences, optional values and maps of tensors. To the host each is a BYTES tensor with a
// dimension for everything the tensors are wrapped in; an element is a whole .npy file, or the
// .json form, which strings always come in (docs/adr/0004):
//   sequence [n]   optional [0] or [1]   optional(sequence) [0,m] or [1,n]
//   map [2], its keys and its values     sequence(map) [n,2]
#pragma once

#include <supernova/engine.h>

#include <vector>

#include "base/status.h"
#include "engine/onnxruntime/runtime.h"
#include "engine/onnxruntime/types.h"
#include "engine/onnxruntime/values.h"
#include "tensor/tensor.h"

namespace supernova::engine::onnxruntime {

// Once per input, when the model is opened; leaves tensors alone.
base::Status prepare_wrapped(const Runtime& runtime, ValueInfo& input);
// Null for an optional value that isn't there. Decoded tensors are added to `decoded` and have to
// outlive the value. Errors of the elements name them: "element 3: ...".
base::Result<ValuePtr> make_wrapped(const Runtime& runtime, const ValueInfo& input,
                                    const sn_tensor& tensor, std::vector<tensor::Tensor>& decoded);
// Memory of its own, with release; sets `dims`.
base::Result<sn_buffer> pack_wrapped(const Runtime& runtime, const ValueInfo& output,
                                     const OrtValue& value, Few<int64_t>& dims);

}  // namespace supernova::engine::onnxruntime
