// Bodies of inference requests, good and bad.
#include "protocol/oip/infer_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "protocol/oip/known_request.h"
#include "service/service.h"
#include "tensor/bytes.h"

namespace supernova::protocol::oip {
namespace {

using tensor::Buffer;
using tensor::DataType;
using tensor::Shape;
using tensor::Tensor;
using testing::ElementsAre;
using testing::HasSubstr;

base::Result<DecodedRequest> decode(std::string_view body, const char* header_length = nullptr,
                                    const std::vector<tensor::TensorInfo>& inputs = {}) {
  const std::string header = header_length == nullptr ? "" : header_length;
  return decode_infer_request(Buffer::copy_of(body), header_length == nullptr ? nullptr : &header,
                              "m", inputs);
}

// What is refused by the decoder, or behind it at the service's door.
std::string error_of(std::string_view body, const char* header_length = nullptr,
                     const std::vector<tensor::TensorInfo>& inputs = {}) {
  const auto decoded = decode(body, header_length, inputs);
  base::Status status = decoded.status();
  if (decoded.ok()) {
    for (const Tensor& input : decoded->request.inputs) {
      status.Update(service::check_content(input, decoded->request.model_name));
    }
  }
  EXPECT_FALSE(status.ok()) << body.substr(0, 200);
  return std::string(base::message(status));
}

std::string input(std::string_view datatype, std::string_view shape, std::string_view data) {
  return base::str_cat(R"({"inputs":[{"name":"x","datatype":")", datatype, R"(","shape":)", shape,
                       R"(,"data":)", data, "}]}");
}

template <typename T>
std::vector<T> values(const Tensor& tensor) {
  std::vector<T> out(tensor.buffer.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), tensor.buffer.data(), out.size() * sizeof(T));
  return out;
}

template <typename T>
std::vector<T> decoded_values(std::string_view datatype, std::string_view shape,
                              std::string_view data) {
  const auto decoded = decode(input(datatype, shape, data));
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  return decoded.ok() ? values<T>(decoded->request.inputs.at(0)) : std::vector<T>{};
}

TEST(InferRequest, EveryJsonDatatype) {
  EXPECT_THAT(decoded_values<uint8_t>("BOOL", "[4]", "[true,false,1,0]"), ElementsAre(1, 0, 1, 0));
  EXPECT_THAT(decoded_values<uint8_t>("UINT8", "[2]", "[0,255]"), ElementsAre(0, 255));
  EXPECT_THAT(decoded_values<uint16_t>("UINT16", "[2]", "[0,65535]"), ElementsAre(0, 65535));
  EXPECT_THAT(decoded_values<uint32_t>("UINT32", "[1]", "[4294967295]"), ElementsAre(4294967295u));
  EXPECT_THAT(decoded_values<uint64_t>("UINT64", "[1]", "[18446744073709551615]"),
              ElementsAre(18446744073709551615u));
  EXPECT_THAT(decoded_values<int8_t>("INT8", "[2]", "[-128,127]"), ElementsAre(-128, 127));
  EXPECT_THAT(decoded_values<int16_t>("INT16", "[2]", "[-32768,-0]"), ElementsAre(-32768, 0));
  EXPECT_THAT(decoded_values<int32_t>("INT32", "[1]", "[-2147483648]"), ElementsAre(INT32_MIN));
  EXPECT_THAT(decoded_values<int64_t>("INT64", "[2]", "[-9223372036854775808,9223372036854775807]"),
              ElementsAre(INT64_MIN, INT64_MAX));
  EXPECT_THAT(decoded_values<float>("FP32", "[5]", "[1,-2.5,1e-3,3.4028235e38,0.1]"),
              ElementsAre(1.0f, -2.5f, 1e-3f, 3.4028235e38f, 0.1f));
  EXPECT_THAT(decoded_values<double>("FP64", "[2]", "[0.1,1.7976931348623157e308]"),
              ElementsAre(0.1, std::numeric_limits<double>::max()));
}

TEST(InferRequest, SmallFloatsBecomeTheNearest) {
  EXPECT_THAT(decoded_values<float>("FP32", "[3]", "[1e-45,1e-60,-1e-400]"),
              ElementsAre(1.4e-45f, 0.0f, -0.0f));
  EXPECT_THAT(decoded_values<double>("FP64", "[2]", "[4.9e-324,1e-400]"),
              ElementsAre(4.9e-324, 0.0));
  EXPECT_TRUE(std::signbit(decoded_values<float>("FP32", "[1]", "[-0.0]").at(0)));
}

TEST(InferRequest, FloatsAreReadToTheLastBit) {
  uint32_t bits = 12345;
  for (int i = 0; i < 2000; ++i) {
    bits = bits * 1664525u + 1013904223u;
    float expected = 0;
    std::memcpy(&expected, &bits, sizeof(bits));
    if (!std::isfinite(expected)) continue;
    const auto got = decoded_values<float>("FP32", "[1]", base::str_cat("[", expected, "]"));
    ASSERT_EQ(std::memcmp(got.data(), &bits, sizeof(bits)), 0) << expected;
  }
}

TEST(InferRequest, NestingAndKeyOrderDoNotMatter) {
  for (const char* body :
       {R"({"inputs":[{"name":"x","shape":[2,2],"datatype":"INT32","data":[[1,2],[3,4]]}]})",
        R"({"inputs":[{"data":[1,2,3,4],"datatype":"INT32","name":"x","shape":[2,2]}]})",
        R"( { "outputs" : [ ] , "inputs" : [ { "data" : [ [ [ 1 ] , 2 ] , [ ] , 3 , 4 ] ,
            "shape" : [ 2 , 2 ] , "other" : {"a":[1,{}]}, "datatype" : "INT32" , "name" : "x" } ] } )"}) {
    const auto decoded = decode(body);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    const Tensor& x = decoded->request.inputs.at(0);
    EXPECT_EQ(x.name, "x");
    EXPECT_EQ(x.shape, (Shape{2, 2}));
    EXPECT_THAT(values<int32_t>(x), ElementsAre(1, 2, 3, 4));
  }
}

TEST(InferRequest, Strings) {
  const auto decoded =
      decode(input("BYTES", "[5]", R"(["a","","\u00e9\ud83d\ude00\n\"","ü","\u0000"])"));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const auto elements = tensor::unpack_bytes(decoded->request.inputs[0].buffer.view(), 5);
  ASSERT_TRUE(elements.ok());
  EXPECT_THAT(*elements, ElementsAre("a", "", "é😀\n\"", "ü", std::string_view("\0", 1)));
}

TEST(InferRequest, EmptyTensors) {
  for (const char* body :
       {R"({"inputs":[{"name":"x","shape":[0,4],"datatype":"FP32","data":[]}]})",
        R"({"inputs":[{"name":"x","shape":[0],"datatype":"BYTES","data":[[],[]]}]})",
        R"({"inputs":[{"name":"x","shape":[2,0],"datatype":"FP16"}]})"}) {
    const auto decoded = decode(body);
    ASSERT_TRUE(decoded.ok()) << body << decoded.status();
    EXPECT_EQ(decoded->request.inputs[0].buffer.size(), 0u);
  }
  EXPECT_THAT(decoded_values<float>("FP32", "[]", "[3]"), ElementsAre(3.0f));
}

TEST(InferRequest, IdAndParameters) {
  const auto decoded = decode(
      R"({"id":"é 7","parameters":{"s":"t","b":true,"i":-3,"u":18446744073709551615,"d":0.5,
          "timeout":5},"inputs":[]})");
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const tensor::Request& request = decoded->request;
  EXPECT_EQ(request.model_name, "m");
  EXPECT_EQ(request.id, "é 7");
  EXPECT_EQ(request.parameters.at("s"), tensor::Parameter(std::string("t")));
  EXPECT_EQ(request.parameters.at("b"), tensor::Parameter(true));
  EXPECT_EQ(request.parameters.at("i"), tensor::Parameter(int64_t{-3}));
  EXPECT_EQ(request.parameters.at("u"), tensor::Parameter(UINT64_MAX));
  EXPECT_EQ(request.parameters.at("d"), tensor::Parameter(0.5));
}

TEST(InferRequest, FormOfOutputs) {
  const auto decoded = decode(
      R"({"parameters":{"binary_data_output":true},"inputs":[],
          "outputs":[{"name":"a"},{"name":"b","parameters":{"binary_data":true}}]})");
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ASSERT_EQ(decoded->request.outputs.size(), 2u);
  EXPECT_EQ(decoded->request.outputs[0].name, "a");
  EXPECT_EQ(decoded->request.outputs[1].name, "b");
  EXPECT_EQ(decoded->output_form.of("a"),
            OutputForm::Form::kJson);  // listed: the default does not count
  EXPECT_EQ(decoded->output_form.of("b"), OutputForm::Form::kBinary);
  EXPECT_EQ(decoded->output_form.of("c"), OutputForm::Form::kBinary);
  EXPECT_TRUE(decoded->request.parameters.empty());
}

TEST(InferRequest, BinaryTensorsAreNotCopied) {
  std::string json =
      R"({"inputs":[{"name":"x","shape":[4],"datatype":"FP32","parameters":{"binary_data_size":16}},
          {"name":"j","shape":[1],"datatype":"INT8","data":[5]},
          {"name":"y","shape":[3],"datatype":"BOOL","parameters":{"binary_data_size":3}},
          {"name":"z","shape":[1],"datatype":"INT64","parameters":{"binary_data_size":8}}]})";
  const float x[] = {1, 2, 3, 4};
  const int64_t z = -5;
  std::string text = json;
  text.append(reinterpret_cast<const char*>(x), sizeof(x));
  text.append("\1\0\1", 3);
  text.append(reinterpret_cast<const char*>(&z), sizeof(z));
  Buffer body = Buffer::allocate_aligned_at(text.size(), json.size());
  std::memcpy(body.data(), text.data(), text.size());
  const std::string length = std::to_string(json.size());
  const auto decoded = decode_infer_request(body, &length, "m", {});
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const auto& inputs = decoded->request.inputs;
  ASSERT_EQ(inputs.size(), 4u);
  EXPECT_EQ(inputs[0].buffer.data(), body.data() + json.size());
  EXPECT_THAT(values<float>(inputs[0]), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(inputs[2].buffer.data(), body.data() + json.size() + 16);
  EXPECT_THAT(values<uint8_t>(inputs[2]), ElementsAre(1, 0, 1));
  // 19 bytes on, an INT64 would not be aligned.
  EXPECT_EQ(reinterpret_cast<uintptr_t>(inputs[3].buffer.data()) % 8, 0u);
  EXPECT_THAT(values<int64_t>(inputs[3]), ElementsAre(-5));
}

std::vector<tensor::TensorInfo> signature(DataType type, Shape shape) {
  tensor::TensorInfo info;
  info.name = "only";
  info.data_type = type;
  info.shape = std::move(shape);
  return {info};
}

TEST(InferRequest, RawBinary) {
  const std::string bytes(24, 'x');
  const auto decoded = decode(bytes, "0", signature(DataType::kFp32, {-1, 3}));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->request.inputs.at(0).name, "only");
  EXPECT_EQ(decoded->request.inputs[0].shape, (Shape{2, 3}));
  EXPECT_EQ(decoded->request.inputs[0].buffer.view(), bytes);
  EXPECT_EQ(decoded->output_form.of("any"), OutputForm::Form::kBinary);

  const auto text = decode("hello", "0", signature(DataType::kBytes, {-1, 1}));
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(text->request.inputs[0].shape, (Shape{1, 1}));
  EXPECT_EQ(text->request.inputs[0].buffer.view(), std::string_view("\5\0\0\0hello", 9));

  EXPECT_THAT(error_of(bytes, "0", signature(DataType::kFp32, {-1, -1})),
              HasSubstr("open dimension"));
  EXPECT_THAT(
      error_of(bytes + "x", "0", signature(DataType::kFp32, {-1, 3})),
      HasSubstr("input byte size mismatch for input 'only' for model 'm'. Expected 24, got 25"));
  EXPECT_THAT(error_of(bytes, "0", signature(DataType::kFp32, {3})),
              HasSubstr("Expected 12, got 24"));
  EXPECT_THAT(error_of(bytes, "0", signature(DataType::kBool, {-1})), HasSubstr("BOOL"));
  EXPECT_THAT(error_of(bytes, "0"), HasSubstr("one input"));
}

struct Refused {
  std::string body;
  const char* message;
};

TEST(InferRequest, RefusedJson) {
  const std::vector<Refused> cases = {
      {"", "no body"},
      {"{", "expected"},
      {"[]", "expected an object at byte 0"},
      {"{}", "'inputs' is missing"},
      {"{\"inputs\":[]} x", "unexpected text after the request"},
      {"{\"inputs\":[],}", "expected a key"},
      {"{\"inputs\":5}", "'inputs' must be an array"},
      {"{\"inputs\":[5]}", "input 0 must be an object"},
      {"{\"inputs\":[{}]}", "input 0 has no 'name'"},
      {"{\"inputs\":[{\"name\":\"x\"}]}", "input 'x' has no 'datatype'"},
      {"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\"}]}", "input 'x' has no 'shape'"},
      {"{\"inputs\":[],\"inputs\":[]}", "'inputs' twice"},
      {"\xff\xfe", "UTF-8"},
      {"{\"id\":\"\xc3\x28\",\"inputs\":[]}", "UTF-8"},
      {"{\"id\":5,\"inputs\":[]}", "'id' must be a string"},
      {"{\"id\":\"a\nb\",\"inputs\":[]}", "control character"},
      {"{\"id\":\"\\ud800\",\"inputs\":[]}", "surrogate"},
      {"{\"id\":\"\\x\",\"inputs\":[]}", "escape"},
      {"{\"parameters\":{\"triton_a\":1},\"inputs\":[]}", "'triton_a' is reserved"},
      {"{\"parameters\":{\"a\":{}},\"inputs\":[]}", "'a'"},
      {"{\"parameters\":{\"a\":1,\"a\":2},\"inputs\":[]}", "twice"},
      {"{\"parameters\":{\"a\":1e999},\"inputs\":[]}", "out of range"},
      {"{\"parameters\":{\"binary_data_output\":1},\"inputs\":[]}", "boolean"},
      {"{\"outputs\":[{}],\"inputs\":[]}", "output 0 has no 'name'"},
      {"{\"outputs\":[{\"name\":\"o\"},{\"name\":\"o\"}],\"inputs\":[]}", "'o' is asked for twice"},
      {R"({"inputs":[],"outputs":[{"name":"o","name":"o"}]})", "'name' twice"},
      {R"({"inputs":[],"outputs":[{"name":5}]})", "expected a string"},
      {R"({"inputs":[],"outputs":[5]})", "output 0 must be an object"},
      {R"({"inputs":[],"outputs":[{"name":"o","parameters":{"binary_data":1}}]})",
       "'binary_data' of output 'o' must be a boolean"},
      {R"({"inputs":[],"outputs":[{"name":"o","parameters":{"classification":4294967296}}]})",
       "'classification' of output 'o' is beyond 2^32-1"},
      {R"({"inputs":[],"outputs":[{"name":"o","parameters":{"classification":"3"}}]})",
       "'classification' of output 'o' must be a whole number"},
      {std::string(100'000, '['), "expected an object"},
      {"{\"a\":" + std::string(100'000, '[') + "}", "nesting"},
      {"{\"a\":[1,]}", "expected a number"},
      {"{\"a\":tru}", "expected a value"},
      {input("FP33", "[1]", "[1]"), "input 'x' has the unknown datatype 'FP33'"},
      {input("FP16", "[1]", "[1]"), "input 'x': datatype FP16 has no JSON form"},
      {input("BF16", "[1]", "[1]"), "BF16"},
      {input("FP32", "[-1]", "[1]"), "input 'x': shape has the dimension -1"},
      {input("FP32", "[1.0]", "[1]"), "dimension 1.0"},
      {input("FP32", "[9223372036854775808]", "[1]"), "dimension 9223372036854775808"},
      {input("FP32", "[4611686018427387904,4]", "[1]"), "input 'x': shape"},
      {input("FP32", "[4611686018427387904]", "[1]"), "but 'data' has fewer"},
      {input("FP32", "5", "[1]"), "expected an array"},
      {input("FP32", "[2]", "[1]"), "the shape has 2 elements, but 'data' has 1"},
      {input("FP32", "[1]", "[1,2,3]"), "the shape has 1 elements, but 'data' has 3"},
      {input("BYTES", "[1]", "[\"a\",\"b\"]"), "but 'data' has 2"},
      {input("FP32", "[1]", "5"), "'data' must be an array"},
      {input("FP32", "[1]", "[null]"), "input 'x': expected a number"},
      {input("FP32", "[1]", "[NaN]"), "expected a number"},
      {input("FP32", "[1]", "[01]"), "start with 0"},
      {input("FP32", "[1]", "[.5]"), "expected a number"},
      {input("FP32", "[1]", "[1.]"), "decimal point"},
      {input("FP32", "[1]", "[1e]"), "exponent"},
      {input("FP32", "[1]", "[+1]"), "expected a number"},
      {input("FP32", "[1]", "[1,]"), "expected a value after ','"},
      {input("FP32", "[2]", "[1 2]"), "expected ',' or ']'"},
      {input("FP32", "[1]", "[\"1\"]"), "expected a number"},
      {input("FP32", "[1]", "[1e39]"), "1e39 is out of the range of FP32"},
      {input("FP64", "[1]", "[1e309]"), "out of the range of FP64"},
      {input("INT8", "[1]", "[128]"), "128 is out of the range of INT8"},
      {input("UINT8", "[1]", "[-1]"), "-1 is out of the range of UINT8"},
      {input("UINT64", "[1]", "[18446744073709551616]"), "out of the range"},
      {input("INT32", "[1]", "[1.5]"), "not a whole number"},
      {input("BOOL", "[1]", "[2]"), "BOOL"},
      {input("BYTES", "[1]", "[1]"), "expected a string"},
      {input("INT8", "[1]", std::string(101, '[') + "1" + std::string(101, ']')), "nesting"},
      {R"({"inputs":[{"name":"x","datatype":"INT8","shape":[1]}]})", "only one of the following"},
      {R"({"inputs":[{"name":"x","datatype":"INT8","shape":[1],"data":[1],
          "parameters":{"binary_data_size":1}}]})",
       "only one of the following"},
      {R"({"inputs":[{"name":"x","datatype":"INT8","shape":[1],
          "parameters":{"shared_memory_region":"r"}}]})",
       "'shared_memory_byte_size' is missing"},
      {R"({"inputs":[{"name":"x","datatype":"INT8","shape":[1],"data":[1]},
          {"name":"x","datatype":"INT8","shape":[1],"data":[1]}]})",
       "'x' is given twice"},
      {R"({"inputs":[{"data":[1],"name":"x","datatype":"INT8","shape":[2]}]})",
       "the shape has 2 elements, but 'data' has 1"},
  };
  for (const Refused& refused : cases) {
    EXPECT_THAT(error_of(refused.body), HasSubstr(refused.message)) << refused.body.substr(0, 200);
  }
}

TEST(InferRequest, Classification) {
  const auto decoded = decode(
      R"({"inputs":[],"outputs":[{"name":"o","parameters":{"classification":3,"binary_data":true}},
          {"name":"p","parameters":{"classification":0}}]})");
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->request.outputs.at(0).classification, 3u);
  EXPECT_EQ(decoded->output_form.of("o"), OutputForm::Form::kBinary);
  EXPECT_EQ(decoded->request.outputs.at(1).classification, 0u);
}

// A region "r" of 64 bytes.
class InferRequestInSharedMemory : public testing::Test {
 protected:
  base::Result<DecodedRequest> decode_here(std::string_view body) {
    const auto find = [&](std::string_view region, uint64_t offset,
                          uint64_t size) -> base::Result<Buffer> {
      if (region != "r" || offset > 64 || size > 64 - offset) {
        return absl::InvalidArgumentError(base::str_cat("no region ", region));
      }
      return region_.slice(offset, size);
    };
    return decode_infer_request(Buffer::copy_of(body), nullptr, "m", {}, find);
  }
  std::string refusal(std::string_view body) {
    return std::string(base::message(decode_here(body).status()));
  }
  static std::string placed(std::string_view datatype, std::string_view place) {
    return base::str_cat(R"({"inputs":[{"name":"x","shape":[2],"datatype":")", datatype,
                         R"(","parameters":{)", place, "}}]}");
  }

  Buffer region_ = Buffer::allocate(64);
};

TEST_F(InferRequestInSharedMemory, InputsAreHandedOnAsTheyLie) {
  for (const char* type : {"FP32", "BOOL", "BYTES"}) {
    const auto decoded = decode_here(placed(
        type,
        R"("shared_memory_region":"r","shared_memory_offset":3,"shared_memory_byte_size":8)"));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->request.inputs[0].buffer.data(), region_.data() + 3);
    EXPECT_EQ(decoded->request.inputs[0].buffer.size(), 8u);
  }
}

TEST_F(InferRequestInSharedMemory, Outputs) {
  const auto decoded = decode_here(
      R"({"inputs":[],"outputs":[{"name":"o","parameters":
          {"shared_memory_region":"r","shared_memory_byte_size":64,"binary_data":false}}]})");
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->request.outputs[0].destination.data(), region_.data());
  EXPECT_EQ(decoded->request.outputs[0].destination.size(), 64u);
  EXPECT_EQ(decoded->output_form.of("o"), OutputForm::Form::kSharedMemory);
}

TEST_F(InferRequestInSharedMemory, Refused) {
  const std::string place = R"("shared_memory_region":"r","shared_memory_byte_size":8)";
  EXPECT_THAT(refusal(placed("FP32", R"("shared_memory_byte_size":8)")),
              HasSubstr("only one of the following"));
  EXPECT_THAT(refusal(placed("FP32", place + R"(,"binary_data_size":8)")),
              HasSubstr("only one of the following"));
  EXPECT_THAT(refusal(placed("FP32", R"("binary_data_size":8,"shared_memory_offset":8)")),
              HasSubstr("need a 'shared_memory_region'"));
  EXPECT_THAT(refusal(placed("FP32", place + R"(,"shared_memory_offset":-1)")),
              HasSubstr("whole number of bytes"));
  EXPECT_THAT(refusal(placed("FP32", place + R"(,"shared_memory_offset":18446744073709551615)")),
              HasSubstr("no region r"));
  EXPECT_THAT(refusal(placed("FP32", R"("shared_memory_region":"q","shared_memory_byte_size":8)")),
              HasSubstr("input 'x': no region q"));
  EXPECT_THAT(refusal(placed("FP32", R"("shared_memory_region":7,"shared_memory_byte_size":8)")),
              HasSubstr("name of a region"));
  for (const char* other : {R"("classification":2)", R"("binary_data":true)"}) {
    EXPECT_THAT(refusal(base::str_cat(R"({"inputs":[],"outputs":[{"name":"o","parameters":{)",
                                      place, ",", other, "}}]}")),
                HasSubstr("exclude each other"));
  }
}

std::string binary(std::string_view datatype, std::string_view shape, std::string_view size) {
  return base::str_cat(R"({"inputs":[{"name":"x","datatype":")", datatype, R"(","shape":)", shape,
                       R"(,"parameters":{"binary_data_size":)", size, "}}]}");
}

std::string binary_error(const std::string& json, std::string_view data) {
  return error_of(json + std::string(data), std::to_string(json.size()).c_str());
}

TEST(InferRequest, RefusedBinary) {
  EXPECT_THAT(
      binary_error(binary("FP32", "[2,3]", "16"), std::string(16, 'x')),
      HasSubstr("input byte size mismatch for input 'x' for model 'm'. Expected 24, got 16"));
  EXPECT_THAT(binary_error(binary("FP32", "[4]", "16"), std::string(20, 'x')),
              HasSubstr("unexpected additional input data for model 'm'"));
  EXPECT_THAT(binary_error(binary("FP32", "[4]", "16"), std::string(9, 'x')),
              HasSubstr("only 9 bytes are left"));
  EXPECT_THAT(binary_error(binary("FP32", "[4]", "-1"), ""), HasSubstr("binary_data_size"));
  EXPECT_THAT(binary_error(binary("FP32", "[4]", "1.5"), ""), HasSubstr("binary_data_size"));
  EXPECT_THAT(binary_error(binary("FP32", "[4]", "18446744073709551615"), ""),
              HasSubstr("binary_data_size"));
  EXPECT_THAT(binary_error(binary("FP32", "[4]", "9223372036854775807"), "x"),
              HasSubstr("only 1 bytes are left"));
  EXPECT_THAT(binary_error(binary("BOOL", "[1]", "1"), "\x02"), HasSubstr("BOOL"));
  // The same without the header: the binary part is taken for JSON.
  EXPECT_THAT(error_of(binary("FP32", "[4]", "16")), HasSubstr("Inference-Header-Content-Length"));

  const std::string good = binary("INT8", "[1]", "1") + "x";
  EXPECT_THAT(error_of(good, "1000"), HasSubstr("the body has"));
  EXPECT_THAT(error_of(good, "-1"), HasSubstr("'-1' is not a number"));
  EXPECT_THAT(error_of(good, "x"), HasSubstr("'x' is not a number"));
  EXPECT_THAT(error_of(good, ""), HasSubstr("is not a number"));
  EXPECT_THAT(error_of(good, "99999999999999999999"), HasSubstr("is not a number"));
  EXPECT_FALSE(error_of(good, std::to_string(good.size() - 4).c_str()).empty());
}

// A JSON that comes again is not read again, and means what it meant.
class KnownRequestTest : public testing::Test {
 protected:
  base::Result<DecodedRequest> decode(const std::string& json, std::string_view binary) {
    const std::string header = std::to_string(json.size());
    return decode_infer_request(Buffer::copy_of(json + std::string(binary)), &header, "m", {}, {},
                                &known_);
  }
  bool knows(const std::string& json, std::string_view binary) {
    return known_.recall(Buffer::copy_of(json + std::string(binary)), json.size()).has_value();
  }

  const std::string json_ =
      R"({"id":"7","parameters":{"a":1,"binary_data_output":true},"inputs":[)"
      R"({"name":"x","datatype":"UINT8","shape":[2],"parameters":{"binary_data_size":2}},)"
      R"({"name":"y","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}}],)"
      R"("outputs":[{"name":"z","parameters":{"classification":3}}]})";
  KnownRequest known_;
};

TEST_F(KnownRequestTest, SameTextOtherTensors) {
  for (const std::string_view binary : {"ab1234", "cd5678", "ef9012", "gh3456"}) {
    const auto decoded = decode(json_, binary);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    const tensor::Request& request = decoded->request;
    EXPECT_EQ(request.model_name, "m");
    EXPECT_EQ(request.id, "7");
    EXPECT_EQ(request.parameters.at("a"), tensor::Parameter(int64_t{1}));
    ASSERT_EQ(request.inputs.size(), 2u);
    EXPECT_EQ(request.inputs[0].buffer.view(), binary.substr(0, 2));
    EXPECT_EQ(request.inputs[1].buffer.view(), binary.substr(2));
    EXPECT_EQ(request.inputs[1].name, "y");
    EXPECT_EQ(request.inputs[1].shape, Shape({1}));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(request.inputs[1].buffer.data()) % 4, 0u);
    ASSERT_EQ(request.outputs.size(), 1u);
    EXPECT_EQ(request.outputs[0].classification, 3u);
    EXPECT_TRUE(decoded->output_form.binary_by_default);
  }
  EXPECT_TRUE(knows(json_, "ab1234"));
}

TEST_F(KnownRequestTest, AnotherSizeOrTextIsReadAnew) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(decode(json_, "ab1234").ok());
  EXPECT_FALSE(knows(json_, "ab12345"));
  EXPECT_THAT(std::string(base::message(decode(json_, "ab12345").status())),
              HasSubstr("1 bytes after the last tensor"));
  EXPECT_FALSE(decode(json_, "ab123").ok());
  std::string other = json_;
  other[7] = '8';
  EXPECT_FALSE(knows(other, "ab1234"));
  EXPECT_EQ(decode(other, "ab1234")->request.id, "8");
  EXPECT_EQ(decode(json_, "ab1234")->request.id, "7");
}

TEST_F(KnownRequestTest, NothingIsKeptOfTensorsInTheJsonOrInSharedMemory) {
  const std::string in_json =
      R"({"inputs":[{"name":"x","datatype":"UINT8","shape":[1],"data":[1]}]})";
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(decode(in_json, "").ok());
  EXPECT_FALSE(knows(in_json, ""));
  const auto region = [](std::string_view, uint64_t, uint64_t size) {
    return base::Result<Buffer>(Buffer::allocate(size));
  };
  const std::string placed =
      R"({"inputs":[{"name":"x","datatype":"UINT8","shape":[1],"parameters":{)"
      R"("binary_data_size":1}}],"outputs":[{"name":"y","parameters":{)"
      R"("shared_memory_region":"r","shared_memory_byte_size":1}}]})";
  const std::string header = std::to_string(placed.size());
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(
        decode_infer_request(Buffer::copy_of(placed + "a"), &header, "m", {}, region, &known_)
            .ok());
  }
  EXPECT_FALSE(knows(placed, "a"));
}

}  // namespace
}  // namespace supernova::protocol::oip
