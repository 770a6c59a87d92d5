#include "tensor/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tensor/bytes.h"

namespace supernova::tensor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string npy(const std::string& header, std::string_view data, int version = 1) {
  std::string out("\x93NUMPY", 6);
  out += static_cast<char>(version);
  out += '\0';
  const auto length = static_cast<uint32_t>(header.size());
  out.append(reinterpret_cast<const char*>(&length), version == 1 ? 2 : 4);
  out += header;
  out += data;
  return out;
}

std::string dictionary(const std::string& descr, const std::string& shape,
                       const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}

template <typename T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

template <typename T>
std::vector<T> values(const Tensor& tensor) {
  std::vector<T> out(tensor.buffer.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), tensor.buffer.data(), tensor.buffer.size());
  return out;
}

std::string error_of(const std::string& content) {
  const auto tensor = parse_npy(content, "x.npy");
  return tensor.ok() ? "parsed" : std::string(base::message(tensor.status()));
}

TEST(Npy, ReadsNumbers) {
  const auto tensor =
      parse_npy(npy(dictionary("<f4", "(2, 3)"), raw<float>({1, 2, 3, 4, 5, 6})), "x");
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_EQ(tensor->data_type, DataType::kFp32);
  EXPECT_THAT(tensor->shape, ElementsAre(2, 3));
  EXPECT_THAT(values<float>(*tensor), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(Npy, ReadsEveryType) {
  const std::vector<std::pair<std::string, DataType>> types{
      {"|b1", DataType::kBool},   {"|u1", DataType::kUint8},  {"<u2", DataType::kUint16},
      {"<u4", DataType::kUint32}, {"<u8", DataType::kUint64}, {"|i1", DataType::kInt8},
      {"<i2", DataType::kInt16},  {"<i4", DataType::kInt32},  {"<i8", DataType::kInt64},
      {"<f2", DataType::kFp16},   {"<f8", DataType::kFp64}};
  for (const auto& [descr, type] : types) {
    const auto tensor =
        parse_npy(npy(dictionary(descr, "(1,)"), std::string(element_size(type), '\1')), "x");
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    EXPECT_EQ(tensor->data_type, type) << descr;
  }
}

TEST(Npy, ReadsVersionsTwoAndThree) {
  for (const int version : {2, 3}) {
    const auto tensor = parse_npy(npy(dictionary("<i8", "()"), raw<int64_t>({-7}), version), "x");
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    EXPECT_TRUE(tensor->shape.empty());
    EXPECT_THAT(values<int64_t>(*tensor), ElementsAre(-7));
  }
  EXPECT_THAT(error_of(npy(dictionary("<i8", "()"), raw<int64_t>({-7}), 4)),
              HasSubstr("version 4"));
}

TEST(Npy, ConvertsFortranOrder) {
  // [[1,2,3],[4,5,6]] column by column
  const auto tensor =
      parse_npy(npy(dictionary("<i4", "(2, 3)", "True"), raw<int32_t>({1, 4, 2, 5, 3, 6})), "x");
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_THAT(values<int32_t>(*tensor), ElementsAre(1, 2, 3, 4, 5, 6));
  // Element [i,j,k] of shape (2,2,2) lies at i + 2j + 4k.
  const auto cube = parse_npy(
      npy(dictionary("|u1", "(2, 2, 2)", "True"), raw<uint8_t>({0, 1, 2, 3, 4, 5, 6, 7})), "x");
  ASSERT_TRUE(cube.ok()) << cube.status();
  EXPECT_THAT(values<uint8_t>(*cube), ElementsAre(0, 4, 2, 6, 1, 5, 3, 7));
}

TEST(Npy, ConvertsBigEndian) {
  const auto tensor =
      parse_npy(npy(dictionary(">i2", "(2,)"), std::string("\x01\x02\xff\xfe", 4)), "x");
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_THAT(values<int16_t>(*tensor), ElementsAre(0x0102, -2));
}

TEST(Npy, NormalisesBooleans) {
  const auto tensor = parse_npy(npy(dictionary("|b1", "(3,)"), std::string("\0\1\7", 3)), "x");
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_THAT(values<uint8_t>(*tensor), ElementsAre(0, 1, 1));
}

TEST(Npy, ReadsStrings) {
  const auto texts = [](const std::string& content) {
    const auto tensor = parse_npy(content, "x");
    EXPECT_TRUE(tensor.ok()) << tensor.status();
    std::vector<std::string> out;
    if (!tensor.ok()) return out;
    EXPECT_EQ(tensor->data_type, DataType::kBytes);
    const auto views = unpack_bytes(tensor->buffer.view(), 2);
    EXPECT_TRUE(views.ok()) << views.status();
    for (const auto view : *views) out.emplace_back(view);
    return out;
  };
  EXPECT_THAT(texts(npy(dictionary("|S3", "(2,)"), std::string("ab\0\xff\0c", 6))),
              ElementsAre("ab", std::string("\xff\0c", 3)));
  EXPECT_THAT(texts(npy(dictionary("<U2", "(2,)"), raw<char32_t>({U'é', 0, U'€', U'😀'}))),
              ElementsAre("é", "€😀"));
  EXPECT_THAT(texts(npy(dictionary(">U1", "(2,)"), std::string("\0\0\0A\0\0\0\0", 8))),
              ElementsAre("A", ""));
  EXPECT_THAT(error_of(npy(dictionary("<U1", "(1,)"), raw<uint32_t>({0xD800}))),
              HasSubstr("Unicode"));
  EXPECT_THAT(error_of(npy(dictionary("<U1", "(1,)"), raw<uint32_t>({0x110000}))),
              HasSubstr("Unicode"));
}

TEST(Npy, RefusesBadFiles) {
  const std::string four(4, '\0');
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "not a .npy"},
      {"hello there, world", "not a .npy"},
      {std::string("\x93NUMPY\x01\0\xff\xff{", 11), "cut off"},
      {npy("", ""), "'{' is missing"},
      {npy("{'descr'", ""), "':' is missing"},
      {npy("{'descr", ""), "no end"},
      {npy("{'descr': '<f4', 'fortran_order': False}", ""), "shape is missing"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", four), "unknown"},
      {npy("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", four), "neither True nor False"},
      {npy(dictionary("<f4", "(1,)") + "junk", four), "something follows"},
      {npy(dictionary("<f4", "[1]"), four), "no tuple"},
      {npy(dictionary("<f4", "(-1,)"), four), "not a number"},
      {npy(dictionary("<f4", "(1 2)"), four), "no tuple of numbers"},
      {npy(dictionary("<f4", "(99999999999999999999,)"), four), "not a number"},
      {npy(dictionary("<f4", "(4294967296, 4294967296, 4294967296)"), four), "can be counted"},
      {npy(dictionary("<f8", "(4611686018427387904,)"), four), "does not fit"},
      {npy(dictionary("<f4", "(1000000000000,)"), four), "does not fit the 4 bytes"},
      {npy(dictionary("<f4", "(2,)"), four), "incomplete"},
      {npy(dictionary("<f4", "(1,)"), four + "x"), "does not fit"},
      {npy(dictionary("|O", "(1,)"), four), "Python objects"},
      {npy(dictionary("<c8", "(1,)"), std::string(8, '\0')), "no counterpart"},
      {npy(dictionary("<M8[ns]", "(1,)"), std::string(8, '\0')), "unknown"},
      {npy(dictionary("<f", "(1,)"), four), "unknown"},
      {npy(dictionary("", "(1,)"), four), "unknown"},
      {npy(dictionary("<U9223372036854775807", "(1,)"), four), "absurdly long"},
      {npy(dictionary("|S0", "(9223372036854775807,)"), ""), "empty strings"},
      {npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", four), "structured"},
  };
  for (const auto& [content, expected] : cases) {
    EXPECT_THAT(error_of(content), HasSubstr(expected)) << content;
    EXPECT_THAT(error_of(content), HasSubstr("x.npy: "));
  }
}

TEST(Npy, SurvivesAnyTruncationAndBitFlip) {
  const std::string content =
      npy(dictionary("<U2", "(1, 2)", "True"), raw<char32_t>({U'a', 0, U'b', 0}));
  ASSERT_EQ(error_of(content), "parsed");
  for (size_t size = 0; size < content.size(); ++size) {
    const std::vector<char> cut(content.begin(), content.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(parse_npy({cut.data(), cut.size()}, "x").ok()) << size;
  }
  for (size_t bit = 0; bit < content.size() * 8; ++bit) {
    std::string flipped = content;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    (void)parse_npy(flipped, "x");
  }
}

TEST(Npy, WritesWhatItReads) {
  for (const Shape& shape : {Shape{}, Shape{6}, Shape{2, 3}, Shape{0, 3}}) {
    const auto count = static_cast<size_t>(*element_count(shape));
    const Tensor tensor{"t", DataType::kFp32, shape,
                        Buffer::copy_of(raw(std::vector<float>(count, 1.5F)))};
    const auto content = format_npy(tensor);
    ASSERT_TRUE(content.ok()) << content.status();
    EXPECT_EQ((content->size() - count * sizeof(float)) % 64, 0U);
    const auto again = parse_npy(*content, "x");
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->shape, shape);
    EXPECT_EQ(values<float>(*again), values<float>(tensor));
  }
  const Tensor bf16{"t", DataType::kBf16, {1}, Buffer::copy_of(std::string_view("\x80\x3f", 2))};
  EXPECT_THAT(*format_npy(bf16), HasSubstr("'<u2'"));
  EXPECT_FALSE(format_npy({"t", DataType::kBytes, {0}, {}}).ok());
  EXPECT_FALSE(
      format_npy({"t", DataType::kFp32, {3}, Buffer::copy_of(std::string_view("1234"))}).ok());
}

}  // namespace
}  // namespace supernova::tensor
