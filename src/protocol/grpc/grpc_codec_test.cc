#include "protocol/grpc/grpc_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tensor/bytes.h"

namespace supernova::protocol::grpc {
namespace {

using inference::ModelInferRequest;
using tensor::DataType;
using ::testing::HasSubstr;

class DecodeTest : public ::testing::Test {
 protected:
  DecodeTest() { message_->set_model_name("m"); }

  ModelInferRequest::InferInputTensor& input(const std::string& name, const std::string& type,
                                             const std::vector<int64_t>& shape) {
    auto& made = *message_->add_inputs();
    made.set_name(name);
    made.set_datatype(type);
    for (const int64_t size : shape) made.add_shape(size);
    return made;
  }
  void expect_refused(std::string_view text,
                      absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
    const auto request = decode_request(message_);
    EXPECT_EQ(request.status().code(), code) << request.status();
    EXPECT_THAT(std::string(base::message(request.status())), HasSubstr(std::string(text)));
  }
  template <typename T>
  std::vector<T> decoded() {
    const auto request = decode_request(message_);
    EXPECT_TRUE(request.ok()) << request.status();
    if (!request.ok()) return {};
    const tensor::Buffer& buffer = request->inputs.at(0).buffer;
    std::vector<T> values(buffer.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), buffer.data(), values.size() * sizeof(T));
    return values;
  }

  std::shared_ptr<ModelInferRequest> message_ = std::make_shared<ModelInferRequest>();
};

TEST_F(DecodeTest, CarriesNameVersionIdParametersAndOutputs) {
  message_->set_model_version("3");
  message_->set_id("abc");
  auto& parameters = *message_->mutable_parameters();
  parameters["b"].set_bool_param(true);
  parameters["i"].set_int64_param(-5);
  parameters["u"].set_uint64_param(7);
  parameters["d"].set_double_param(0.5);
  parameters["s"].set_string_param("text");
  parameters["triton_enable_empty_final_response"].set_bool_param(false);
  message_->add_outputs()->set_name("y");
  const auto request = decode_request(message_);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->model_name, "m");
  EXPECT_EQ(request->model_version, "3");
  EXPECT_EQ(request->id, "abc");
  ASSERT_EQ(request->outputs.size(), 1u);
  EXPECT_EQ(request->outputs[0].name, "y");
  const tensor::Parameters expected{
      {"b", true}, {"i", int64_t{-5}}, {"u", uint64_t{7}}, {"d", 0.5}, {"s", std::string("text")}};
  EXPECT_EQ(request->parameters, expected);
}

TEST_F(DecodeTest, RefusesReservedAndEmptyParameters) {
  (*message_->mutable_parameters())["triton_other"].set_bool_param(true);
  expect_refused("'triton_other' is reserved");
  message_->clear_parameters();
  (*message_->mutable_parameters())["triton_enable_empty_final_response"].set_int64_param(1);
  expect_refused("must be a boolean");
  message_->clear_parameters();
  (*message_->mutable_parameters())["k"];
  expect_refused("'k' has no value");
}

TEST_F(DecodeTest, RawInputsAreSharedAndOutliveTheCallersMessage) {
  input("x", "FP32", {8});
  const std::vector<float> values{1, 2, 3, 4, 5, 6, 7, 8};
  message_->add_raw_input_contents(values.data(), values.size() * sizeof(float));
  const void* const where = message_->raw_input_contents(0).data();
  auto request = decode_request(message_);
  ASSERT_TRUE(request.ok()) << request.status();
  message_.reset();
  EXPECT_EQ(request->inputs[0].buffer.data(), where);
  EXPECT_EQ(std::memcmp(request->inputs[0].buffer.data(), values.data(), 32), 0);
}

TEST_F(DecodeTest, TypedLists) {
  auto& x = input("x", "FP32", {2});
  x.mutable_contents()->add_fp32_contents(1.5F);
  x.mutable_contents()->add_fp32_contents(-2);
  EXPECT_EQ(decoded<float>(), (std::vector<float>{1.5F, -2}));

  x.set_datatype("INT8");
  x.clear_contents();
  x.mutable_contents()->add_int_contents(-128);
  x.mutable_contents()->add_int_contents(127);
  EXPECT_EQ(decoded<int8_t>(), (std::vector<int8_t>{-128, 127}));

  x.set_datatype("UINT16");
  x.clear_contents();
  x.mutable_contents()->add_uint_contents(0);
  x.mutable_contents()->add_uint_contents(65535);
  EXPECT_EQ(decoded<uint16_t>(), (std::vector<uint16_t>{0, 65535}));

  x.set_datatype("BOOL");
  x.clear_contents();
  x.mutable_contents()->add_bool_contents(true);
  x.mutable_contents()->add_bool_contents(false);
  EXPECT_EQ(decoded<uint8_t>(), (std::vector<uint8_t>{1, 0}));

  x.set_datatype("UINT64");
  x.clear_contents();
  x.mutable_contents()->add_uint64_contents(~uint64_t{0});
  x.mutable_contents()->add_uint64_contents(1);
  EXPECT_EQ(decoded<uint64_t>(), (std::vector<uint64_t>{~uint64_t{0}, 1}));
}

TEST_F(DecodeTest, SmallIntegersAreRangeChecked) {
  const struct {
    const char* type;
    int64_t value;
  } cases[] = {{"INT8", 128},     {"INT8", -129}, {"INT16", 32768},
               {"INT16", -32769}, {"UINT8", 256}, {"UINT16", 65536}};
  for (const auto& c : cases) {
    message_->clear_inputs();
    auto& contents = *input("x", c.type, {1}).mutable_contents();
    if (c.type[0] == 'U') {
      contents.add_uint_contents(static_cast<uint32_t>(c.value));
    } else {
      contents.add_int_contents(static_cast<int32_t>(c.value));
    }
    expect_refused(
        base::str_cat("input 'x': element 0 is ", c.value, ", out of range for ", c.type));
  }
}

TEST_F(DecodeTest, BytesArePacked) {
  auto& contents = *input("x", "BYTES", {2}).mutable_contents();
  contents.add_bytes_contents("ab");
  contents.add_bytes_contents(std::string("\0z", 2));
  const auto request = decode_request(message_);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->inputs[0].buffer.view(), std::string_view("\2\0\0\0ab\2\0\0\0\0z", 12));
}

TEST_F(DecodeTest, Float16TravelsRawOnly) {
  for (const char* type : {"FP16", "BF16"}) {
    message_->clear_inputs();
    message_->clear_raw_input_contents();
    input("x", type, {1}).mutable_contents()->add_fp32_contents(1);
    expect_refused("send raw_input_contents");
    message_->mutable_inputs(0)->clear_contents();
    message_->add_raw_input_contents("\1\2", 2);
    EXPECT_EQ(decoded<uint16_t>(), std::vector<uint16_t>{0x0201});
  }
}

TEST_F(DecodeTest, RefusesWhatDoesNotFitTogether) {
  auto& x = input("x", "FP32", {2});
  expect_refused("input 'x': no data");
  x.mutable_contents()->add_fp32_contents(1);
  expect_refused("fp32_contents has 1 elements, but shape [2] needs 2");
  x.mutable_contents()->add_int_contents(1);
  x.mutable_contents()->add_fp32_contents(1);
  expect_refused("int_contents is filled, but datatype FP32 travels in fp32_contents");
  message_->add_raw_input_contents("12345678");
  expect_refused("must not be set when raw_input_contents is used");
  x.clear_contents();
  message_->add_raw_input_contents("1");
  expect_refused("raw_input_contents has 2 entries, but there are 1 inputs");
}

TEST_F(DecodeTest, RefusesBadTypesShapesAndRepeatedNames) {
  input("x", "FP33", {1});
  expect_refused("input 'x': unknown datatype 'FP33'");
  message_->mutable_inputs(0)->set_datatype("FP32");
  message_->mutable_inputs(0)->set_shape(0, -1);
  expect_refused("input 'x': ");
  message_->mutable_inputs(0)->set_shape(0, int64_t{1} << 40);
  message_->mutable_inputs(0)->add_shape(int64_t{1} << 40);
  expect_refused("input 'x': ");
  message_->clear_inputs();
  input("x", "FP32", {0});
  input("x", "FP32", {0});
  expect_refused("input 'x' is given twice");
}

TEST_F(DecodeTest, ATensorWithoutElementsNeedsNoData) {
  input("x", "FP32", {0, 3});
  EXPECT_TRUE(decoded<float>().empty());
}

TEST_F(DecodeTest, ExtensionsThatAreNotServedAreNamed) {
  (*input("x", "FP32", {0}).mutable_parameters())["shared_memory_region"].set_string_param("r");
  expect_refused("shared_memory_region", absl::StatusCode::kUnimplemented);
  message_->mutable_inputs(0)->clear_parameters();
  auto& output = *message_->add_outputs();
  (*output.mutable_parameters())["classification"].set_int64_param(3);
  expect_refused("classification", absl::StatusCode::kUnimplemented);
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
  ASSERT_TRUE(encode_response(response, {}, message).ok());
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

}  // namespace
}  // namespace supernova::protocol::grpc
