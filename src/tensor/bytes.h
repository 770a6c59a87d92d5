// The packed form of BYTES tensors: for each element a little-endian uint32 length, then its bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/buffer.h"

namespace supernova::tensor {

// The elements of a packed buffer, as views into it. An error says at which element and byte the
// packing breaks, or how many elements there are where another number was expected.
base::Result<std::vector<std::string_view>> unpack_bytes(std::string_view packed, int64_t count);
// Appends one element. Elements beyond 4 GiB can't be packed (SN_CHECK).
void pack_bytes(std::string& out, std::string_view element);
Buffer pack_bytes(std::span<const std::string> elements);

}  // namespace supernova::tensor
