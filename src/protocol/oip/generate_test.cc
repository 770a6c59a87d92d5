#include "protocol/oip/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tensor/bytes.h"

namespace supernova::protocol::oip {
namespace {

using tensor::DataType;
using tensor::Shape;
using testing::HasSubstr;

tensor::TensorInfo info(std::string name, DataType type, Shape shape) {
  tensor::TensorInfo made;
  made.name = std::move(name);
  made.data_type = type;
  made.shape = std::move(shape);
  return made;
}

base::Result<tensor::Request> decode(std::string_view text, Shape shape,
                                     DataType type = DataType::kInt32) {
  return decode_generate_request(text, "m", {info("x", type, std::move(shape))});
}

TEST(GenerateRequest, ShapesFollowFromTheDeclaredOne) {
  struct Case {
    Shape declared;
    const char* body;
    Shape expected;
  };
  const std::vector<Case> cases = {{{-1}, R"({"x":[1,2,3]})", {3}},
                                   {{1}, R"({"x":7})", {1}},
                                   {{-1, 1}, R"({"x":7})", {1, 1}},
                                   {{-1, -1}, R"({"x":[1,2,3]})", {1, 3}},
                                   {{-1, 2}, R"({"x":[1,2,3,4]})", {2, 2}},
                                   {{-1, 2, -1}, R"({"x":[1,2,3,4]})", {1, 2, 2}},
                                   {{2, 2}, R"({"x":[1,2,3,4]})", {2, 2}},
                                   {{-1}, R"({"x":[]})", {0}},
                                   {{}, R"({"x":7})", {}}};
  for (const auto& [declared, body, expected] : cases) {
    const auto request = decode(body, declared);
    ASSERT_TRUE(request.ok()) << body << request.status();
    EXPECT_EQ(request->inputs.at(0).shape, expected) << body;
  }
  EXPECT_THAT(decode(R"({"x":[1,2,3]})", {-1, 2}).status().ToString(),
              HasSubstr("input 'x' has 3 elements, which no shape like [-1,2] has"));
  EXPECT_FALSE(decode(R"({"x":[1,2,3]})", {2}).ok());
  EXPECT_FALSE(decode(R"({"x":[1]})", {0, -1}).ok());
}

TEST(GenerateRequest, OtherKeysAreParameters) {
  const auto request =
      decode(R"({"id":"7","x":"hi","stream":false,"parameters":{"temperature":0.5,"top":"k"}})",
             {1}, DataType::kBytes);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->id, "7");
  EXPECT_EQ(request->inputs[0].buffer.view(), std::string_view("\2\0\0\0hi", 6));
  EXPECT_EQ(request->parameters.at("stream"), tensor::Parameter(false));
  EXPECT_EQ(request->parameters.at("temperature"), tensor::Parameter(0.5));
  EXPECT_EQ(request->parameters.at("top"), tensor::Parameter(std::string("k")));
}

TEST(GenerateRequest, Refused) {
  for (const auto& [body, message] : {std::pair{"[]", "must be an object"},
                                      {R"({"x":[1,[2]]})", "input 'x': a list inside a list"},
                                      {R"({"x":[null]})", "expected a number"},
                                      {R"({"x":1.5})", "not a whole number"},
                                      {R"({"x":1,"x":1})", "'x' twice"},
                                      {R"({"y":[1]})", "must be a string, a number or a boolean"},
                                      {R"({"y":1,"parameters":{"y":1}})", "given twice"},
                                      {R"({"triton_x":1})", "reserved"},
                                      {R"({"id":1})", "'id' of the request must be a string"},
                                      {"{\"x\":\"\xff\"}", "UTF-8"},
                                      {R"({"x":1} 2)", "unexpected text"}}) {
    EXPECT_THAT(decode(body, {-1}).status().ToString(), HasSubstr(message)) << body;
  }
}

TEST(GenerateResponse, IsFlatAndItsKeysAreUnique) {
  tensor::Response response;
  response.model_name = "m";
  response.model_version = "1";
  response.outputs.push_back(
      {"text_output", DataType::kBytes, {1}, tensor::pack_bytes(std::vector<std::string>{"hi"})});
  response.outputs.push_back(
      {"model_name", DataType::kUint8, {2}, tensor::Buffer::copy_of("\1\2")});
  response.outputs.push_back({"none", DataType::kUint8, {0}, tensor::Buffer::allocate(0)});
  const auto json = encode_generate_response(response);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(*json, R"({"model_version":"1","text_output":"hi","model_name":[1,2],"none":[]})");
}

}  // namespace
}  // namespace supernova::protocol::oip
