// Numbers in arrays: to the last bit, whatever their spelling, and refused where they always were.
#include "protocol/oip/json_numbers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "protocol/oip/json_data.h"
#include "protocol/oip/json_digits.h"

namespace supernova::protocol::oip {
namespace {

using tensor::DataType;
using testing::ElementsAreArray;
using testing::HasSubstr;

template <typename T>
std::string shortest(T value) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof(text), value).ptr};
}

// Spellings of all kinds, the same in each run.
class Spellings {
 public:
  std::string next() {
    switch (random_() % 10) {
      case 0:
        return any_float();
      case 1:
        return shortest(static_cast<double>(float_of(bits())));  // seventeen digits
      case 2:
        return midway();
      case 3:
        return fixed(2);
      case 4:
        return fixed(6);
      case 5:
        return any_double();
      case 6:
        return shortest(static_cast<double>(static_cast<int64_t>(bits())) * 0x1p-62);
      default:
        return digits();
    }
  }

 private:
  uint64_t bits() { return random_(); }

  static float float_of(uint64_t bits) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(bits));
    return std::isfinite(value) ? value : 0.0F;
  }

  std::string any_float() { return shortest(float_of(bits())); }

  std::string any_double() {
    const auto value = std::bit_cast<double>(bits());
    return std::abs(value) < 3e38 ? shortest(value) : "-0";
  }

  // Where two floats are equally near, or one unit of the last place beside it.
  std::string midway() {
    const float low = std::bit_cast<float>(static_cast<uint32_t>(bits() % 0x7F000000U));
    const float high = std::nextafter(low, std::numeric_limits<float>::max());
    double middle = (static_cast<double>(low) + static_cast<double>(high)) / 2;
    if (bits() % 2 == 0) middle = std::nextafter(middle, bits() % 2 == 0 ? 0.0 : 1e300);
    return shortest(middle);
  }

  std::string fixed(int places) {
    char text[64];
    const double value = static_cast<double>(bits() % 2'000'000'000) / 1e6 - 1000;
    return {text,
            std::to_chars(text, text + sizeof(text), value, std::chars_format::fixed, places).ptr};
  }

  std::string run_of_digits(size_t count) {
    std::string text;
    while (text.size() < count) text += static_cast<char>('0' + bits() % 10);
    return text;
  }

  std::string digits() {
    std::string text = bits() % 2 == 0 ? "-" : "";
    text +=
        bits() % 2 == 0 ? "0" : static_cast<char>('1' + bits() % 9) + run_of_digits(bits() % 19);
    if (bits() % 4 != 0) {
      text += '.';
      if (bits() % 4 == 0) text.append(bits() % 30, '0');
      text += run_of_digits(1 + bits() % 22);
    }
    if (bits() % 3 == 0) {
      text += bits() % 2 == 0 ? 'e' : 'E';
      constexpr const char* kSigns[] = {"", "+", "-", "-"};
      const char* const sign = kSigns[bits() % 4];
      text += base::str_cat(sign, bits() % (*sign == '-' ? 60 : 19));
    }
    return text;
  }

  std::mt19937_64 random_{20};
};

const std::string& separator(size_t i) {
  static const std::vector<std::string> separators = {",", ",", ",", ", ", ",\n    ", " ,", "\t, "};
  return separators[i / 100 % separators.size()];
}

std::string join(const std::vector<std::string>& numbers) {
  std::string text = "[";
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0) text += separator(i);
    text += numbers[i];
  }
  return text += "]";
}

base::Result<tensor::Buffer> read(std::string_view text, DataType type, size_t count) {
  JsonReader reader(text);
  return read_json_data(reader, type, static_cast<int64_t>(count));
}

template <typename T>
void expect_nearest(DataType type, const std::vector<std::string>& numbers,
                    T (*nearest)(const char*, char**)) {
  const auto buffer = read(join(numbers), type, numbers.size());
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  const T* const values = reinterpret_cast<const T*>(buffer->data());
  size_t wrong = 0;
  for (size_t i = 0; i < numbers.size() && wrong < 10; ++i) {
    const T expected = nearest(numbers[i].c_str(), nullptr);
    if (std::memcmp(&expected, values + i, sizeof(T)) == 0) continue;
    ++wrong;
    ADD_FAILURE() << numbers[i] << " was read as " << shortest(values[i]) << ", not as "
                  << shortest(expected);
  }
}

TEST(JsonNumbers, AMillionSpellingsAreReadToTheLastBit) {
  Spellings spellings;
  std::vector<std::string> numbers;
  while (numbers.size() < 1'000'000) {
    std::string number = spellings.next();
    if (std::isfinite(std::strtof(number.c_str(), nullptr))) numbers.push_back(std::move(number));
  }
  expect_nearest<float>(DataType::kFp32, numbers, std::strtof);
  numbers.resize(200'000);
  expect_nearest<double>(DataType::kFp64, numbers, std::strtod);
}

TEST(JsonNumbers, EdgesOfFloats) {
  const std::vector<std::string> numbers = {"0",
                                            "-0",
                                            "0.0",
                                            "-0.0",
                                            "0e0",
                                            "-0e-999",
                                            "0.000000000000000000000000000000",
                                            "1e-45",
                                            "1.1754943508222875e-38",
                                            "1.1754942e-38",
                                            "7.0064923216240853e-46",
                                            "7.0064923216240854e-46",
                                            "1e-400",
                                            "3.4028234663852886e38",
                                            "3.4028235677973366e+38",
                                            "16777217",
                                            "16777217.0",
                                            "16777217.00000000000000000001",
                                            "16777216.99999999999999999999",
                                            "16777219",
                                            "33554434.0",
                                            "8388608.5",
                                            "8388609.5",
                                            "0.500000029802322387695312500",
                                            "9223372036854775807",
                                            "9223372036854775808",
                                            "18446744073709551615",
                                            "9999999999999999999",
                                            "99999999999999999999",
                                            "1234567890123456",
                                            "12345678901234567",
                                            "0.1234567890123456",
                                            "0.12345678901234567",
                                            "1.2345678901234567",
                                            "0.00000000000000001",
                                            "1e22",
                                            "1e23",
                                            "1e38",
                                            "1E+19",
                                            "123456789e20",
                                            "1e-37",
                                            "1e-38",
                                            "1e-64",
                                            "1e-65",
                                            "9007199254740993"};
  expect_nearest<float>(DataType::kFp32, numbers, std::strtof);
  expect_nearest<double>(DataType::kFp64, numbers, std::strtod);
}

template <typename T>
void expect_integers(DataType type) {
  std::mt19937_64 random(7);
  std::vector<std::string> texts = {"0", "-0", std::to_string(std::numeric_limits<T>::min()),
                                    std::to_string(std::numeric_limits<T>::max())};
  std::vector<T> expected = {0, 0, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
  for (int i = 0; i < 10'000; ++i) {
    const auto shift = static_cast<int>(random() % (8 * sizeof(T)));
    expected.push_back(static_cast<T>(static_cast<T>(random()) >> shift));
    texts.push_back(std::to_string(expected.back()));
  }
  const auto buffer = read(join(texts), type, texts.size());
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  EXPECT_EQ(std::memcmp(buffer->data(), expected.data(), buffer->size()), 0)
      << tensor::data_type_name(type);
}

TEST(JsonNumbers, IntegersOfEveryType) {
  expect_integers<int8_t>(DataType::kInt8);
  expect_integers<int16_t>(DataType::kInt16);
  expect_integers<int32_t>(DataType::kInt32);
  expect_integers<int64_t>(DataType::kInt64);
  expect_integers<uint8_t>(DataType::kUint8);
  expect_integers<uint16_t>(DataType::kUint16);
  expect_integers<uint32_t>(DataType::kUint32);
  expect_integers<uint64_t>(DataType::kUint64);
}

struct Looked {
  Digits digits;
  uint64_t commas = 0;
};

[[SN_DIGITS_TARGET]] Looked look_as_platform(const char* at) {
  return {PlatformDigits::read(at), PlatformDigits::find_commas(at)};
}

Looked look_as_anywhere(const char* at) {
  return {PortableDigits::read(at), PortableDigits::find_commas(at)};
}

// Of both ways, one of which is not used here.
TEST(JsonNumbers, DigitsOfEachWay) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 100'000; ++i) {
    const size_t count = random() % 17;
    std::string text;
    while (text.size() < count) text += static_cast<char>('0' + random() % 10);
    const uint64_t value = std::strtoull(text.c_str(), nullptr, 10);
    if (count < 16) text += ",.eE/: -\xB0\xFF\x0F"[random() % 11];
    while (text.size() < 64) text += static_cast<char>(random());
    uint64_t commas = 0;
    for (size_t k = 0; k < 64; ++k) commas |= uint64_t{text[k] == ','} << k;
    for (const auto look : {look_as_platform, look_as_anywhere}) {
      if (look == look_as_platform && !has_platform_digits()) continue;
      const Looked looked = look(text.data());
      ASSERT_EQ(looked.digits.count, count) << text;
      ASSERT_EQ(looked.commas, commas) << text;
      if (count > 0) {
        ASSERT_EQ(looked.digits.value, value) << text;
      }
    }
  }
}

// In the midst of many, at the end, and as the only one.
TEST(JsonNumbers, RefusedWhereverTheyStand) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"01", "a number must not start with 0 at byte "},
      {"-01.5", "a number must not start with 0 at byte "},
      {"00", "a number must not start with 0"},
      {"+1", "expected a number"},
      {"-", "expected a number"},
      {"--1", "expected a number"},
      {".5", "expected a number"},
      {"5.", "expected digits after the decimal point"},
      {"5.e1", "expected digits after the decimal point"},
      {"5e", "expected digits in the exponent"},
      {"5.25E+", "expected digits in the exponent"},
      {"1x", "expected ',' or ']'"},
      {"1.5.5", "expected ',' or ']'"},
      {"1 2", "expected ',' or ']'"},
      {"1,,2", "expected a number"},
      {"1\v", "expected ',' or ']'"},
      {"NaN", "expected a number"},
      {"Infinity", "expected a number"},
      {"null", "expected a number"},
      {"\"1\"", "expected a number"},
      {"{}", "expected a number"},
      {"1e39", "1e39 is out of the range of FP32"},
      {"-3.5e38", "-3.5e38 is out of the range of FP32"},
      {"1e999999999999", "is out of the range of FP32"},
  };
  for (const auto& [bad, message] : cases) {
    for (const size_t before : {0, 1, 3, 500}) {
      for (const size_t after : {0, 1, 500}) {
        std::string text = "[";
        for (size_t i = 0; i < before; ++i) text += "0.5,";
        const size_t at = text.size();
        text += bad;
        for (size_t i = 0; i < after; ++i) text += ",0.25";
        text += "]";
        const auto buffer = read(text, DataType::kFp32, before + 1 + after);
        ASSERT_FALSE(buffer.ok()) << text.substr(0, 100);
        const std::string got(base::message(buffer.status()));
        EXPECT_THAT(got, HasSubstr(message)) << text.substr(0, 100);
        const size_t place = std::strtoull(got.substr(got.rfind(' ')).c_str(), nullptr, 10);
        EXPECT_GE(place, at) << got;
        EXPECT_LE(place, at + bad.size()) << got;
      }
    }
  }
}

TEST(JsonNumbers, TooManyAndTooFew) {
  std::string text = "[[1";
  for (int i = 0; i < 299; ++i) text += i % 3 == 2 ? "],[1" : ",1";
  text += "]]";
  EXPECT_TRUE(read(text, DataType::kInt16, 300).ok());
  EXPECT_THAT(read(text, DataType::kInt16, 100).status().ToString(),
              HasSubstr("the shape has 100 elements, but 'data' has 300"));
  EXPECT_THAT(read(text, DataType::kInt16, 301).status().ToString(),
              HasSubstr("the shape has 301 elements, but 'data' has 300"));
}

// Each text is in memory of exactly its size, so that a sanitizer sees a look beyond its end.
TEST(JsonNumbers, TextsThatEndAnywhere) {
  std::string text = "[";
  for (int i = 0; i < 20; ++i) text += "-12.5e-1, 0.12345678901234567,7 ,1234567.000000000000001,";
  text += "3]";
  for (size_t size = 1; size < text.size(); ++size) {
    const std::vector<char> part(text.begin(), text.begin() + static_cast<ptrdiff_t>(size));
    const std::string_view view(part.data(), part.size());
    EXPECT_FALSE(read(view, DataType::kFp32, 1).ok()) << view;
    JsonReader reader(view);
    std::string_view raw;
    EXPECT_FALSE(reader.skip_value(raw)) << view;
  }
  EXPECT_TRUE(read(text, DataType::kFp32, 81).ok());
}

TEST(JsonNumbers, ARunStopsWhereMoreThanNumbersCome) {
  struct Case {
    std::string text;
    std::vector<float> values;
    size_t size;
    bool value_due;
  };
  const std::string filler(100, ' ');
  for (const Case& one :
       {Case{"1,2.5 , 3]" + filler, {1, 2.5, 3}, 9, false},
        Case{"1,2,[3]" + filler, {1, 2}, 4, true}, Case{"1,x" + filler, {1}, 2, true},
        Case{"x" + filler, {}, 0, true}, Case{"1,2,3,4,5,6" + filler, {1, 2, 3, 4}, 8, true},
        Case{"1,2", {1, 2}, 3, false}, Case{"1,", {1}, 2, true}, Case{"", {}, 0, true}}) {
    float values[4] = {};
    const NumberRun run = read_number_run(one.text, values, 4);
    EXPECT_EQ(run.size, one.size) << one.text;
    EXPECT_EQ(run.value_due, one.value_due) << one.text;
    EXPECT_THAT(std::vector<float>(values, values + run.count), ElementsAreArray(one.values));
  }
  EXPECT_EQ(skip_number_run("1,-2.5e3, 4 ,5]").count, 4U);
}

}  // namespace
}  // namespace supernova::protocol::oip
