#include "tensor/json_tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tensor/bytes.h"

namespace supernova::tensor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <typename T>
std::vector<T> values(const base::Result<Tensor>& tensor) {
  EXPECT_TRUE(tensor.ok()) << tensor.status();
  if (!tensor.ok()) return {};
  std::vector<T> out(tensor->buffer.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), tensor->buffer.data(), tensor->buffer.size());
  return out;
}

std::vector<std::string> texts(const base::Result<Tensor>& tensor) {
  EXPECT_TRUE(tensor.ok()) << tensor.status();
  std::vector<std::string> out;
  if (!tensor.ok()) return out;
  const auto views = unpack_bytes(tensor->buffer.view(), *element_count(tensor->shape));
  EXPECT_TRUE(views.ok()) << views.status();
  for (const auto view : *views) out.emplace_back(view);
  return out;
}

std::string error_of(std::string_view content, DataType type = DataType::kInvalid) {
  const auto tensor = parse_json_tensor(content, type, "x.json");
  return tensor.ok() ? "parsed" : std::string(base::message(tensor.status()));
}

TEST(JsonTensor, ReadsStrings) {
  const auto tensor = parse_json_tensor(R"({"shape":[2,2],"data":["a","é\n",["",{"b64":"/wA="}]]})",
                                        DataType::kInvalid, "x");
  EXPECT_THAT(texts(tensor), ElementsAre("a", "é\n", "", std::string("\xff\0", 2)));
  EXPECT_THAT(tensor->shape, ElementsAre(2, 2));
  EXPECT_EQ(tensor->data_type, DataType::kBytes);
}

TEST(JsonTensor, TypeComesFromTheContentOrTheCaller) {
  const auto parse = [](std::string_view content, DataType type = DataType::kInvalid) {
    return parse_json_tensor(content, type, "x");
  };
  EXPECT_THAT(values<int64_t>(parse(R"({"shape":[2],"data":[1,-2]})")), ElementsAre(1, -2));
  EXPECT_THAT(values<float>(parse(R"({"data":[[1],[2.5]],"shape":[2,1]})")), ElementsAre(1, 2.5));
  EXPECT_THAT(values<uint8_t>(parse(R"({"shape":[2],"data":[true,false]})")), ElementsAre(1, 0));
  EXPECT_THAT(
      values<uint64_t>(parse(R"({"shape":[],"data":[18446744073709551615]})", DataType::kUint64)),
      ElementsAre(18446744073709551615U));
  EXPECT_THAT(values<double>(parse(R"({"shape":[1],"data":[3]})", DataType::kFp64)),
              ElementsAre(3));
  EXPECT_THAT(values<uint16_t>(parse(
                  R"({"shape":[6],"data":[1,-2,65504,65519,5.9604644775390625e-8,1.00048828125]})",
                  DataType::kFp16)),
              ElementsAre(0x3C00, 0xC000, 0x7BFF, 0x7BFF, 0x0001, 0x3C00));
  EXPECT_THAT(values<uint16_t>(parse(R"({"shape":[2],"data":[1,-1.5]})", DataType::kBf16)),
              ElementsAre(0x3F80, 0xBFC0));
  EXPECT_EQ(parse(R"({"shape":[0],"data":[]})", DataType::kInt32)->buffer.size(), 0U);
}

TEST(JsonTensor, RefusesBadContent) {
  EXPECT_THAT(error_of(""), HasSubstr("x.json: it is not valid JSON"));
  EXPECT_THAT(error_of("{"), HasSubstr("not valid JSON"));
  EXPECT_THAT(error_of("[1]"), HasSubstr("no JSON object"));
  EXPECT_THAT(error_of(R"({"data":[1]})"), HasSubstr("'shape' is missing"));
  EXPECT_THAT(error_of(R"({"shape":[1]})"), HasSubstr("'data' is missing"));
  EXPECT_THAT(error_of(R"({"shape":[-1],"data":[1]})"), HasSubstr("no size"));
  EXPECT_THAT(error_of(R"({"shape":[1.5],"data":[1]})"), HasSubstr("no size"));
  EXPECT_THAT(error_of(R"({"shape":[0],"data":[]})"), HasSubstr("type is unknown"));
  EXPECT_THAT(error_of(R"({"shape":[3],"data":[1]})"),
              HasSubstr("needs 3 elements, but 'data' has 1"));
  EXPECT_THAT(error_of(R"({"shape":[4294967296,4294967296],"data":[1]})"), HasSubstr("counted"));
  EXPECT_THAT(error_of(R"({"shape":[2],"data":["a",1]})"), HasSubstr("element 1 (1) is no BYTES"));
  EXPECT_THAT(error_of(R"({"shape":[1],"data":[null]})"), HasSubstr("no BYTES"));
  EXPECT_THAT(error_of(R"({"shape":[1],"data":["a"]})", DataType::kFp32), HasSubstr("no FP32"));
  EXPECT_THAT(error_of(R"({"shape":[1],"data":[256]})", DataType::kUint8),
              HasSubstr("out of range"));
  EXPECT_THAT(error_of(R"({"shape":[1],"data":[-1]})", DataType::kUint64),
              HasSubstr("out of range"));
  EXPECT_THAT(error_of(R"({"shape":[1],"data":[1.5]})", DataType::kInt32),
              HasSubstr("whole number"));
  EXPECT_THAT(error_of(R"({"shape":[1],"data":[1e39]})", DataType::kFp32),
              HasSubstr("out of range"));
  EXPECT_THAT(error_of(R"({"shape":[1],"data":[65520]})", DataType::kFp16),
              HasSubstr("out of range"));
  EXPECT_THAT(error_of(R"({"shape":[1],"data":[2]})", DataType::kBool), HasSubstr("true, false"));
  for (const std::string bad : {"A", "AB=", "A===", "AB=C", "A*==", "====", "AB==AB=="}) {
    EXPECT_THAT(error_of(R"({"shape":[1],"data":[{"b64":")" + bad + R"("}]})"),
                HasSubstr("base64"));
  }
}

TEST(JsonTensor, WritesWhatItReads) {
  const std::vector<std::string> elements{
      "plain", "",     "q\"\\\n",  "é",           std::string("\0\x1f", 2),
      "\xff",  "\xc3", "\xff\xfe", "\xff\xfe\xfd"};
  const Tensor tensor{"t", DataType::kBytes, {3, 3}, pack_bytes(elements)};
  const auto content = format_json_tensor(tensor);
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_THAT(*content, HasSubstr(R"("data":["plain","")"));
  EXPECT_THAT(*content, HasSubstr(R"({"b64":"/w=="})"));
  EXPECT_EQ(texts(parse_json_tensor(*content, DataType::kInvalid, "x")), elements);
  EXPECT_FALSE(format_json_tensor({"t", DataType::kFp32, {0}, {}}).ok());
  EXPECT_FALSE(
      format_json_tensor({"t", DataType::kBytes, {2}, Buffer::copy_of(std::string_view("abc"))})
          .ok());
}

}  // namespace
}  // namespace supernova::tensor
