// Tensors that travel as typed lists (InferTensorContents) instead of raw bytes. Pure.
#pragma once

#include <inference.pb.h>

#include <span>

#include "base/status.h"
#include "tensor/buffer.h"
#include "tensor/data_type.h"

namespace supernova::protocol::grpc {

// The elements as the tensor's bytes. INVALID_ARGUMENT when another list than the datatype's is
// filled, the number of elements is not the shape's, or one is out of the datatype's range.
base::Result<tensor::Buffer> read_contents(const inference::InferTensorContents& contents,
                                           tensor::DataType type, std::span<const int64_t> shape);

}  // namespace supernova::protocol::grpc
