#include "engine/tflite/strings.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tensor/bytes.h"

namespace supernova::engine::tflite {
namespace {

std::string numbers(const std::vector<int32_t>& values, std::string_view rest = "") {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4) +
         std::string(rest);
}

TEST(TfliteStrings, GoThereAndBack) {
  const tensor::Buffer packed =
      tensor::pack_bytes(std::vector<std::string>{"one", "", std::string("\0x", 2)});
  const auto there = to_runtime_strings(packed.view(), 3);
  ASSERT_TRUE(there.ok()) << there.status();
  EXPECT_EQ(*there, numbers({3, 20, 23, 23, 25}, std::string("one\0x", 5)));
  EXPECT_EQ(*from_runtime_strings(*there, 3), packed.view());
}

TEST(TfliteStrings, NoneAtAll) {
  EXPECT_EQ(*to_runtime_strings("", 0), numbers({0, 8}));
  EXPECT_EQ(*from_runtime_strings(numbers({0, 8}), 0), "");
  EXPECT_EQ(*from_runtime_strings("", 0), "");
}

TEST(TfliteStrings, RefusesWhatIsNone) {
  EXPECT_FALSE(to_runtime_strings("\4", 1).ok());
  for (const std::string& broken :
       {std::string(), std::string("abc"), numbers({1, 12}), numbers({2, 12, 13}, "x"),
        numbers({1, 12, 14}, "x"), numbers({1, 13, 12}, "x"), numbers({1, -1, 12}, "x"),
        numbers({1 << 30, 12, 13}, "x")}) {
    EXPECT_FALSE(from_runtime_strings(broken, 1).ok());
  }
  EXPECT_FALSE(from_runtime_strings(numbers({1 << 30, 12, 13}, "x"), 1 << 30).ok());
}

}  // namespace
}  // namespace supernova::engine::tflite
