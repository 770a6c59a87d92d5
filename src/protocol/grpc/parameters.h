// The `parameters` of requests, tensors and responses. Pure; errors are INVALID_ARGUMENT unless
// said otherwise.
#pragma once

#include <inference.pb.h>

#include <functional>
#include <optional>
#include <string_view>

#include "base/status.h"
#include "tensor/request.h"

namespace supernova::protocol::grpc {

using ParameterMap = google::protobuf::Map<std::string, inference::InferParameter>;

// Finds `byte_size` bytes at `offset` of a shared memory region. They are handed on and never
// looked at here: their writer can change them, or take them away, at any moment.
using SharedMemoryPart = std::function<base::Result<tensor::Buffer>(
    std::string_view region, uint64_t offset, uint64_t byte_size)>;

base::Result<tensor::Parameters> read_parameters(const ParameterMap& map);
// Request parameters whose type matters: it is said here, where the client's field is known.
base::Status check_known_parameters(const ParameterMap& map);
// A whole number >= 0 under `key`, whichever of the two integer fields holds it.
base::Result<std::optional<uint64_t>> read_whole(const ParameterMap& map, const char* key);
// The part of a shared memory region that a tensor's parameters name; nothing when they name none.
// Without `shared_memory` that is UNIMPLEMENTED.
base::Result<std::optional<tensor::Buffer>> read_region(const ParameterMap& map,
                                                        const SharedMemoryPart& shared_memory);

void fill(const tensor::Parameter& value, inference::InferParameter& message);

}  // namespace supernova::protocol::grpc
