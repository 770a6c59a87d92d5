#include "protocol/grpc/request_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "protocol/grpc/response_codec.h"
#include "tensor/bytes.h"

namespace supernova::protocol::grpc {
namespace {

using inference::ModelInferRequest;
using tensor::DataType;
using ::testing::HasSubstr;

class DecodeTest : public ::testing::Test {
 protected:
  DecodeTest() { message_->set_model_name("m"); }

  std::shared_ptr<ReceivedRequest> received() const {
    return received(Message::copy_of(message_->SerializeAsString()));
  }
  std::shared_ptr<ReceivedRequest> received(Message message) const {
    return std::make_shared<ReceivedRequest>(memory_, std::move(message));
  }

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
    const auto request = decode_request(received());
    EXPECT_EQ(request.status().code(), code) << request.status();
    EXPECT_THAT(std::string(base::message(request.status())), HasSubstr(std::string(text)));
  }
  template <typename T>
  std::vector<T> decoded() {
    const auto request = decode_request(received());
    EXPECT_TRUE(request.ok()) << request.status();
    if (!request.ok()) return {};
    const tensor::Buffer& buffer = request->inputs.at(0).buffer;
    std::vector<T> values(buffer.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), buffer.data(), values.size() * sizeof(T));
    return values;
  }

  const std::shared_ptr<RequestMemory> memory_ = std::make_shared<RequestMemory>(1 << 20);
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
  const auto request = decode_request(received());
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

TEST_F(DecodeTest, LargeRawInputsStayWhereTheyAre) {
  input("x", "FP32", {1000});
  message_->add_raw_input_contents(std::string(4000, 'r'));
  int shared = 0;
  for (int i = 1; i <= 4; ++i) {
    message_->set_id(std::string(static_cast<size_t>(i), 'i'));  // another alignment each
    auto from = received();
    const std::string_view bytes = view(from->message.slices().front());
    auto request = decode_request(from);
    ASSERT_TRUE(request.ok()) << request.status();
    from.reset();
    const tensor::Buffer& buffer = request->inputs[0].buffer;
    EXPECT_EQ(buffer.view(), std::string(4000, 'r'));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % sizeof(float), 0u);
    const char* const at = buffer.view().data();
    if (at >= bytes.data() && at < bytes.data() + bytes.size()) ++shared;
  }
  EXPECT_EQ(shared, 1);
}

TEST_F(DecodeTest, SmallRawInputsAreAlignedAndLetGoOfTheMessage) {
  for (int i = 0; i < 30; ++i) {
    input(std::to_string(i), "FP64", {8});
    message_->add_raw_input_contents(std::string(64, static_cast<char>('a' + i % 26)));
  }
  const auto from = received();
  const auto request = decode_request(from);
  ASSERT_TRUE(request.ok()) << request.status();
  for (size_t i = 0; i < 30; ++i) {
    const tensor::Buffer& buffer = request->inputs[i].buffer;
    EXPECT_EQ(buffer.view(), std::string(64, static_cast<char>('a' + i % 26)));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % sizeof(double), 0u);
  }
  message_->mutable_inputs()->DeleteSubrange(16, 14);
  message_->mutable_raw_input_contents()->DeleteSubrange(16, 14);
  const auto fewer = received();
  ASSERT_TRUE(decode_request(fewer).ok());
  EXPECT_FALSE(fewer->message);
}

TEST_F(DecodeTest, MessagesInManySlices) {
  message_->set_id("seven");
  (*message_->mutable_parameters())["p"].set_int64_param(300);
  input("x", "FP32", {1000});
  (*input("y", "INT8", {3}).mutable_parameters())["q"].set_bool_param(true);
  std::string values(4000, 0);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<char>(i * 7);
  message_->add_raw_input_contents(values);
  message_->add_raw_input_contents("abc");
  message_->add_outputs()->set_name("z");
  const std::string bytes = message_->SerializeAsString();
  for (const size_t size : {size_t{1}, size_t{2}, size_t{7}, size_t{64}, bytes.size() - 1}) {
    std::vector<grpc_slice> slices;
    for (size_t at = 0; at < bytes.size(); at += size) {
      slices.push_back(
          grpc_slice_from_copied_buffer(bytes.data() + at, std::min(size, bytes.size() - at)));
    }
    const auto from = received(Message(slices));
    for (const grpc_slice& slice : slices) grpc_slice_unref(slice);
    const auto request = decode_request(from);
    ASSERT_TRUE(request.ok()) << request.status();
    EXPECT_EQ(request->id, "seven");
    EXPECT_EQ(request->parameters, (tensor::Parameters{{"p", int64_t{300}}}));
    ASSERT_EQ(request->inputs.size(), 2u);
    EXPECT_EQ(request->inputs[0].shape, tensor::Shape{1000});
    EXPECT_EQ(request->inputs[0].buffer.view(), values);
    EXPECT_EQ(request->inputs[1].name, "y");
    EXPECT_EQ(request->inputs[1].buffer.view(), "abc");
    EXPECT_EQ(request->outputs.at(0).name, "z");
  }
}

TEST_F(DecodeTest, WhatIsNoMessageIsRefused) {
  const auto expect_none = [&](std::string_view bytes) {
    for (const bool cut : {false, true}) {
      grpc_slice slices[] = {grpc_slice_from_copied_buffer(bytes.data(), bytes.size() / 2),
                             grpc_slice_from_copied_buffer(bytes.data() + bytes.size() / 2,
                                                           bytes.size() - bytes.size() / 2)};
      const auto request =
          decode_request(received(cut ? Message(slices) : Message::copy_of(bytes)));
      for (const grpc_slice& slice : slices) grpc_slice_unref(slice);
      EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument) << bytes;
    }
  };
  using std::string_literals::operator""s;
  expect_none(
      "\x0a\x05"
      "ab"s);  // shorter than it says
  expect_none(
      "\x3a\xff\xff\xff\xff\x07"
      "ab"s);                                // raw contents much shorter
  expect_none("\x0a\x02\xff\xfe"s);          // a name that is no UTF-8
  expect_none("\x0b\x0c"s);                  // a group
  expect_none("\x2a\x04\x1a\x02\xff\xff"s);  // a shape that does not end
  expect_none("\x22\x02\x0a\x09"s);          // a parameter that does not end
  EXPECT_EQ(decode_request(received(Message())).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(DecodeTest, FieldsOfOtherVersionsAreSkipped) {
  input("x", "INT8", {1});
  message_->add_raw_input_contents("r");
  using std::string_literals::operator""s;
  // Numbers that are not known, and known ones of another type.
  const std::string bytes =
      "\x08\x07\xf8\x3f\x01\x65"
      "1234"s +
      message_->SerializeAsString();
  const auto request = decode_request(received(Message::copy_of(bytes)));
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->inputs.at(0).buffer.view(), "r");
}

TEST_F(DecodeTest, ItsPartsCountAsMemory) {
  // Two bytes of the message each, and much more in memory.
  for (int i = 0; i < 3000; ++i) message_->add_outputs();
  expect_refused("the server holds at most", absl::StatusCode::kResourceExhausted);
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
  const auto request = decode_request(received());
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
    return decode_request(received(), [this](auto... arguments) { return part(arguments...); });
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
  ASSERT_TRUE(parse(*encode_response(response, destinations), message).ok());
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
  EXPECT_EQ(decode_request(received())->outputs[0].classification, 3u);
  parameters["classification"].set_uint64_param(5);
  EXPECT_EQ(decode_request(received())->outputs[0].classification, 5u);
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
  ASSERT_TRUE(decode_request(received()).ok());
  parameters["sequence_id"].set_uint64_param(1);
  ASSERT_TRUE(decode_request(received()).ok());
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

}  // namespace
}  // namespace supernova::protocol::grpc
