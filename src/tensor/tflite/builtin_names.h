// Names of the schema's BuiltinOperator by number.
#pragma once

#include <cstdint>
#include <string_view>

namespace supernova::tensor::tflite {

// "" for a number that the schema didn't have.
std::string_view builtin_name(int32_t code);
inline constexpr int32_t kCustomCode = 32;

}  // namespace supernova::tensor::tflite
