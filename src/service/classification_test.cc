#include "service/classification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tensor/bytes.h"

namespace supernova::service {
namespace {

using tensor::Buffer;
using tensor::DataType;
using tensor::Tensor;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename T>
Tensor make(DataType type, tensor::Shape shape, const std::vector<T>& values) {
  return {"y", type, std::move(shape), Buffer::copy_of(std::as_bytes(std::span(values)))};
}

std::vector<std::string> texts(const Tensor& tensor) {
  EXPECT_EQ(tensor.data_type, DataType::kBytes);
  const auto count = tensor::element_count(tensor.shape);
  const auto elements = tensor::unpack_bytes(tensor.buffer.view(), *count);
  EXPECT_TRUE(elements.ok()) << elements.status();
  return {elements->begin(), elements->end()};
}

std::vector<std::string> best(const Tensor& output, uint32_t count, bool batched = false) {
  const auto result = classify(output, count, batched, nullptr);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? texts(*result) : std::vector<std::string>{};
}

TEST(ClassificationTest, TakesTheBestOfTheWholeTensor) {
  const Tensor output = make<float>(DataType::kFp32, {2, 2}, {0.25F, 0.5F, -1.0F, 1e9F});
  const auto result = classify(output, 3, false, nullptr);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->name, "y");
  EXPECT_THAT(result->shape, ElementsAre(3));
  EXPECT_THAT(texts(*result), ElementsAre("1000000000.000000:3", "0.500000:1", "0.250000:0"));
}

TEST(ClassificationTest, TakesTheBestOfEachItemOfABatch) {
  const Tensor output = make<float>(DataType::kFp32, {2, 3}, {1, 3, 2, 6, 5, 4});
  const std::vector<std::string> labels = {"cat", "dog"};
  const auto result = classify(output, 2, true, &labels);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->shape, ElementsAre(2, 2));
  EXPECT_THAT(texts(*result),
              ElementsAre("3.000000:1:dog", "2.000000:2", "6.000000:0:cat", "5.000000:1:dog"));
}

TEST(ClassificationTest, MoreThanThereIsMeansAll) {
  const Tensor output = make<float>(DataType::kFp32, {1, 1, 2}, {1, 2});
  const auto result = classify(output, 4'000'000'000U, true, nullptr);
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(result->shape, ElementsAre(1, 2));
  EXPECT_THAT(texts(*result), ElementsAre("2.000000:1", "1.000000:0"));
}

TEST(ClassificationTest, EmptyAndScalarTensors) {
  EXPECT_THAT(classify(make<float>(DataType::kFp32, {0, 5}, {}), 2, true, nullptr)->shape,
              ElementsAre(0, 2));
  EXPECT_THAT(classify(make<float>(DataType::kFp32, {3, 0}, {}), 2, true, nullptr)->shape,
              ElementsAre(3, 0));
  EXPECT_THAT(best(make<float>(DataType::kFp32, {}, {7}), 2), ElementsAre("7.000000:0"));
  EXPECT_THAT(best(make<float>(DataType::kFp32, {2}, {7, 8}), 2, true),
              ElementsAre("7.000000:0", "8.000000:0"));
}

TEST(ClassificationTest, EqualValuesAndNanHaveTheirPlace) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_THAT(
      best(make<float>(DataType::kFp32, {7}, {nan, 1, -inf, 1, -nan, inf, 1}), 7),
      ElementsAre("inf:5", "1.000000:1", "1.000000:3", "1.000000:6", "-inf:2", "nan:0", "nan:4"));
}

TEST(ClassificationTest, IntegersAreWrittenWhole) {
  EXPECT_THAT(best(make<uint8_t>(DataType::kUint8, {2}, {7, 200}), 2), ElementsAre("200:1", "7:0"));
  EXPECT_THAT(best(make<int8_t>(DataType::kInt8, {2}, {7, -56}), 2), ElementsAre("7:0", "-56:1"));
  EXPECT_THAT(best(make<uint16_t>(DataType::kUint16, {1}, {65535}), 1), ElementsAre("65535:0"));
  EXPECT_THAT(best(make<int16_t>(DataType::kInt16, {1}, {-1}), 1), ElementsAre("-1:0"));
  EXPECT_THAT(best(make<uint32_t>(DataType::kUint32, {1}, {4294967295}), 1),
              ElementsAre("4294967295:0"));
  EXPECT_THAT(best(make<int32_t>(DataType::kInt32, {1}, {-5}), 1), ElementsAre("-5:0"));
  EXPECT_THAT(
      best(make<uint64_t>(DataType::kUint64, {1}, {std::numeric_limits<uint64_t>::max()}), 1),
      ElementsAre("18446744073709551615:0"));
  // Neighbours that a double can't tell apart.
  EXPECT_THAT(best(make<int64_t>(DataType::kInt64, {2}, {9007199254740992, 9007199254740993}), 1),
              ElementsAre("9007199254740993:1"));
}

TEST(ClassificationTest, EveryKindOfFloat) {
  EXPECT_THAT(best(make<double>(DataType::kFp64, {2}, {1.5, 2.25}), 2),
              ElementsAre("2.250000:1", "1.500000:0"));
  // 1, -2, the smallest subnormal, 65504, infinity, NaN
  EXPECT_THAT(
      best(make<uint16_t>(DataType::kFp16, {6}, {0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x7e00}),
           6),
      ElementsAre("inf:4", "65504.000000:3", "1.000000:0", "0.000000:2", "-2.000000:1", "nan:5"));
  EXPECT_THAT(best(make<uint16_t>(DataType::kBf16, {2}, {0x3f80, 0xc040}), 2),
              ElementsAre("1.000000:0", "-3.000000:1"));
}

TEST(ClassificationTest, RefusesWhatHasNoOrder) {
  for (const DataType type : {DataType::kBool, DataType::kBytes}) {
    const auto result = classify({"y", type, {0}, Buffer()}, 1, false, nullptr);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(base::message(result.status())),
                HasSubstr("class result not available for output 'y' due to unsupported type"));
  }
  EXPECT_TRUE(check_classification("y", DataType::kFp16).ok());
}

TEST(ClassificationTest, AWrongSizeIsNotReadBeyond) {
  EXPECT_EQ(classify(make<float>(DataType::kFp32, {3}, {1, 2}), 1, false, nullptr).status().code(),
            absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace supernova::service
