// Digits of JSON numbers, up to sixteen at a time, as this kind of processor does it best. Internal
// to json_numbers.cc: all is inlined into its loops, which keep everything in registers.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

// For functions that use PlatformDigits, and for those inlined into them.
#ifdef __x86_64__
#include <smmintrin.h>
#define SN_DIGITS_TARGET gnu::target("sse4.1")
#define SN_DIGITS_INLINE [[gnu::always_inline, SN_DIGITS_TARGET]] inline
#else
#ifdef __aarch64__
#include <arm_neon.h>
#endif
#define SN_DIGITS_TARGET
#define SN_DIGITS_INLINE [[gnu::always_inline]] inline
#endif

namespace supernova::protocol::oip {

static_assert(std::endian::native == std::endian::little, "digits are taken eight at a time");

struct Digits {
  uint64_t count = 0;  // up to the first character that is none
  uint64_t value = 0;
};

// 10^i, as far as 64 bits go.
inline constexpr auto kWholePowers = [] {
  std::array<uint64_t, 20> powers{1};
  for (size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}();

// All structs: read() takes the digits at `at`, where 16 characters are readable, without
// branches, as their number varies from one to the next and could not be foreseen. find_commas()
// has a bit for each of 64 characters.

struct PortableDigits {
  [[gnu::always_inline]] static uint64_t load8(const char* at) {
    uint64_t word = 0;
    std::memcpy(&word, at, sizeof(word));
    return word;
  }

  [[gnu::always_inline]] static uint64_t count(uint64_t word) {
    const uint64_t values = word ^ 0x3030303030303030U;  // 0 to 9 of digits
    const uint64_t others = ((values + 0x7676767676767676U) | values) & 0x8080808080808080U;
    // Counts the bytes below the lowest bit; all eight when there is none.
    const uint64_t below = (others - 1) & ~others;
    return ((below >> 7) & 0x0101010101010101U) * 0x0101010101010101U >> 56;
  }

  // Of eight characters, each a digit or 0; the first is the most significant. Neighbours are
  // joined to pairs, these to fours, these to the whole.
  [[gnu::always_inline]] static uint64_t value(uint64_t word) {
    word = (word & 0x0F0F0F0F0F0F0F0FU) * (1 + (10U << 8)) >> 8;
    word = (word & 0x00FF00FF00FF00FFU) * (1 + (100U << 16)) >> 16;
    return (word & 0x0000FFFF0000FFFFU) * (1 + (uint64_t{10000} << 32)) >> 32;
  }

  // Shifts what is behind the first `count` characters (1 to 8) out and zeros in before them.
  [[gnu::always_inline]] static uint64_t keep_first(uint64_t word, uint64_t count) {
    return word << ((64 - 8 * count) & 63U);
  }

  [[gnu::always_inline]] static Digits read(const char* at) {
    const uint64_t first = load8(at);
    const uint64_t second = load8(at + 8);
    const uint64_t first_count = count(first);
    const uint64_t second_count = count(second) & (0 - first_count / 8);  // 0 unless 8
    const uint64_t has_second = 0 - static_cast<uint64_t>(second_count != 0);
    const uint64_t low = value(keep_first(second, second_count) & has_second);
    const uint64_t high = value(keep_first(first, first_count));
    return {first_count + second_count, high * kWholePowers[second_count] + low};
  }

  [[gnu::always_inline]] static uint64_t find_commas(const char* at) {
    uint64_t commas = 0;
    for (int i = 0; i < 64; i += 8) {
      constexpr uint64_t kLow = 0x7F7F7F7F7F7F7F7FU;
      const uint64_t word = load8(at + i) ^ 0x2C2C2C2C2C2C2C2CU;
      const uint64_t zeros = ~(((word & kLow) + kLow) | word | kLow);  // the top bits of zero bytes
      commas |= ((zeros >> 7) * 0x0102040810204080U >> 56) << i;
    }
    return commas;
  }
};

// From i on, the shuffle that moves the first i of 16 bytes to the end and zeros before them.
alignas(32) inline constexpr auto kDigitMoves = [] {
  std::array<uint8_t, 32> moves{};
  for (size_t i = 0; i < moves.size(); ++i) moves[i] = static_cast<uint8_t>(i < 16 ? 0x80 : i - 16);
  return moves;
}();

#ifdef __x86_64__
struct Sse41Digits {
  SN_DIGITS_INLINE static __m128i load16(const void* at) {
    return _mm_loadu_si128(static_cast<const __m128i*>(at));
  }

  SN_DIGITS_INLINE static Digits read(const char* at) {
    const __m128i values = _mm_sub_epi8(load16(at), _mm_set1_epi8('0'));
    const __m128i are_digits = _mm_cmpeq_epi8(_mm_min_epu8(values, _mm_set1_epi8(9)), values);
    const auto others = ~static_cast<uint32_t>(_mm_movemask_epi8(are_digits));
    const auto count = static_cast<uint64_t>(__builtin_ctz(others));  // 16 without any
    // Joined to pairs, fours, eights.
    const __m128i digits = _mm_shuffle_epi8(values, load16(kDigitMoves.data() + count));
    const __m128i pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(10 | 1 << 8));
    const __m128i fours = _mm_madd_epi16(pairs, _mm_set1_epi32(100 | 1 << 16));
    const __m128i eights =
        _mm_madd_epi16(_mm_packus_epi32(fours, fours), _mm_set1_epi32(10000 | 1 << 16));
    const auto both = static_cast<uint64_t>(_mm_cvtsi128_si64(eights));
    return {count, (both & 0xFFFFFFFFU) * 100'000'000 + (both >> 32)};
  }

  SN_DIGITS_INLINE static uint64_t find_commas(const char* at) {
    return find_commas_of_16(at) | find_commas_of_16(at + 16) << 16 |
           find_commas_of_16(at + 32) << 32 | find_commas_of_16(at + 48) << 48;
  }

 private:
  SN_DIGITS_INLINE static uint64_t find_commas_of_16(const char* at) {
    const __m128i commas = _mm_cmpeq_epi8(load16(at), _mm_set1_epi8(','));
    return static_cast<uint32_t>(_mm_movemask_epi8(commas));
  }
};

using PlatformDigits = Sse41Digits;
inline bool has_platform_digits() { return __builtin_cpu_supports("sse4.1"); }
#elif defined(__aarch64__)
struct NeonDigits {
  [[gnu::always_inline]] static uint8x16_t load16(const char* at) {
    return vld1q_u8(reinterpret_cast<const uint8_t*>(at));
  }

  [[gnu::always_inline]] static Digits read(const char* at) {
    const uint8x16_t values = vsubq_u8(load16(at), vdupq_n_u8('0'));
    const uint16x8_t are_digits = vreinterpretq_u16_u8(vcleq_u8(values, vdupq_n_u8(9)));
    // Four bits of each.
    const uint64_t others = ~vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(are_digits, 4)), 0);
    const auto count = static_cast<uint64_t>(std::countr_zero(others)) / 4;
    // Joined to pairs, fours, eights.
    const uint8x16_t digits = vqtbl1q_u8(values, vld1q_u8(kDigitMoves.data() + count));
    const uint16x8_t pairs =
        vpaddlq_u8(vmulq_u8(digits, vreinterpretq_u8_u16(vdupq_n_u16(10 | 1 << 8))));
    const uint32x4_t fours =
        vpaddlq_u16(vmulq_u16(pairs, vreinterpretq_u16_u32(vdupq_n_u32(100 | 1 << 16))));
    const uint64x2_t eights = vpaddlq_u32(
        vmulq_u32(fours, vreinterpretq_u32_u64(vdupq_n_u64(10000 | uint64_t{1} << 32))));
    return {count, vgetq_lane_u64(eights, 0) * 100'000'000 + vgetq_lane_u64(eights, 1)};
  }

  [[gnu::always_inline]] static uint64_t find_commas(const char* at) {
    const uint8x16_t low = vpaddq_u8(commas_of_16(at), commas_of_16(at + 16));
    const uint8x16_t high = vpaddq_u8(commas_of_16(at + 32), commas_of_16(at + 48));
    const uint8x16_t all = vpaddq_u8(low, high);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(all, all)), 0);
  }

 private:
  // A byte with one bit for each; three sums of neighbours join eight of them.
  [[gnu::always_inline]] static uint8x16_t commas_of_16(const char* at) {
    const uint8x16_t bits = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201U));
    return vandq_u8(vceqq_u8(load16(at), vdupq_n_u8(',')), bits);
  }
};

using PlatformDigits = NeonDigits;
inline bool has_platform_digits() { return true; }
#else
using PlatformDigits = PortableDigits;
inline bool has_platform_digits() { return true; }
#endif

}  // namespace supernova::protocol::oip
