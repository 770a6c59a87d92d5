// The `data` of a JSON input, nested or flat, straight into tensor memory.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "protocol/oip/json_reader.h"
#include "tensor/buffer.h"
#include "tensor/data_type.h"

namespace supernova::protocol::oip {

// What elements of BYTES may be: strings, or {"b64": "..."} too.
enum class Strings { kText, kTextOrBase64 };

// Reads an array of `count` elements, row by row; how it is nested does not matter. Numbers that
// the type can't hold are refused. INVALID_ARGUMENT without the input's name; FP16 and BF16 are
// refused. Memory follows the text that is there, not `count`.
base::Result<tensor::Buffer> read_json_data(JsonReader& reader, tensor::DataType type,
                                            int64_t count, Strings strings = Strings::kText);

}  // namespace supernova::protocol::oip
