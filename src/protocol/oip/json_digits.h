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

// Both structs: read() takes the digits at `at`, where 16 characters are readable, without
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
    // Moves the digits to the end and zeros before them, then joins them to pairs, fours, eights.
    alignas(32) static constexpr int8_t kMoves[32] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                                      -1, -1, -1, -1, -1, 0,  1,  2,  3,  4,  5,
                                                      6,  7,  8,  9,  10, 11, 12, 13, 14, 15};
    const __m128i digits = _mm_shuffle_epi8(values, load16(kMoves + count));
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
#else
using PlatformDigits = PortableDigits;
inline bool has_platform_digits() { return true; }
#endif

}  // namespace supernova::protocol::oip
