// Inputs and outputs that are no tensors: sequences, optional values and maps of tensors. They
// cross the door as BYTES tensors, every element of which is a whole tensor file (docs/adr/0004).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "import/onnx/value_type.h"
#include "tensor/shape.h"

namespace supernova::import::onnx {

// The shape of the BYTES tensor that stands for such a value: a dimension for each thing it is
// wrapped in. Nothing for tensors, and for what can't be served.
std::optional<tensor::Shape> wrapped_shape(const ValueType& type);
// "input 'x' has type sequence(tensor(float)): BYTES [n], ...". `type` has a wrapped_shape.
std::string wrapped_note(std::string_view side, std::string_view name, const ValueType& type);

}  // namespace supernova::import::onnx
