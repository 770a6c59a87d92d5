// Replies, and that what is written reads back as the same.
#include "protocol/oip/infer_response.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "tensor/bytes.h"

namespace supernova::protocol::oip {
namespace {

using tensor::Buffer;
using tensor::DataType;
using testing::HasSubstr;

template <typename T>
tensor::Tensor make(std::string name, DataType type, const std::vector<T>& values) {
  const std::string_view bytes(reinterpret_cast<const char*>(values.data()),
                               values.size() * sizeof(T));
  return {std::move(name), type, {static_cast<int64_t>(values.size())}, Buffer::copy_of(bytes)};
}

tensor::Response response(std::vector<tensor::Tensor> outputs) {
  tensor::Response made;
  made.model_name = "m";
  made.model_version = "1";
  made.outputs = std::move(outputs);
  return made;
}

std::string json_data(const tensor::Tensor& output) {
  const auto reply = encode_infer_response(response({output}), {});
  EXPECT_TRUE(reply.ok()) << reply.status();
  if (!reply.ok()) return "";
  const size_t at = reply->body.find("\"data\":");
  return reply->body.substr(at + 7, reply->body.size() - at - 7 - 3);
}

TEST(InferResponse, Json) {
  tensor::Response made = response({make<float>("y", DataType::kFp32, {1, 0.1f, -2.5f})});
  made.id = "r\"1";
  made.parameters["p"] = true;
  const auto reply = encode_infer_response(made, {});
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(
      reply->body,
      R"({"id":"r\"1","model_name":"m","model_version":"1","parameters":{"p":true},"outputs":)"
      R"([{"name":"y","datatype":"FP32","shape":[3],"data":[1,0.1,-2.5]}]})");
  EXPECT_EQ(reply->content_type, "application/json");
  EXPECT_EQ(reply->json_size, 0u);
  EXPECT_TRUE(reply->buffers.empty());
}

TEST(InferResponse, EveryJsonDatatype) {
  EXPECT_EQ(json_data(make<uint8_t>("y", DataType::kBool, {0, 1})), "[false,true]");
  EXPECT_EQ(json_data(make<uint8_t>("y", DataType::kUint8, {0, 255})), "[0,255]");
  EXPECT_EQ(json_data(make<int8_t>("y", DataType::kInt8, {-128, 127})), "[-128,127]");
  EXPECT_EQ(json_data(make<uint16_t>("y", DataType::kUint16, {65535})), "[65535]");
  EXPECT_EQ(json_data(make<int16_t>("y", DataType::kInt16, {-32768})), "[-32768]");
  EXPECT_EQ(json_data(make<uint32_t>("y", DataType::kUint32, {4294967295u})), "[4294967295]");
  EXPECT_EQ(json_data(make<int32_t>("y", DataType::kInt32, {INT32_MIN})), "[-2147483648]");
  EXPECT_EQ(json_data(make<uint64_t>("y", DataType::kUint64, {UINT64_MAX})),
            "[18446744073709551615]");
  EXPECT_EQ(json_data(make<int64_t>("y", DataType::kInt64, {INT64_MIN})), "[-9223372036854775808]");
  EXPECT_EQ(json_data(make<double>("y", DataType::kFp64, {0.1, 1e300})), "[0.1,1e+300]");
  EXPECT_EQ(json_data(make<float>("y", DataType::kFp32, {})), "[]");
  const std::vector<std::string> texts = {"a", "", "\xc3\xa9\""};
  EXPECT_EQ(json_data({"y", DataType::kBytes, {3}, tensor::pack_bytes(texts)}),
            "[\"a\",\"\",\"\xc3\xa9\\\"\"]");
}

TEST(InferResponse, LongJsonDataReadsBackAsTheSame) {
  std::vector<double> values;
  uint64_t bits = 1;
  while (values.size() < 5000) {
    bits = bits * 6364136223846793005u + 1442695040888963407u;
    double value = 0;
    std::memcpy(&value, &bits, sizeof(value));
    if (std::abs(value) <= std::numeric_limits<double>::max()) values.push_back(value);
  }
  const auto reply = encode_infer_response(response({make("y", DataType::kFp64, values)}), {});
  ASSERT_TRUE(reply.ok());
  const std::string body = "{\"inputs\":" + reply->body.substr(reply->body.find("[{\"name\""));
  const auto decoded = decode_infer_request(Buffer::copy_of(body), nullptr, "m", {});
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(std::memcmp(decoded->request.inputs[0].buffer.data(), values.data(),
                        values.size() * sizeof(double)),
            0);
}

TEST(InferResponse, BinaryOutputsAreSentFromWhereTheyLie) {
  const tensor::Tensor a = make<float>("a", DataType::kFp32, {1, 2});
  const tensor::Tensor b = make<int32_t>("b", DataType::kInt32, {7});
  const tensor::Tensor c = make<uint16_t>("c", DataType::kFp16, {});
  OutputForm form;
  using Form = OutputForm::Form;
  form.listed = {{"a", Form::kBinary}, {"b", Form::kJson}, {"c", Form::kBinary}};
  const auto reply = encode_infer_response(response({a, b, c}), form);
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->body,
            R"({"model_name":"m","model_version":"1","outputs":[)"
            R"({"name":"a","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}},)"
            R"({"name":"b","datatype":"INT32","shape":[1],"data":[7]},)"
            R"({"name":"c","datatype":"FP16","shape":[0],"parameters":{"binary_data_size":0}}]})");
  ASSERT_EQ(reply->buffers.size(), 2u);
  EXPECT_EQ(reply->buffers[0].data(), a.buffer.data());
  EXPECT_EQ(reply->content_type, "application/octet-stream");
  EXPECT_EQ(reply->json_size, reply->body.size());
}

TEST(InferResponse, OutputsInSharedMemoryCarryNoData) {
  OutputForm form;
  form.listed = {{"a", OutputForm::Form::kSharedMemory}};
  const auto reply =
      encode_infer_response(response({make<uint16_t>("a", DataType::kFp16, {1, 2})}), form);
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->body, R"({"model_name":"m","model_version":"1","outputs":[)"
                         R"({"name":"a","datatype":"FP16","shape":[2]}]})");
  EXPECT_TRUE(reply->buffers.empty());
  EXPECT_EQ(reply->json_size, 0u);
}

TEST(InferResponse, WhatJsonCannotCarryIsRefused) {
  const std::vector<std::string> broken = {"\xff\xfe"};
  const float infinity = std::numeric_limits<float>::infinity();
  for (const tensor::Tensor& output :
       {make<float>("y", DataType::kFp32, {1, std::numeric_limits<float>::quiet_NaN()}),
        make<double>("y", DataType::kFp64, {-static_cast<double>(infinity)}),
        make<uint16_t>("y", DataType::kFp16, {0}), make<uint16_t>("y", DataType::kBf16, {0}),
        tensor::Tensor{"y", DataType::kBytes, {1}, tensor::pack_bytes(broken)}}) {
    const auto reply = encode_infer_response(response({output}), {});
    EXPECT_EQ(reply.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(base::message(reply.status()), HasSubstr("output 'y'"));
    EXPECT_THAT(base::message(reply.status()), HasSubstr("binary_data"));
    OutputForm form;
    form.binary_by_default = true;
    EXPECT_TRUE(encode_infer_response(response({output}), form).ok());
  }
}

}  // namespace
}  // namespace supernova::protocol::oip
