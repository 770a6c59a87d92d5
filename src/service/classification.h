// The classification extension: the best classes of an output as text instead of all its numbers.
// Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/tensor.h"

namespace supernova::service {

// INVALID_ARGUMENT for a type whose values have no order as numbers: BOOL and BYTES.
base::Status check_classification(std::string_view output, tensor::DataType type);

// The `count` greatest values of `output`, or all if there are fewer, greatest first: a BYTES
// tensor of "value:index" or "value:index:label". With `batched` of each item of the first
// dimension, in shape [items, n], else of the whole tensor, in shape [n]. Values with a fraction
// have six digits after the point, integers none. Of equal values the lower index comes first, and
// NaN after everything else. Indices without a label (`labels` may be null) have none.
base::Result<tensor::Tensor> classify(const tensor::Tensor& output, uint32_t count, bool batched,
                                      const std::vector<std::string>* labels);

}  // namespace supernova::service
