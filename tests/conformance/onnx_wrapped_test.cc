// Inputs and outputs that are no tensors: sequences, optional values and maps, carried by BYTES
// tensors of whole tensor files (docs/adr/0004).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "conformance/engines.h"
#include "support/onnx_models.h"
#include "tensor/json_tensor.h"
#include "tensor/npy.h"

namespace supernova::conformance {
namespace {

using tensor::DataType;
using tensor::Shape;
using tensor::Tensor;
using test::Graph;
using test::OnnxType;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class OnnxWrapped : public testing::TestWithParam<EngineCase> {
 protected:
  Opened opened(const std::string& model) {
    auto opened = open(GetParam(), onnx_artefact(model));
    if (!opened.ok()) throw std::runtime_error(opened.status().ToString());
    return *std::move(opened);
  }
};

INSTANTIATE_TEST_SUITE_P(Engines, OnnxWrapped, testing::ValuesIn(onnx_engines()),
                         testing::PrintToStringParamName());

std::string npy(const Tensor& tensor) {
  auto content = tensor::format_npy(tensor);
  if (!content.ok()) throw std::runtime_error(content.status().ToString());
  return *std::move(content);
}
std::string npy(const Shape& shape, const std::vector<float>& values) {
  return npy(floats("", shape, values));
}
// A .npy file of any header, for what no writer writes.
std::string npy_file(std::string header, const std::string& data = "") {
  header += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(header.size() & 0xFFU);
  out += static_cast<char>(header.size() >> 8U);
  return out + header + data;
}
std::string npy_of_shape(const std::string& shape, const std::string& data = "") {
  return npy_file("{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + "}", data);
}

test::ValueType any_floats() { return test::tensor_type_without_rank(OnnxType::kFloat); }

TEST_P(OnnxWrapped, AreBytesWithADimensionForEachWrapper) {
  const auto signature_of = [&](const test::ValueType& type) {
    const Opened it = opened(test::identity_model(type));
    const tensor::TensorInfo in = it.session->signature().inputs[0];
    const tensor::TensorInfo out = it.session->signature().outputs[0];
    EXPECT_EQ(in.data_type, DataType::kBytes);
    EXPECT_EQ(out.data_type, DataType::kBytes);
    EXPECT_TRUE(in.rank_known);
    EXPECT_EQ(in.shape, out.shape);
    EXPECT_FALSE(out.optional);
    return std::pair(in.shape, in.optional);
  };
  EXPECT_EQ(signature_of(test::sequence_type(any_floats())), std::pair(Shape({-1}), false));
  EXPECT_EQ(signature_of(test::optional_type(any_floats())), std::pair(Shape({-1}), true));
  EXPECT_EQ(signature_of(test::optional_type(test::sequence_type(any_floats()))),
            std::pair(Shape({-1, -1}), true));
}

// BF16 is left out: the runtime has no operator that takes a sequence of it.
constexpr DataType kTypes[] = {DataType::kBool,   DataType::kUint8,  DataType::kUint16,
                               DataType::kUint32, DataType::kUint64, DataType::kInt8,
                               DataType::kInt16,  DataType::kInt32,  DataType::kInt64,
                               DataType::kFp16,   DataType::kFp32,   DataType::kFp64};

TEST_P(OnnxWrapped, SequencesKeepEveryTensorOfEveryDatatype) {
  for (const DataType type : kTypes) {
    SCOPED_TRACE(std::string(tensor::data_type_name(type)));
    const Opened it = opened(test::identity_model(
        test::sequence_type(test::tensor_type_without_rank(test::onnx_type(type)))));
    std::vector<std::string> elements;
    for (const Shape& shape : {Shape{2, 3}, Shape{}, Shape{0, 4}, Shape{1}}) {
      Tensor tensor;
      tensor.data_type = type;
      tensor.shape = shape;
      const auto size = tensor::byte_size(type, shape);
      ASSERT_TRUE(size.ok());
      std::string bytes(*size, '\0');
      for (size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<char>(type == DataType::kBool ? i % 2 : 37 * i + 200);
      }
      tensor.buffer = tensor::Buffer::copy_of(bytes);
      elements.push_back(npy(tensor));
    }
    for (const size_t length : {size_t{4}, size_t{1}, size_t{0}}) {
      elements.resize(length);
      const auto response =
          run(*it.session, {texts("x", {static_cast<int64_t>(length)}, elements)});
      ASSERT_TRUE(response.ok()) << response.status();
      EXPECT_EQ(response->outputs[0].data_type, DataType::kBytes);
      EXPECT_EQ(response->outputs[0].shape, Shape({static_cast<int64_t>(length)}));
      EXPECT_EQ(texts_of(response->outputs[0]), elements);
    }
  }
}

TEST_P(OnnxWrapped, SequencesOfStringsAreJson) {
  const Opened it = opened(
      test::identity_model(test::sequence_type(test::tensor_type_without_rank(OnnxType::kString))));
  const std::string json = "{\"shape\":[2],\"data\":[\"\u00fc\",{\"b64\":\"/wA=\"}]}\n";
  const std::string unicode = npy_file("{'descr': '<U2', 'fortran_order': False, 'shape': (1,)}",
                                       std::string("a\0\0\0b\0\0\0", 8));
  const auto response = run(*it.session, {texts("x", {3}, {json, unicode, json})});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(texts_of(response->outputs[0]),
              ElementsAre(json, "{\"shape\":[1],\"data\":[\"ab\"]}\n", json));
  const auto none = run(*it.session, {texts("x", {0}, {})});
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_THAT(texts_of(none->outputs[0]), IsEmpty());
}

TEST_P(OnnxWrapped, NumbersMayComeAsJson) {
  Graph graph;
  graph.input("x", test::sequence_type(any_floats()))
      .output("y", any_floats())
      .node("ConcatFromSequence", {"x"}, {"y"}, {test::attribute_int("axis", 0)});
  const Opened it = opened(test::onnx_model(graph));
  const auto response =
      run(*it.session, {texts("x", {2}, {" {\"data\":[1,2.5],\"shape\":[2]}", npy({1}, {4})})});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(values_of<float>(response->outputs[0]), ElementsAre(1, 2.5F, 4));
}

TEST_P(OnnxWrapped, AnOptionalTensorIsOneOrNone) {
  const Opened it = opened(test::identity_model(test::optional_type(any_floats())));
  const std::string value = npy({2}, {1, 2});
  auto response = run(*it.session, {texts("x", {1}, {value})});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->outputs[0].shape, Shape({1}));
  EXPECT_THAT(texts_of(response->outputs[0]), ElementsAre(value));
  for (const std::vector<Tensor>& none :
       {std::vector<Tensor>{texts("x", {0}, {})}, std::vector<Tensor>{}}) {
    response = run(*it.session, none);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->outputs[0].shape, Shape({0}));
  }
  EXPECT_EQ(run(*it.session, {texts("x", {2}, {value, value})}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_P(OnnxWrapped, AnOptionalSequenceTellsNoneFromEmpty) {
  const Opened it =
      opened(test::identity_model(test::optional_type(test::sequence_type(any_floats()))));
  const std::string value = npy({}, {7});
  const auto shape_of = [&](const Shape& shape, const std::vector<std::string>& elements) {
    const auto response = run(*it.session, {texts("x", shape, elements)});
    if (!response.ok()) throw std::runtime_error(response.status().ToString());
    EXPECT_EQ(texts_of(response->outputs[0]), elements);
    return response->outputs[0].shape;
  };
  EXPECT_EQ(shape_of({0, 0}, {}), Shape({0, 0}));
  EXPECT_EQ(shape_of({1, 0}, {}), Shape({1, 0}));
  EXPECT_EQ(shape_of({1, 2}, {value, value}), Shape({1, 2}));
  const auto two = run(*it.session, {texts("x", {2, 1}, {value, value})});
  EXPECT_EQ(two.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(two.status().message()), HasSubstr("[1,n] or, for none, [0,0]"));
}

TEST_P(OnnxWrapped, OperatorsSeeWhetherAnOptionalIsThere) {
  Graph graph;
  graph.input("x", test::optional_type(any_floats()))
      .output("y", OnnxType::kBool, {})
      .node("OptionalHasElement", {"x"}, {"y"});
  const Opened it = opened(test::onnx_model(graph, {{"", 18}}));
  const auto there = run(*it.session, {texts("x", {1}, {npy({}, {1})})});
  ASSERT_TRUE(there.ok()) << there.status();
  EXPECT_THAT(values_of<uint8_t>(there->outputs[0]), ElementsAre(1));
  const auto none = run(*it.session, {texts("x", {0}, {})});
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_THAT(values_of<uint8_t>(none->outputs[0]), ElementsAre(0));
  Graph get;
  get.input("x", test::optional_type(any_floats()))
      .output("y", any_floats())
      .node("OptionalGetElement", {"x"}, {"y"});
  const Opened without = opened(test::onnx_model(get, {{"", 18}}));
  EXPECT_FALSE(run(*without.session, {texts("x", {0}, {})}).ok());
}

// Maps of ONNX-ML.

std::string dictionary_model() {
  Graph graph;
  graph.input("x", test::map_type(OnnxType::kString, test::tensor_type(OnnxType::kFloat, {})))
      .output("y", OnnxType::kFloat, {1, "n"})
      .node("DictVectorizer", {"x"}, {"y"},
            {test::attribute_strings("string_vocabulary", {"a", "b", "c"})}, "ai.onnx.ml");
  return test::onnx_model(graph, {{"", 17}, {"ai.onnx.ml", 1}});
}

TEST_P(OnnxWrapped, AMapIsItsKeysAndItsValues) {
  const Opened it = opened(dictionary_model());
  EXPECT_EQ(it.session->signature().inputs[0].shape, Shape({2}));
  const auto row = [&](const std::string& keys, const std::string& values) {
    return run(*it.session, {texts("x", {2}, {keys, values})});
  };
  auto response = row("{\"shape\":[2],\"data\":[\"c\",\"a\"]}", npy({2}, {3, 1}));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(values_of<float>(response->outputs[0]), ElementsAre(1, 0, 3));
  response = row("{\"shape\":[0],\"data\":[]}", npy({0}, {}));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(values_of<float>(response->outputs[0]), ElementsAre(0, 0, 0));
  const auto refused = [&](const std::string& keys, const std::string& values) {
    const base::Status status = row(keys, values).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  };
  const std::string keys = "{\"shape\":[2],\"data\":[\"c\",\"a\"]}";
  EXPECT_THAT(refused(keys, npy({1}, {3})), HasSubstr("2 keys and 1 values"));
  EXPECT_THAT(refused(keys, npy({1, 2}, {3, 4})), HasSubstr("element 1 has shape [1,2]"));
  EXPECT_THAT(refused(npy({2}, {1, 2}), npy({2}, {3, 4})), HasSubstr("element 0 is a tensor"));
  EXPECT_THAT(refused("{\"shape\":[2],\"data\":[\"a\",\"a\"]}", npy({2}, {3, 4})),
              HasSubstr("a key is there twice"));
}

TEST_P(OnnxWrapped, ASequenceOfMapsIsARowForEach) {
  const auto maps = test::sequence_type(
      test::map_type(OnnxType::kInt64, test::tensor_type(OnnxType::kFloat, {})));
  Graph graph;
  graph.input("x", OnnxType::kFloat, {"n", 2})
      .output("y", maps)
      .node("ZipMap", {"x"}, {"y"}, {test::attribute_ints("classlabels_int64s", {30, 10})},
            "ai.onnx.ml");
  const Opened it = opened(test::onnx_model(graph, {{"", 17}, {"ai.onnx.ml", 1}}));
  EXPECT_EQ(it.session->signature().outputs[0].shape, Shape({-1, 2}));
  auto response = run(*it.session, {floats("x", {2, 2}, {1, 2, 3, 4})});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->outputs[0].shape, Shape({2, 2}));
  const std::string keys = npy(tensor_of<int64_t>("", DataType::kInt64, {2}, {10, 30}));
  EXPECT_THAT(texts_of(response->outputs[0]),
              ElementsAre(keys, npy({2}, {2, 1}), keys, npy({2}, {4, 3})));
  response = run(*it.session, {floats("x", {0, 2}, {})});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->outputs[0].shape, Shape({0, 2}));
}

// Hostile elements.

struct Hostile {
  std::string content;
  std::string reason;
};

std::vector<Hostile> hostile_elements() {
  const std::string deep(5000, '[');
  return {
      {"", "is empty"},
      {"hello", "is no tensor"},
      {std::string(6, '\0'), "is no tensor"},
      {std::string("\x93NUMPY", 6), "not a .npy file"},
      {npy({2}, {1, 2}) + "x", "does not fit"},
      {npy_of_shape("(4611686018427387904,)"), "does not fit"},
      {npy_of_shape("(4611686018427387904, 4611686018427387904)"), "more elements than"},
      {npy_of_shape("(0, 4611686018427387904, 4611686018427387904)"), "more elements than"},
      {npy_of_shape("(-1,)"), "damaged"},
      {npy_of_shape("(99999999999999999999,)"), "can be counted to"},
      {npy_file("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "12345678"),
       "Python objects"},
      {npy_file("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", "12345678"),
       "no counterpart"},
      {npy_file("{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,)}"),
       "empty strings"},
      {npy(tensor_of<int64_t>("", DataType::kInt64, {1}, {1})), "is a tensor of INT64"},
      {npy(tensor_of<uint16_t>("", DataType::kUint16, {1}, {1})), "is a tensor of UINT16"},
      {"{\"shape\":[1],\"data\":[\"text\"]}", "a number is expected"},
      {"{\"shape\":[3],\"data\":[1]}", "needs 3 elements"},
      {"{\"shape\":[9223372036854775807,9223372036854775807],\"data\":[1]}", "more elements than"},
      {"{\"shape\":[1],\"data\":" + deep, "not valid JSON"},
      {"{", "not valid JSON"},
      {"{}", "'shape' is missing"},
  };
}

TEST_P(OnnxWrapped, HostileElementsAreNamed) {
  const Opened it = opened(test::identity_model(test::sequence_type(any_floats())));
  for (const Hostile& hostile : hostile_elements()) {
    SCOPED_TRACE(hostile.reason);
    const auto response = run(*it.session, {texts("x", {2}, {npy({}, {1}), hostile.content})});
    EXPECT_EQ(response.status().code(), absl::StatusCode::kInvalidArgument) << response.status();
    EXPECT_THAT(std::string(response.status().message()), HasSubstr("input 'x': element 1"));
    EXPECT_THAT(std::string(response.status().message()), HasSubstr(hostile.reason));
  }
}

TEST_P(OnnxWrapped, SurvivesAnyTruncationAndBitFlip) {
  Graph graph;
  graph.input("x", test::sequence_type(any_floats()))
      .output("y", any_floats())
      .node("ConcatFromSequence", {"x"}, {"y"}, {test::attribute_int("axis", 0)});
  const Opened it = opened(test::onnx_model(graph));
  const std::string good = npy({2, 2}, {1, 2, 3, 4});
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(run(*it.session, {texts("x", {1}, {good.substr(0, length)})}).ok()) << length;
  }
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string flipped = good;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const auto response = run(*it.session, {texts("x", {2}, {flipped, good})});
    EXPECT_TRUE(response.ok() || !response.status().message().empty()) << bit;
  }
  // Sizes that multiply to nothing.
  for (const char* shape : {"(0, 4611686018427387904)", "(4611686018427387904, 0)", "(0, 0, 0, 0)",
                            "(9223372036854775807, 0, 1)"}) {
    const auto response = run(*it.session, {texts("x", {1}, {npy_of_shape(shape)})});
    EXPECT_TRUE(response.ok() || !response.status().message().empty()) << shape;
  }
}

TEST_P(OnnxWrapped, ChecksTheShapeThatTheModelDeclares) {
  const Opened it = opened(
      test::identity_model(test::sequence_type(test::tensor_type(OnnxType::kFloat, {2, "n"}))));
  EXPECT_TRUE(run(*it.session, {texts("x", {1}, {npy({2, 1}, {1, 2})})}).ok());
  const auto wrong = run(*it.session, {texts("x", {1}, {npy({1, 2}, {1, 2})})});
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(wrong.status().message()),
              HasSubstr("input 'x': element 0 has shape [1,2], but the model takes [2,-1]"));
  for (const Shape& shape : {Shape{}, Shape{1, 1}}) {
    const auto rank = run(*it.session, {texts("x", shape, {npy({2, 1}, {1, 2})})});
    EXPECT_EQ(rank.status().code(), absl::StatusCode::kInvalidArgument) << rank.status();
  }
}

// A graph's input that is its output as well, beside something to compute.
std::string passthrough_model(const test::ValueType& type) {
  Graph graph;
  graph.input("x", type)
      .input("n", OnnxType::kFloat, {1})
      .output("x", type)
      .output("m", OnnxType::kFloat, {1})
      .node("Neg", {"n"}, {"m"});
  return test::onnx_model(graph, {{"", 18}});
}

TEST_P(OnnxWrapped, ValuesMayPassThrough) {
  const Tensor n = floats("n", {1}, {1});
  const std::string keys = "{\"shape\":[1],\"data\":[\"a\"]}\n";
  const Opened map = opened(passthrough_model(
      test::map_type(OnnxType::kString, test::tensor_type(OnnxType::kFloat, {}))));
  auto response = run(*map.session, {n, texts("x", {2}, {keys, npy({1}, {5})})});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(texts_of(response->outputs[0]), ElementsAre(keys, npy({1}, {5})));

  const Opened bf16 = opened(
      passthrough_model(test::sequence_type(test::tensor_type_without_rank(OnnxType::kBfloat16))));
  const std::string bits = npy(tensor_of<uint16_t>("", DataType::kUint16, {1}, {0x3FC0}));
  response = run(*bf16.session, {n, texts("x", {2}, {bits, "{\"shape\":[1],\"data\":[1.5]}"})});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(texts_of(response->outputs[0]), ElementsAre(bits, bits));

  const Opened optional = opened(passthrough_model(test::optional_type(any_floats())));
  response = run(*optional.session, {n, texts("x", {0}, {})});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->outputs[0].shape, Shape({0}));
  response = run(*optional.session, {n, texts("x", {1}, {npy({1}, {5})})});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(texts_of(response->outputs[0]), ElementsAre(npy({1}, {5})));
}

TEST_P(OnnxWrapped, RefusesWhatItCanNotServeByName) {
  const auto maps = test::sequence_type(
      test::map_type(OnnxType::kInt64, test::tensor_type(OnnxType::kFloat, {})));
  const auto opened = open(GetParam(), onnx_artefact(passthrough_model(maps)));
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(std::string(opened.status().message()),
              HasSubstr("input 'x' has type sequence(map(int64, tensor(float)))"));
}

}  // namespace
}  // namespace supernova::conformance
