// Element types of tensors and their names in the Open Inference Protocol. Values match sn_dtype of
// supernova/engine.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace supernova::tensor {

enum class DataType : int32_t {
  kInvalid = 0,
  kBool = 1,
  kUint8 = 2,
  kUint16 = 3,
  kUint32 = 4,
  kUint64 = 5,
  kInt8 = 6,
  kInt16 = 7,
  kInt32 = 8,
  kInt64 = 9,
  kFp16 = 10,
  kFp32 = 11,
  kFp64 = 12,
  kBytes = 13,
  kBf16 = 14,
};

// Bytes of one element; 0 for BYTES (and invalid), whose elements differ in length.
size_t element_size(DataType type);
// "FP32", "BYTES", ...
std::string_view data_type_name(DataType type);
// Exact, upper-case names only; nothing for unknown ones.
std::optional<DataType> data_type_from_name(std::string_view name);

}  // namespace supernova::tensor
