// Shapes of tensors: sizes of dimensions, outermost first. In a model's signature -1 is a size that
// may vary; in a tensor every size is >= 0, and no dimensions is a scalar.
#pragma once

#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <span>
#include <string>

#include "base/status.h"
#include "tensor/data_type.h"

namespace supernova::tensor {

using Shape = absl::InlinedVector<int64_t, 6>;

// "[1,3,224,224]"
std::string shape_to_string(std::span<const int64_t> shape);
// Number of elements; an error for negative sizes and for products beyond int64.
base::Result<int64_t> element_count(std::span<const int64_t> shape);
// Number of bytes of a tensor of a fixed-size type; an error as above, and for BYTES.
base::Result<size_t> byte_size(DataType type, std::span<const int64_t> shape);
// Whether a tensor of shape `actual` may be given where `declared` (with -1) is expected.
bool shape_matches(std::span<const int64_t> declared, std::span<const int64_t> actual);

}  // namespace supernova::tensor
