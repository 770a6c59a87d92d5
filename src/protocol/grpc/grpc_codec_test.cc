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

// A region "r" of 64 bytes: 0, 1, 2, ...
class SharedMemoryTest : public DecodeTest {
 protected:
  SharedMemoryTest() {
    for (size_t i = 0; i < region_.size(); ++i) region_.data()[i] = static_cast<std::byte>(i);
  }
  base::Result<tensor::Buffer> part(std::string_view region, uint64_t offset, uint64_t size) {
    if (region != "r") return absl::InvalidArgumentError("no such region");
    if (offset > region_.size() || size > region_.size() - offset) {
      return absl::InvalidArgumentError("out of the region");
    }
    return region_.slice(offset, size);
  }
  base::Result<tensor::Request> decode() {
    return decode_request(message_, [this](auto... arguments) { return part(arguments...); });
  }
  template <typename Message>
  static void place(Message& tensor, uint64_t offset, uint64_t size) {
    auto& parameters = *tensor.mutable_parameters();
    parameters["shared_memory_region"].set_string_param("r");
    parameters["shared_memory_byte_size"].set_uint64_param(size);
    if (offset > 0) {
      parameters["shared_memory_offset"].set_int64_param(static_cast<int64_t>(offset));
    }
  }

  tensor::Buffer region_ = tensor::Buffer::allocate(64);
};

TEST_F(SharedMemoryTest, RawContentsAreThoseOfTheOtherInputs) {
  input("a", "FP32", {1});
  place(input("b", "FP32", {2}), 8, 8);
  input("c", "INT8", {3});
  message_->add_raw_input_contents("aaaa");
  message_->add_raw_input_contents("ccc");
  const auto request = decode();
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->inputs[0].buffer.view(), "aaaa");
  EXPECT_EQ(request->inputs[1].buffer.data(), region_.data() + 8);
  EXPECT_EQ(request->inputs[1].buffer.size(), 8u);
  EXPECT_EQ(request->inputs[2].buffer.view(), "ccc");

  message_->add_raw_input_contents("dd");
  EXPECT_THAT(std::string(base::message(decode().status())),
              HasSubstr("3 entries, but there are 2 inputs that are not in shared memory"));
  message_->mutable_raw_input_contents()->DeleteSubrange(1, 2);
  EXPECT_THAT(std::string(base::message(decode().status())), HasSubstr("has only 1 entries"));
}

TEST_F(SharedMemoryTest, TensorsAreHandedOnAsTheyAre) {
  place(input("x", "FP64", {1}), 3, 8);  // not aligned
  place(input("y", "BOOL", {2}), 0, 2);
  const auto request = decode();
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->inputs[0].buffer.data(), region_.data() + 3);
  EXPECT_EQ(request->inputs[1].buffer.data(), region_.data());
}

TEST_F(SharedMemoryTest, WhatIsWrongIsSaid) {
  const auto expect = [&](std::string_view text) {
    EXPECT_THAT(std::string(base::message(decode().status())), HasSubstr(std::string(text)));
  };
  auto& x = input("x", "FP32", {2});
  place(x, 60, 8);
  expect("input 'x': out of the region");
  (*x.mutable_parameters())["shared_memory_offset"].set_int64_param(-4);
  expect("'shared_memory_offset' must be a whole number");
  x.mutable_parameters()->erase("shared_memory_offset");
  x.mutable_parameters()->erase("shared_memory_byte_size");
  expect("'shared_memory_byte_size' must be given");
  (*x.mutable_parameters())["shared_memory_region"].set_bool_param(true);
  expect("'shared_memory_region' must be a string");
  place(x, 0, 8);
  x.mutable_contents()->add_fp32_contents(1);
  expect("must not be set for an input in shared memory");
  message_->clear_inputs();
  auto& y = *message_->add_outputs();
  y.set_name("y");
  place(y, 0, 8);
  (*y.mutable_parameters())["classification"].set_int64_param(3);
  expect("output 'y': an output asked for as classification can't go to shared memory");
}

TEST_F(SharedMemoryTest, OutputsInItAreNotInTheMessage) {
  message_->add_outputs()->set_name("inline");
  place(*message_->add_outputs(), 16, 8);
  const auto request = decode();
  ASSERT_TRUE(request.ok()) << request.status();
  const auto destinations = destinations_of(*request);
  ASSERT_EQ(destinations.size(), 2u);
  EXPECT_EQ(destinations[0].data(), nullptr);
  EXPECT_EQ(destinations[1].data(), region_.data() + 16);
  EXPECT_EQ(destinations[1].size(), 8u);
  tensor::Response response;
  response.outputs.push_back(
      {"inline", DataType::kInt8, {2}, tensor::Buffer::copy_of(std::string_view("ab"))});
  response.outputs.push_back({"placed", DataType::kInt8, {4}, destinations[1].slice(0, 4)});
  inference::ModelInferResponse message;
  ASSERT_TRUE(encode_response(response, destinations, message).ok());
  ASSERT_EQ(message.raw_output_contents_size(), 2);
  EXPECT_EQ(message.raw_output_contents(0), "ab");
  EXPECT_EQ(message.raw_output_contents(1), "");
  EXPECT_EQ(message.outputs(1).name(), "placed");
  EXPECT_EQ(message.outputs(1).shape(0), 4);
}

TEST_F(DecodeTest, WithoutSharedMemoryItIsUnimplemented) {
  auto& parameters = *input("x", "FP32", {0}).mutable_parameters();
  parameters["shared_memory_region"].set_string_param("r");
  parameters["shared_memory_byte_size"].set_int64_param(0);
  expect_refused("shared memory", absl::StatusCode::kUnimplemented);
}

TEST_F(DecodeTest, Classification) {
  auto& parameters = *message_->add_outputs()->mutable_parameters();
  parameters["classification"].set_int64_param(3);
  EXPECT_EQ(decode_request(message_)->outputs[0].classification, 3u);
  parameters["classification"].set_uint64_param(5);
  EXPECT_EQ(decode_request(message_)->outputs[0].classification, 5u);
  parameters["classification"].set_int64_param(-1);
  expect_refused("'classification' must be a whole number");
  parameters["classification"].set_uint64_param(uint64_t{1} << 40);
  expect_refused("more classes than");
}

TEST_F(DecodeTest, KnownParametersHaveTheirTypes) {
  auto& parameters = *message_->mutable_parameters();
  parameters["priority"].set_uint64_param(1);
  parameters["timeout"].set_int64_param(1000);
  parameters["sequence_id"].set_string_param("a");
  parameters["sequence_start"].set_bool_param(true);
  ASSERT_TRUE(decode_request(message_).ok());
  parameters["sequence_id"].set_uint64_param(1);
  ASSERT_TRUE(decode_request(message_).ok());
  parameters["timeout"].set_int64_param(-1);
  expect_refused("'timeout' must be a whole number");
  parameters.erase("timeout");
  parameters["priority"].set_string_param("high");
  expect_refused("'priority' must be a whole number");
  parameters.erase("priority");
  parameters["sequence_id"].set_double_param(1);
  expect_refused("'sequence_id' must be a string or a whole number");
  parameters.erase("sequence_id");
  parameters["sequence_start"].set_int64_param(1);
  expect_refused("'sequence_start' must be a boolean");
}

TEST(EncodeTest, OutputsBeyondOneMessageAreRefused) {
  // Never looked at: only its size counts.
  static std::byte byte;
  tensor::Response response;
  response.outputs.push_back(
      {"y", DataType::kInt8, {int64_t{1} << 31}, tensor::Buffer::adopt(&byte, size_t{1} << 31, [] {
       })});
  inference::ModelInferResponse message;
  const base::Status status = encode_response(response, {}, message);
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
