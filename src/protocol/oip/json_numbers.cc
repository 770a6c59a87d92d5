#include "protocol/oip/json_numbers.h"

#include <array>
#include <bit>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "protocol/oip/json_digits.h"

namespace supernova::protocol::oip {
namespace {

// No number is looked at further than this from its start.
constexpr ptrdiff_t kWindow = 64;
constexpr size_t kMaxDigits = 19;  // that fit into 64 bits

// 10^i: each the nearest double, from 0 to 22 exact.
constexpr int kLeastPower = -64;
constexpr int kMostPower = 38;
constexpr int kMostExactPower = 22;
constexpr std::array<double, kMostPower - kLeastPower + 1> kPowers = {
    1e-64, 1e-63, 1e-62, 1e-61, 1e-60, 1e-59, 1e-58, 1e-57, 1e-56, 1e-55, 1e-54, 1e-53, 1e-52,
    1e-51, 1e-50, 1e-49, 1e-48, 1e-47, 1e-46, 1e-45, 1e-44, 1e-43, 1e-42, 1e-41, 1e-40, 1e-39,
    1e-38, 1e-37, 1e-36, 1e-35, 1e-34, 1e-33, 1e-32, 1e-31, 1e-30, 1e-29, 1e-28, 1e-27, 1e-26,
    1e-25, 1e-24, 1e-23, 1e-22, 1e-21, 1e-20, 1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14, 1e-13,
    1e-12, 1e-11, 1e-10, 1e-9,  1e-8,  1e-7,  1e-6,  1e-5,  1e-4,  1e-3,  1e-2,  1e-1,  1e0,
    1e1,   1e2,   1e3,   1e4,   1e5,   1e6,   1e7,   1e8,   1e9,   1e10,  1e11,  1e12,  1e13,
    1e14,  1e15,  1e16,  1e17,  1e18,  1e19,  1e20,  1e21,  1e22,  1e23,  1e24,  1e25,  1e26,
    1e27,  1e28,  1e29,  1e30,  1e31,  1e32,  1e33,  1e34,  1e35,  1e36,  1e37,  1e38};

double power_of_ten(int exponent) { return kPowers[static_cast<size_t>(exponent - kLeastPower)]; }

bool is_digit(char c) { return static_cast<unsigned char>(c - '0') <= 9; }

// The digits before the point; none where there are none, or a 0 before others.
SN_DIGITS_INLINE Digits read_whole_part(const char* at) {
  if (at[1] == '.') {
    const auto value = static_cast<unsigned char>(*at - '0');
    return {value <= 9 ? 1U : 0U, value};
  }
  Digits digits = PlatformDigits::read(at);
  if (*at == '0' && digits.count > 1) digits.count = 0;
  return digits;
}

// (-1)^negative * digits * 10^exponent
struct Decimal {
  const char* end = nullptr;  // of its text; null when there is none, or it has too many digits
  uint64_t digits = 0;
  int exponent = 0;
  bool negative = false;
};

// Digits behind the sixteenth of a fraction, of which there may be fifteen more.
SN_DIGITS_INLINE Decimal read_further_digits(Decimal number) {
  const Digits further = PlatformDigits::read(number.end);
  if (further.count == 16) return {};
  if (number.digits >= kWholePowers[kMaxDigits - further.count]) return {};
  number.digits = number.digits * kWholePowers[further.count] + further.value;
  number.exponent -= static_cast<int>(further.count);
  number.end += further.count;
  return number;
}

// number.end is at the `e`.
SN_DIGITS_INLINE Decimal read_exponent(Decimal number) {
  const char* at = number.end + 1;
  const bool negative = *at == '-';
  if (*at == '-' || *at == '+') ++at;
  if (!is_digit(*at)) return {};
  int exponent = *at++ - '0';
  for (int further = 0; is_digit(*at); ++at) {
    if (++further == 3) return {};
    exponent = exponent * 10 + (*at - '0');
  }
  number.exponent += negative ? -exponent : exponent;
  number.end = at;
  return number;
}

SN_DIGITS_INLINE Decimal read_decimal(const char* at) {
  Decimal number;
  number.negative = *at == '-';
  at += static_cast<ptrdiff_t>(number.negative);
  const Digits whole = read_whole_part(at);
  if (whole.count == 0) return {};
  at += whole.count;
  number.end = at;
  number.digits = whole.value;
  if (*at == '.') {
    const Digits fraction = PlatformDigits::read(++at);
    if (fraction.count == 0 || whole.count + fraction.count > kMaxDigits) return {};
    number.end = at + fraction.count;
    number.digits = whole.value * kWholePowers[fraction.count] + fraction.value;
    number.exponent = -static_cast<int>(fraction.count);
    if (fraction.count == 16) number = read_further_digits(number);
    if (number.end == nullptr) return {};
  } else if (is_digit(*at)) {
    return {};
  }
  return (*number.end | 0x20) == 'e' ? read_exponent(number) : number;
}

// Conversion, power and product are each off by 2^-53 of the result at most, together by less than
// four units in its last place. So the float nearest to the result is nearest to the number too,
// unless a point midway between two floats is as close. False then, and where floats are not
// normal.
SN_DIGITS_INLINE bool to_value(const Decimal& number, float& value) {
  if (number.digits > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return false;
  if (number.exponent < kLeastPower || number.exponent > kMostPower) return false;
  const double nearly =
      static_cast<double>(static_cast<int64_t>(number.digits)) * power_of_ten(number.exponent);
  // Between -37 and 19 it is in the range of floats, whatever the digits.
  if (number.exponent < -37 || number.exponent > 19) {
    if (nearly < 2e-38 || nearly > 3e38) return false;
  }
  constexpr uint64_t kHalf = uint64_t{1} << 28;  // of what a float has no bits for
  constexpr uint64_t kMargin = 8;
  const uint64_t bits = std::bit_cast<uint64_t>(nearly);
  if (((bits & (2 * kHalf - 1)) - (kHalf - kMargin)) <= 2 * kMargin) return false;
  const uint64_t sign = static_cast<uint64_t>(number.negative) << 63;
  value = static_cast<float>(std::bit_cast<double>(bits | sign));
  return true;
}

// The double nearest to digits / 10^places: one that is near, put right by what it leaves of the
// exact quotient. False where that does not decide.
SN_DIGITS_INLINE bool divide(uint64_t digits, int places, double& value) {
  constexpr uint64_t kHidden = uint64_t{1} << 52;  // the leading bit of a double
  const double nearly = static_cast<double>(static_cast<int64_t>(digits)) / power_of_ten(places);
  const uint64_t bits = std::bit_cast<uint64_t>(nearly);
  const uint64_t shift = 1075 - (bits >> 52);
  const uint64_t fraction = (bits & (kHidden - 1)) | kHidden;  // nearly = fraction / 2^shift
  if (shift > 1075) return false;                              // 2^53 or more
  // What is left is less than three times the power: the lower 64 bits have all of it.
  const uint64_t power = kWholePowers[static_cast<size_t>(places)];
  const uint64_t scaled = digits << (shift & 63U) & (0 - static_cast<uint64_t>(shift < 64));
  const auto left = static_cast<int64_t>(scaled - fraction * power);
  const auto half = static_cast<int64_t>(power / 2);
  const int64_t step = static_cast<int64_t>(left > half) - static_cast<int64_t>(left < -half);
  const int64_t still_left = left - step * static_cast<int64_t>(power);
  const uint64_t right = fraction + static_cast<uint64_t>(step);
  if (still_left >= half || still_left <= -half) return false;
  // Below the leading bit alone, doubles are closer to each other.
  if (right < kHidden || right >= 2 * kHidden || (right == kHidden && still_left < 0)) return false;
  value = std::bit_cast<double>((bits & ~(kHidden - 1)) | (right & (kHidden - 1)));
  return true;
}

SN_DIGITS_INLINE bool to_value(const Decimal& number, double& value) {
  constexpr int kMostPlaces = 18;
  constexpr int kManyPlaces = 14;  // with these, digits are often too many for a double
  if (number.digits > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return false;
  double size = 0;
  const bool is_exact = number.digits <= uint64_t{1} << 53;
  if (number.exponent > -kManyPlaces && number.exponent <= kMostExactPower && is_exact) {
    // One operation on two exact numbers is right.
    const auto digits = static_cast<double>(static_cast<int64_t>(number.digits));
    size = number.exponent < 0 ? digits / power_of_ten(-number.exponent)
                               : digits * power_of_ten(number.exponent);
  } else if (number.exponent >= 0 || number.exponent < -kMostPlaces || number.digits == 0 ||
             !divide(number.digits, -number.exponent, size)) {
    return false;
  }
  value = number.negative ? -size : size;
  return true;
}

// For numbers that need more care.
template <typename T>
bool to_value(const char* at, const char* end, T& value) {
  return std::from_chars(at, end, value).ec == std::errc();
}

struct Ignored {};
SN_DIGITS_INLINE bool to_value(const Decimal&, Ignored&) { return true; }
bool to_value(const char*, const char*, Ignored&) { return true; }

// The end of the number at `at`; null when it is left to others.
template <typename T>
SN_DIGITS_INLINE const char* read_value(const char* at, T& value) {
  const Decimal number = read_decimal(at);
  if (number.end == nullptr) return nullptr;
  return to_value(number, value) || to_value(at, number.end, value) ? number.end : nullptr;
}

template <std::integral T>
SN_DIGITS_INLINE const char* read_value(const char* at, T& value) {
  const bool negative = *at == '-';
  at += static_cast<ptrdiff_t>(negative);
  const Digits digits = PlatformDigits::read(at);
  if (digits.count == 0 || (*at == '0' && digits.count > 1)) return nullptr;
  at += digits.count;
  if (*at == '.' || (*at | 0x20) == 'e' || is_digit(*at)) return nullptr;
  const auto size = static_cast<int64_t>(digits.value);
  const int64_t number = negative ? -size : size;
  value = static_cast<T>(number);
  return std::in_range<T>(number) ? at : nullptr;
}

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

const char* skip_space(const char* at, const char* end) {
  while (at != end && is_space(*at)) ++at;
  return at;
}

// Needs kWindow readable characters wherever a value starts, so it stops that far from the end.
// A number is found by the comma in front of it and not by where the number before ended: so the
// processor can work on several at a time.
template <typename T>
[[SN_DIGITS_TARGET]] NumberRun take_run(const char* const begin, const char* const end, T* values,
                                        size_t room) {
  const char* at = begin;
  size_t count = 0;
  bool value_due = true;
  const char* block = begin;  // the commas of these 64 characters that are still to come
  uint64_t commas = end - begin >= kWindow ? PlatformDigits::find_commas(begin) : 0;
  while (count < room && end - at >= kWindow) {
    while (commas == 0 && end - block >= 2 * kWindow) {
      block += kWindow;
      commas = PlatformDigits::find_commas(block);
    }
    // Behind the comma that is due. Near the end, where no more are looked for, it may be none.
    const char* next = block + std::countr_zero(commas | uint64_t{1} << 63) + 1;
    commas &= commas - 1;
    T value;
    const char* const number_end = read_value(at, value);
    if (number_end == nullptr) break;
    if constexpr (!std::same_as<T, Ignored>) values[count] = value;
    ++count;
    if (number_end + 1 != next || *number_end != ',') [[unlikely]] {
      at = skip_space(number_end, end);
      value_due = at != end && *at == ',';
      if (!value_due) break;
      next = at + 1;
    }
    at = next;
    if (at != end && static_cast<unsigned char>(*at) <= ' ') at = skip_space(at, end);
  }
  return {count, static_cast<size_t>(at - begin), value_due};
}

template <typename T>
NumberRun take_all(std::string_view text, T* values, size_t room) {
  static const bool is_possible = has_platform_digits();
  if (!is_possible) return {};
  const char* const end = text.data() + text.size();
  const NumberRun run = take_run(text.data(), end, values, room);
  const size_t left = text.size() - run.size;
  if (!run.value_due || run.count == room || left == 0) return run;
  if (left >= static_cast<size_t>(kWindow)) return run;
  // The last few, where there is room to look ahead.
  std::array<char, 2 * kWindow> copy{};
  std::memcpy(copy.data(), text.data() + run.size, left);
  const NumberRun last =
      take_run(copy.data(), copy.data() + left + kWindow, values + run.count, room - run.count);
  return {run.count + last.count, run.size + last.size, last.value_due};
}

}  // namespace

template <typename T>
NumberRun read_number_run(std::string_view text, T* values, size_t room) {
  return take_all<T>(text, values, room);
}

NumberRun skip_number_run(std::string_view text) {
  Ignored none;
  return take_all<Ignored>(text, &none, std::numeric_limits<size_t>::max());
}

template NumberRun read_number_run(std::string_view, float*, size_t);
template NumberRun read_number_run(std::string_view, double*, size_t);
template NumberRun read_number_run(std::string_view, int8_t*, size_t);
template NumberRun read_number_run(std::string_view, int16_t*, size_t);
template NumberRun read_number_run(std::string_view, int32_t*, size_t);
template NumberRun read_number_run(std::string_view, int64_t*, size_t);
template NumberRun read_number_run(std::string_view, uint8_t*, size_t);
template NumberRun read_number_run(std::string_view, uint16_t*, size_t);
template NumberRun read_number_run(std::string_view, uint32_t*, size_t);
template NumberRun read_number_run(std::string_view, uint64_t*, size_t);

}  // namespace supernova::protocol::oip
