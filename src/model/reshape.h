// Shapes that hold the same elements in the same order. -1 is a size that may vary; the first -1 of
// one shape stands for the first of the other, and so on. Pure functions.
#pragma once

#include <span>

#include "base/status.h"
#include "tensor/shape.h"

namespace supernova::model {

// Whether every tensor of shape `from` can be seen in shape `to`: as many -1, and between them the
// same number of elements.
base::Status check_reshape(std::span<const int64_t> from, std::span<const int64_t> to);

// `to` with the sizes that `actual`, a tensor's shape that matches `from`, has where `from` says
// -1. INVALID_ARGUMENT when it does not match.
base::Result<tensor::Shape> reshaped(std::span<const int64_t> actual, std::span<const int64_t> from,
                                     std::span<const int64_t> to);

}  // namespace supernova::model
