#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include "tensor/bytes.h"
#include "tensor/data_type.h"
#include "tensor/shape.h"

namespace supernova::tensor {
namespace {

TEST(DataTypeTest, NamesRoundTrip) {
  for (int i = 1; i <= 14; ++i) {
    const auto type = static_cast<DataType>(i);
    EXPECT_EQ(data_type_from_name(data_type_name(type)), type);
  }
  EXPECT_FALSE(data_type_from_name("fp32"));
  EXPECT_FALSE(data_type_from_name("INVALID"));
  EXPECT_FALSE(data_type_from_name(""));
  EXPECT_EQ(data_type_name(static_cast<DataType>(99)), "INVALID");
}

TEST(ShapeTest, CountsWithoutOverflow) {
  EXPECT_EQ(*element_count(Shape{}), 1);
  EXPECT_EQ(*element_count(Shape{2, 3}), 6);
  EXPECT_EQ(*element_count(Shape{0, 3}), 0);
  const int64_t huge = int64_t{1} << 40;
  EXPECT_FALSE(element_count(Shape{huge, huge}).ok());
  EXPECT_FALSE(element_count(Shape{huge, huge, 0}).ok());
  EXPECT_FALSE(element_count(Shape{0, huge, huge}).ok());
  EXPECT_FALSE(element_count(Shape{-1}).ok());
  EXPECT_FALSE(byte_size(DataType::kFp64, Shape{int64_t{1} << 61}).ok());
  EXPECT_FALSE(byte_size(DataType::kBytes, Shape{1}).ok());
  EXPECT_EQ(*byte_size(DataType::kBf16, Shape{3}), 6U);
}

TEST(ShapeTest, DeclaredMinusOneTakesAnySize) {
  EXPECT_TRUE(shape_matches(Shape{-1, 3}, Shape{7, 3}));
  EXPECT_FALSE(shape_matches(Shape{-1, 3}, Shape{7, 4}));
  EXPECT_FALSE(shape_matches(Shape{-1, 3}, Shape{3}));
  EXPECT_TRUE(shape_matches(Shape{}, Shape{}));
}

TEST(BufferTest, AlignsTheOffsetAskedFor) {
  for (size_t offset : {0, 1, 63, 64, 100}) {
    Buffer buffer = Buffer::allocate_aligned_at(256, offset);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data() + offset) % Buffer::kAlignment, 0U);
  }
}

TEST(BufferTest, RefusesWhatCannotBeHad) {
  EXPECT_EQ(Buffer::allocate(SIZE_MAX).data(), nullptr);
  EXPECT_EQ(Buffer::allocate(SIZE_MAX - 100).data(), nullptr);  // wrapped to a tiny block once
  EXPECT_EQ(Buffer::allocate(SIZE_MAX / 2).data(), nullptr);
}

TEST(BufferTest, LastHolderReleases) {
  int released = 0;
  char memory[4] = {'a', 'b', 'c', 'd'};
  {
    Buffer part;
    {
      Buffer whole = Buffer::adopt(memory, 4, [&] { ++released; });
      part = whole.slice(1, 2);
    }
    EXPECT_EQ(released, 0);
    EXPECT_EQ(part.view(), "bc");
  }
  EXPECT_EQ(released, 1);
}

TEST(BytesTest, RoundTripKeepsNulAndEmpty) {
  const std::vector<std::string> elements{"", std::string("a\0b", 3), "z"};
  const Buffer packed = pack_bytes(elements);
  const auto back = unpack_bytes(packed.view(), 3);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(std::vector<std::string>(back->begin(), back->end()), elements);
}

TEST(BytesTest, RefusesBrokenPacking) {
  const Buffer packed = pack_bytes(std::vector<std::string>{"abc"});
  for (size_t length = 0; length < packed.size(); ++length) {
    EXPECT_FALSE(unpack_bytes(packed.view().substr(0, length), 1).ok()) << length;
  }
  EXPECT_FALSE(unpack_bytes(packed.view(), 0).ok());
  EXPECT_FALSE(unpack_bytes(packed.view(), 2).ok());
  // A count from outside reserves no memory for elements that can't be there.
  EXPECT_FALSE(unpack_bytes(packed.view(), int64_t{1} << 60).ok());
}

}  // namespace
}  // namespace supernova::tensor
