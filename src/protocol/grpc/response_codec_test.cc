#include "protocol/grpc/response_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supernova::protocol::grpc {
namespace {

using tensor::DataType;
using ::testing::HasSubstr;

TEST(EncodeTest, OutputsBeyondOneMessageAreRefused) {
  // Never looked at: only its size counts.
  static std::byte byte;
  tensor::Response response;
  response.outputs.push_back(
      {"y", DataType::kInt8, {int64_t{1} << 31}, tensor::Buffer::adopt(&byte, size_t{1} << 31, [] {
       })});
  const base::Status status = encode_response(response, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(base::message(status)), HasSubstr("2147483648 bytes"));
}

TEST(EncodeTest, AlwaysRaw) {
  tensor::Response response;
  response.model_name = "m";
  response.model_version = "2";
  response.id = "7";
  response.parameters["p"] = int64_t{4};
  response.outputs.push_back(
      {"y", DataType::kInt16, {2}, tensor::Buffer::copy_of(std::string_view("abcd"))});
  response.outputs.push_back({"z", DataType::kFp32, {0}, tensor::Buffer::allocate(0)});
  inference::ModelInferResponse message;
  ASSERT_TRUE(parse(*encode_response(response, {}), message).ok());
  EXPECT_EQ(message.model_name(), "m");
  EXPECT_EQ(message.model_version(), "2");
  EXPECT_EQ(message.id(), "7");
  EXPECT_EQ(message.parameters().at("p").int64_param(), 4);
  ASSERT_EQ(message.outputs_size(), 2);
  EXPECT_EQ(message.outputs(0).datatype(), "INT16");
  EXPECT_FALSE(message.outputs(0).has_contents());
  ASSERT_EQ(message.raw_output_contents_size(), 2);
  EXPECT_EQ(message.raw_output_contents(0), "abcd");
  EXPECT_EQ(message.raw_output_contents(1), "");
}

TEST(EncodeTest, AnEmptyResponseIsAnEmptyMessage) {
  const auto message = encode_response({}, {});
  ASSERT_TRUE(message.ok());
  EXPECT_TRUE(*message);
  EXPECT_EQ(message->size(), 0u);
}

tensor::Response large_response() {
  tensor::Response response;
  response.model_name = "m";
  for (const char name : {'a', 'b', 'c'}) {
    const int64_t size = name == 'b' ? 3 : 100000;
    response.outputs.push_back(
        {std::string(1, name),
         DataType::kInt8,
         {1, size},
         tensor::Buffer::copy_of(std::string(static_cast<size_t>(size), name))});
  }
  return response;
}

TEST(EncodeTest, LargeOutputsAreNotCopied) {
  const tensor::Response response = large_response();
  const auto message = encode_response(response, {});
  ASSERT_TRUE(message.ok()) << message.status();
  std::vector<const void*> places;
  for (const grpc_slice& slice : message->slices()) places.push_back(view(slice).data());
  EXPECT_THAT(places, ::testing::Contains(response.outputs[0].buffer.data()));
  EXPECT_THAT(places, ::testing::Contains(response.outputs[2].buffer.data()));
  inference::ModelInferResponse parsed;
  ASSERT_TRUE(parse(*message, parsed).ok());
  ASSERT_EQ(parsed.outputs_size(), 3);
  EXPECT_EQ(parsed.outputs(2).name(), "c");
  EXPECT_EQ(parsed.outputs(2).shape(1), 100000);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(parsed.raw_output_contents(i),
              response.outputs[static_cast<size_t>(i)].buffer.view());
  }
}

TEST(EncodeTest, TheMessageKeepsItsOutputs) {
  auto response = std::make_unique<tensor::Response>(large_response());
  auto message = encode_response(*response, {});
  ASSERT_TRUE(message.ok()) << message.status();
  response.reset();
  inference::ModelInferResponse parsed;
  ASSERT_TRUE(parse(*message, parsed).ok());
  EXPECT_EQ(parsed.raw_output_contents(0), std::string(100000, 'a'));
}

TEST(EncodeTest, OfAStream) {
  for (tensor::Response response : {large_response(), tensor::Response()}) {
    response.id = "7";
    response.parameters["p"] = std::string("text");
    const auto message = encode_response(response, {}, ResponseForm::kStream);
    ASSERT_TRUE(message.ok()) << message.status();
    inference::ModelStreamInferResponse parsed;
    ASSERT_TRUE(parse(*message, parsed).ok());
    const inference::ModelInferResponse& inner = parsed.infer_response();
    EXPECT_EQ(parsed.error_message(), "");
    EXPECT_EQ(inner.id(), "7");
    EXPECT_EQ(inner.parameters().at("p").string_param(), "text");
    EXPECT_TRUE(inner.parameters().at("triton_final_response").bool_param());
    EXPECT_EQ(inner.raw_output_contents_size(), static_cast<int>(response.outputs.size()));
  }
}

}  // namespace
}  // namespace supernova::protocol::grpc
