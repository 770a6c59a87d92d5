// The 16-bit floating-point types as the bits that tensors hold: IEEE 754 binary16 and bfloat16.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace supernova::tensor {

inline float half_to_float(uint16_t half) {
  const uint32_t sign = (half & 0x8000U) << 16U;
  const uint32_t exponent = (half >> 10U) & 0x1FU;
  const uint32_t fraction = half & 0x3FFU;
  if (exponent == 0) {
    const float value = std::ldexp(static_cast<float>(fraction), -24);
    return sign != 0 ? -value : value;
  }
  const uint32_t wide = exponent == 31 ? 255U : exponent + 112U;
  return std::bit_cast<float>(sign | (wide << 23U) | (fraction << 13U));
}

inline float bfloat_to_float(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16U); }

// The nearest binary16; ties go to even, what is too large becomes infinite.
inline uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16U) & 0x8000U);
  const uint32_t wide = (bits >> 23U) & 0xFFU;
  const int32_t exponent = static_cast<int32_t>(wide) - 112;
  uint32_t fraction = bits & 0x7FFFFFU;
  if (wide == 0xFF) return static_cast<uint16_t>(sign | 0x7C00U | (fraction != 0 ? 0x200U : 0U));
  if (exponent >= 31) return static_cast<uint16_t>(sign | 0x7C00U);
  if (exponent < -10) return sign;
  uint32_t shift = 13;
  uint32_t out = 0;
  if (exponent <= 0) {
    fraction |= 0x800000U;
    shift = static_cast<uint32_t>(14 - exponent);
  } else {
    out = static_cast<uint32_t>(exponent) << 10U;
  }
  out += fraction >> shift;
  const uint32_t rest = fraction & ((1U << shift) - 1);
  const uint32_t middle = 1U << (shift - 1);
  if (rest > middle || (rest == middle && (out & 1U) != 0)) ++out;
  return static_cast<uint16_t>(sign | out);
}

// The nearest bfloat16 of a number; ties go to even.
inline uint16_t float_to_bfloat(float value) {
  auto bits = std::bit_cast<uint32_t>(value);
  bits += 0x7FFFU + ((bits >> 16U) & 1U);
  return static_cast<uint16_t>(bits >> 16U);
}

}  // namespace supernova::tensor
