#include "tensor/half.h"

#include <gtest/gtest.h>

#include <limits>

namespace supernova::tensor {
namespace {

TEST(Half, EveryValueComesBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = half_to_float(half);
    if (std::isnan(value)) {
      EXPECT_EQ(half & 0x7C00U, 0x7C00U);
      EXPECT_TRUE(std::isnan(half_to_float(float_to_half(value))));
    } else {
      EXPECT_EQ(float_to_half(value), half);
    }
  }
}

TEST(Half, KnownValues) {
  EXPECT_EQ(half_to_float(0x3C00), 1.0F);
  EXPECT_EQ(half_to_float(0xC000), -2.0F);
  EXPECT_EQ(half_to_float(0x0001), 5.9604645e-8F);
  EXPECT_EQ(half_to_float(0x7C00), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::signbit(half_to_float(0x8000)));
}

TEST(Half, RoundsToTheNearestEven) {
  EXPECT_EQ(float_to_half(1.0F + 0x1p-11F), 0x3C00);      // halfway, down to even
  EXPECT_EQ(float_to_half(1.0F + 3 * 0x1p-11F), 0x3C02);  // halfway, up to even
  EXPECT_EQ(float_to_half(65519.0F), 0x7BFF);
  EXPECT_EQ(float_to_half(65520.0F), 0x7C00);
  EXPECT_EQ(float_to_half(0x1p-25F), 0x0000);
  EXPECT_EQ(float_to_half(0x1.8p-25F), 0x0001);
}

TEST(Bfloat, RoundsToTheNearestEven) {
  EXPECT_EQ(float_to_bfloat(1.0F), 0x3F80);
  EXPECT_EQ(float_to_bfloat(1.0F + 0x1p-8F), 0x3F80);
  EXPECT_EQ(float_to_bfloat(1.0F + 3 * 0x1p-8F), 0x3F82);
  EXPECT_EQ(bfloat_to_float(0xC040), -3.0F);
}

}  // namespace
}  // namespace supernova::tensor
