#include "protocol/kserve_v1/predict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/bytes.h"

namespace supernova::protocol::kserve_v1 {
namespace {

using tensor::Buffer;
using tensor::DataType;
using tensor::Shape;
using tensor::Tensor;
using tensor::TensorInfo;
using testing::ElementsAre;
using testing::HasSubstr;

TensorInfo info(std::string name, DataType type, Shape shape, bool optional = false) {
  TensorInfo made;
  made.name = std::move(name);
  made.data_type = type;
  made.shape = std::move(shape);
  made.optional = optional;
  return made;
}

template <typename T>
std::vector<T> values(const Tensor& tensor) {
  std::vector<T> out(tensor.buffer.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), tensor.buffer.data(), out.size() * sizeof(T));
  return out;
}

const std::vector<TensorInfo> kOne = {info("x", DataType::kFp32, {-1, 2})};
const std::vector<TensorInfo> kText = {info("t", DataType::kBytes, {-1})};
const std::vector<TensorInfo> kTwo = {info("x", DataType::kFp32, {-1, 2}),
                                      info("n", DataType::kInt64, {-1})};

std::string refusal(std::string_view text, const std::vector<TensorInfo>& inputs) {
  const auto decoded = decode_predict_request(text, "m", inputs);
  EXPECT_EQ(decoded.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(base::message(decoded.status()));
}

TEST(PredictRequest, OneInputInFourForms) {
  for (const char* text :
       {R"({"instances":[[1,2],[3,4]]})", R"({"instances":[{"x":[1,2]},{"x":[3,4]}]})",
        R"({"inputs":[[1,2],[3,4]],"signature_name":"serving_default"})",
        R"({"inputs":{"x":[[1,2],[3,4]]}})"}) {
    const auto decoded = decode_predict_request(text, "m", kOne);
    ASSERT_TRUE(decoded.ok()) << text << decoded.status();
    EXPECT_EQ(decoded->by_row, std::string_view(text).starts_with("{\"instances"));
    ASSERT_EQ(decoded->request.inputs.size(), 1u);
    EXPECT_EQ(decoded->request.inputs[0].name, "x");
    EXPECT_EQ(decoded->request.inputs[0].shape, (Shape{2, 2}));
    EXPECT_THAT(values<float>(decoded->request.inputs[0]), ElementsAre(1, 2, 3, 4));
  }
}

TEST(PredictRequest, SeveralInputs) {
  for (const char* text : {R"({"instances":[{"x":[1,2],"n":7},{"n":8,"x":[3,4]}]})",
                           R"({"inputs":{"n":[7,8],"x":[[1,2],[3,4]]}})"}) {
    const auto decoded = decode_predict_request(text, "m", kTwo);
    ASSERT_TRUE(decoded.ok()) << text << decoded.status();
    ASSERT_EQ(decoded->request.inputs.size(), 2u);
    EXPECT_EQ(decoded->request.inputs[0].name, "n");
    EXPECT_EQ(decoded->request.inputs[0].shape, (Shape{2}));
    EXPECT_THAT(values<int64_t>(decoded->request.inputs[0]), ElementsAre(7, 8));
    EXPECT_EQ(decoded->request.inputs[1].shape, (Shape{2, 2}));
  }
}

TEST(PredictRequest, OptionalInputsNeedNoName) {
  const std::vector<TensorInfo> inputs = {info("o", DataType::kFp32, {1}, true), kOne[0]};
  const auto decoded = decode_predict_request(R"({"instances":[[1,2]]})", "m", inputs);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->request.inputs.at(0).name, "x");
}

TEST(PredictRequest, StringsAndBase64) {
  for (const char* text : {R"({"instances":["a",{"b64":"/wA="}]})",
                           R"({"instances":[{"t":"a"},{"t":{"b64":"/wA="}}]})"}) {
    const auto decoded = decode_predict_request(text, "m", kText);
    ASSERT_TRUE(decoded.ok()) << text << decoded.status();
    const auto elements = tensor::unpack_bytes(decoded->request.inputs.at(0).buffer.view(), 2);
    ASSERT_TRUE(elements.ok());
    EXPECT_THAT(*elements, ElementsAre("a", std::string_view("\xff\0", 2)));
  }
  const auto first = decode_predict_request(R"({"instances":[{"b64":"YQ=="}]})", "m", kText);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->request.inputs[0].buffer.view(), std::string_view("\1\0\0\0a", 5));
}

TEST(PredictRequest, EmptyBatchesAndScalars) {
  const auto empty = decode_predict_request(R"({"instances":[]})", "m", kOne);
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_EQ(empty->request.inputs[0].shape, (Shape{0, 2}));
  const auto scalar = decode_predict_request(R"({"inputs":5})", "m", kOne);
  ASSERT_TRUE(scalar.ok()) << scalar.status();
  EXPECT_EQ(scalar->request.inputs[0].shape, Shape{});
}

TEST(PredictRequest, Refused) {
  EXPECT_THAT(refusal("", kOne), HasSubstr("exactly one of"));
  EXPECT_THAT(refusal("{}", kOne), HasSubstr("exactly one of"));
  EXPECT_THAT(refusal(R"({"instances":[],"inputs":[]})", kOne), HasSubstr("exactly one of"));
  EXPECT_THAT(refusal("[1]", kOne), HasSubstr("must be an object"));
  EXPECT_THAT(refusal("{\"instances\":[\"\xff\"]}", kText), HasSubstr("UTF-8"));
  EXPECT_THAT(refusal(R"({"instances":5})", kOne), HasSubstr("must be an array"));
  EXPECT_THAT(refusal(R"({"instances":[[1,2],[3]]})", kOne),
              HasSubstr("input 'x': an array of 1 stands beside one of 2 at depth 1"));
  EXPECT_THAT(refusal(R"({"instances":[[1,2],3]})", kOne), HasSubstr("side by side"));
  EXPECT_THAT(refusal(R"({"instances":[3,[1,2]]})", kOne), HasSubstr("side by side"));
  EXPECT_THAT(refusal(R"({"instances":[[],[[]]]})", kOne), HasSubstr("stands beside"));
  EXPECT_THAT(refusal(R"({"instances":[1,null]})", kOne), HasSubstr("expected a number"));
  EXPECT_THAT(refusal(R"({"instances":[[NaN,1]]})", kOne), HasSubstr("expected a number"));
  EXPECT_THAT(refusal(R"({"instances":[[1e39,1]]})", kOne), HasSubstr("out of the range of FP32"));
  EXPECT_THAT(refusal(R"({"instances":[{"x":[1,2]},[3,4]]})", kOne),
              HasSubstr("instance 1 is no object"));
  EXPECT_THAT(refusal(R"({"instances":[[1,2]]})", kTwo), HasSubstr("has 2 inputs"));
  EXPECT_THAT(refusal(R"({"instances":[]})", kTwo), HasSubstr("has 2 inputs"));
  EXPECT_THAT(refusal(R"({"instances":[{"x":[1,2],"n":1},{"x":[1,2]}]})", kTwo),
              HasSubstr("instance 1 lacks input 'n'"));
  EXPECT_THAT(refusal(R"({"instances":[{"x":[1,2]},{"x":[1,2],"n":1}]})", kTwo),
              HasSubstr("before instance 1 lack input 'n'"));
  EXPECT_THAT(refusal(R"({"instances":[{"q":1}]})", kTwo), HasSubstr("'q', which is no input"));
  EXPECT_THAT(refusal(R"({"inputs":{"q":1}})", kTwo), HasSubstr("unexpected inference input 'q'"));
  EXPECT_THAT(refusal(R"({"instances":[{"b64":"!"}]})", kText), HasSubstr("damaged base64"));
  EXPECT_THAT(refusal(R"({"instances":["a",{"b65":""}]})", kText), HasSubstr("expected a string"));
  const std::string deep = std::string(150, '[') + std::string(150, ']');
  EXPECT_THAT(refusal(R"({"instances":)" + deep + "}", kOne), HasSubstr("nesting"));
  EXPECT_THAT(refusal(R"({"instances":[[1]]})", {info("h", DataType::kFp16, {-1, 1})}),
              HasSubstr("FP16"));
}

template <typename T>
Tensor output(std::string name, DataType type, Shape shape, const std::vector<T>& content) {
  return {std::move(name), type, std::move(shape),
          Buffer::copy_of(std::as_bytes(std::span(content)))};
}

tensor::Response response(std::vector<Tensor> outputs) {
  tensor::Response made;
  made.outputs = std::move(outputs);
  return made;
}

TEST(PredictResponse, NestsByShape) {
  const Tensor y = output<float>("y", DataType::kFp32, {2, 1, 2}, {1, 2, 3, 4.5});
  for (const bool by_row : {true, false}) {
    EXPECT_EQ(encode_predict_response(response({y}), by_row).value(),
              R"({"predictions":[[[1,2]],[[3,4.5]]]})");
  }
  EXPECT_EQ(
      encode_predict_response(response({output<int32_t>("s", DataType::kInt32, {}, {7})}), true)
          .value(),
      R"({"predictions":7})");
  EXPECT_EQ(encode_predict_response(
                response({output<int32_t>("s", DataType::kInt32, {int64_t{1} << 40, 0}, {})}), true)
                .value(),
            R"({"predictions":[]})");
}

TEST(PredictResponse, SeveralOutputs) {
  const auto both = response({output<float>("y", DataType::kFp32, {2, 2}, {1, 2, 3, 4}),
                              output<int64_t>("n", DataType::kInt64, {2}, {7, 8})});
  EXPECT_EQ(encode_predict_response(both, true).value(),
            R"({"predictions":[{"y":[1,2],"n":7},{"y":[3,4],"n":8}]})");
  EXPECT_EQ(encode_predict_response(both, false).value(),
            R"({"predictions":{"y":[[1,2],[3,4]],"n":[7,8]}})");
  const auto uneven = response({output<int64_t>("y", DataType::kInt64, {2}, {1, 2}),
                                output<int64_t>("n", DataType::kInt64, {3}, {7, 8, 9})});
  EXPECT_THAT(encode_predict_response(uneven, true).status().ToString(),
              HasSubstr("output 'n' of shape [3] is not one row per instance"));
  EXPECT_TRUE(encode_predict_response(uneven, false).ok());
}

TEST(PredictResponse, Bytes) {
  const auto bytes = [](std::string name) {
    return Tensor{std::move(name),
                  DataType::kBytes,
                  {2},
                  tensor::pack_bytes(std::vector<std::string>{"a", "\xff"})};
  };
  EXPECT_EQ(encode_predict_response(response({bytes("t")}), true).value(),
            R"({"predictions":["a",{"b64":"/w=="}]})");
  EXPECT_EQ(encode_predict_response(response({bytes("t_bytes")}), true).value(),
            R"({"predictions":[{"b64":"YQ=="},{"b64":"/w=="}]})");
}

TEST(PredictResponse, WhatJsonHasNoWordsForIsRefused) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(
      encode_predict_response(response({output<float>("y", DataType::kFp32, {1}, {nan})}), true)
          .status()
          .ToString(),
      HasSubstr("output 'y' holds NaN"));
}

}  // namespace
}  // namespace supernova::protocol::kserve_v1
