// What an engine that runs ONNX must keep: datatypes, shapes, control flow, refusals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "conformance/engines.h"
#include "support/onnx_models.h"

namespace supernova::conformance {
namespace {

using tensor::DataType;
using test::Graph;
using test::OnnxType;
using testing::ElementsAre;
using testing::HasSubstr;

class OnnxEngine : public testing::TestWithParam<EngineCase> {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "supernova-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Opened opened(const std::string& model) {
    auto opened = open(GetParam(), onnx_artefact(model));
    if (!opened.ok()) throw std::runtime_error(opened.status().ToString());
    return *std::move(opened);
  }

  std::string write(const std::string& name, const std::string& content) {
    const auto path = folder_ / name;
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

  // The status of opening an artefact that must be refused.
  base::Status refusal(const tensor::Artefact& artefact) {
    const auto opened = open(GetParam(), artefact);
    EXPECT_FALSE(opened.ok());
    return opened.status();
  }
  base::Status refusal_of_file(const std::string& path) {
    tensor::Artefact artefact;
    artefact.format = "onnx";
    artefact.path = path;
    return refusal(artefact);
  }

  std::filesystem::path folder_;
};

INSTANTIATE_TEST_SUITE_P(Engines, OnnxEngine, testing::ValuesIn(onnx_engines()),
                         testing::PrintToStringParamName());

constexpr DataType kFixedTypes[] = {
    DataType::kBool, DataType::kUint8, DataType::kUint16, DataType::kUint32, DataType::kUint64,
    DataType::kInt8, DataType::kInt16, DataType::kInt32,  DataType::kInt64,  DataType::kFp16,
    DataType::kFp32, DataType::kFp64,  DataType::kBf16};

TEST_P(OnnxEngine, KeepsEveryBitOfEveryDatatype) {
  for (const DataType type : kFixedTypes) {
    // Output in the caller's memory, known from the model or the input, and in the engine's own.
    for (const auto& [form, model] : {std::pair{" fixed", test::identity_model(type, {2, 3})},
                                      {" named", test::identity_model(type, {"a", "b"})},
                                      {" dynamic", test::identity_model(type, {"", ""})}}) {
      SCOPED_TRACE(std::string(tensor::data_type_name(type)) + form);
      const Opened it = opened(model);
      EXPECT_EQ(it.session->signature().inputs[0].data_type, type);
      std::string bytes(6 * tensor::element_size(type), '\0');
      for (size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<char>(type == DataType::kBool ? i % 2 : 37 * i + 200);
      }
      tensor::Tensor input;
      input.name = "INPUT0";
      input.data_type = type;
      input.shape = {2, 3};
      input.buffer = tensor::Buffer::copy_of(bytes);
      const auto response = run(*it.session, {input});
      ASSERT_TRUE(response.ok()) << response.status();
      EXPECT_EQ(response->outputs[0].data_type, type);
      EXPECT_EQ(response->outputs[0].shape, tensor::Shape({2, 3}));
      EXPECT_EQ(response->outputs[0].buffer.view(), bytes);
    }
  }
}

TEST_P(OnnxEngine, KeepsStringsWhole) {
  const std::vector<std::string> values = {
      "",        std::string("a\0b", 3),   std::string(1, '\0'),
      "naïve ✓", std::string(100000, 'z'), "\xff\xfe",
      ""};
  const Opened it = opened(test::identity_model(DataType::kBytes, {"n"}));
  const auto response = run(*it.session, {texts("INPUT0", {7}, values)});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(texts_of(response->outputs[0]), values);
}

TEST_P(OnnxEngine, TakesStringsOfFixedShapeAndNone) {
  const Opened fixed = opened(test::identity_model(DataType::kBytes, {1, 2}));
  const auto two = run(*fixed.session, {texts("INPUT0", {1, 2}, {"x", "yz"})});
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_THAT(texts_of(two->outputs[0]), ElementsAre("x", "yz"));
  const Opened dynamic = opened(test::identity_model(DataType::kBytes, {"n"}));
  const auto none = run(*dynamic.session, {texts("INPUT0", {0}, {})});
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(none->outputs[0].shape, tensor::Shape({0}));
  EXPECT_EQ(none->outputs[0].buffer.size(), 0U);
}

TEST_P(OnnxEngine, ComputesOnStrings) {
  const Opened it = opened(test::upper_case_model());
  const auto response = run(*it.session, {texts("TEXT", {2}, {"abc", "Xy"})});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(texts_of(response->outputs[0]), ElementsAre("ABC", "XY"));
}

TEST_P(OnnxEngine, RefusesBrokenStrings) {
  const Opened it = opened(test::identity_model(DataType::kBytes, {"n"}));
  tensor::Tensor input = texts("INPUT0", {2}, {"abc", "de"});
  input.buffer = input.buffer.slice(0, input.buffer.size() - 1);
  const auto response = run(*it.session, {input});
  EXPECT_EQ(response.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(response.status().message()), HasSubstr("'INPUT0'"));
}

TEST_P(OnnxEngine, DescribesShapes) {
  Graph graph;
  graph.input("a", OnnxType::kFloat, {"batch", 3, ""})
      .input("scalar", OnnxType::kFloat, {})
      .input("any", test::tensor_type_without_rank(OnnxType::kFloat))
      .output("b", OnnxType::kFloat, {"batch", 3, ""})
      .output("c", test::tensor_type_without_rank(OnnxType::kFloat))
      .node("Add", {"a", "scalar"}, {"b"})
      .node("Neg", {"any"}, {"c"});
  const Opened it = opened(test::onnx_model(graph));
  const auto& inputs = it.session->signature().inputs;
  ASSERT_EQ(inputs.size(), 3U);
  EXPECT_EQ(inputs[0].shape, tensor::Shape({-1, 3, -1}));
  EXPECT_THAT(inputs[0].dim_names, ElementsAre("batch", "", ""));
  EXPECT_TRUE(inputs[1].rank_known);
  EXPECT_TRUE(inputs[1].shape.empty());
  EXPECT_FALSE(inputs[2].rank_known);
  const auto response = run(*it.session, {floats("a", {1, 3, 1}, {1, 2, 3}),
                                          floats("scalar", {}, {10}), floats("any", {1, 1}, {5})});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(values_of<float>(response->outputs[0]), ElementsAre(11, 12, 13));
  EXPECT_EQ(response->outputs[1].shape, tensor::Shape({1, 1}));
  EXPECT_THAT(values_of<float>(response->outputs[1]), ElementsAre(-5));
}

TEST_P(OnnxEngine, TakesAnySizeOfADynamicDimension) {
  const Opened it = opened(test::mlp_model());
  for (const int64_t batch : {1, 2, 7, 0, 64}) {
    const auto response =
        run(*it.session,
            {floats("input", {batch, 16}, std::vector<float>(static_cast<size_t>(batch) * 16, 1))});
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->outputs[0].shape, tensor::Shape({batch, 4}));
    const auto values = values_of<float>(response->outputs[0]);
    for (size_t i = 4; i < values.size(); ++i) EXPECT_EQ(values[i], values[i - 4]);
  }
}

TEST_P(OnnxEngine, GivesOutputsInTheOrderAskedFor) {
  const Opened it = opened(test::add_sub_model({2}));
  const std::vector<tensor::Tensor> inputs = {floats("INPUT1", {2}, {1, 2}),
                                              floats("INPUT0", {2}, {10, 20})};
  auto response = run(*it.session, inputs);
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->outputs.size(), 2U);
  EXPECT_THAT(values_of<float>(response->outputs[0]), ElementsAre(11, 22));
  EXPECT_THAT(values_of<float>(response->outputs[1]), ElementsAre(9, 18));
  response = run(*it.session, inputs, {"OUTPUT1", "OUTPUT0"});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->outputs[0].name, "OUTPUT1");
  EXPECT_THAT(values_of<float>(response->outputs[0]), ElementsAre(9, 18));
  response = run(*it.session, inputs, {"OUTPUT1"});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->outputs.size(), 1U);
}

TEST_P(OnnxEngine, GivesOutputsWhoseShapeDependsOnData) {
  const Opened it = opened(test::nonzero_model());
  auto response = run(*it.session, {floats("input", {5}, {0, 1, 0, 2, 3})});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->outputs[0].shape, tensor::Shape({1, 3}));
  EXPECT_THAT(values_of<int64_t>(response->outputs[0]), ElementsAre(1, 3, 4));
  response = run(*it.session, {floats("input", {2}, {0, 0})});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->outputs[0].shape, tensor::Shape({1, 0}));
}

TEST_P(OnnxEngine, RunsControlFlow) {
  const Opened branch = opened(test::if_model());
  for (const uint8_t condition : {1, 0}) {
    const auto response =
        run(*branch.session, {tensor_of<uint8_t>("condition", DataType::kBool, {}, {condition}),
                              floats("x", {2}, {3, 5})});
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_THAT(values_of<float>(response->outputs[0]),
                condition == 1 ? ElementsAre(6, 10) : ElementsAre(9, 25));
  }
  const Opened loop = opened(test::loop_model());
  for (const int64_t count : {0, 1, 5}) {
    const auto response =
        run(*loop.session,
            {tensor_of<int64_t>("count", DataType::kInt64, {}, {count}), floats("x", {1}, {3})});
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_THAT(values_of<float>(response->outputs[0]),
                ElementsAre(3 * static_cast<float>(1 << count)));
  }
}

TEST_P(OnnxEngine, FillsInOptionalInputs) {
  const Opened it = opened(test::optional_input_model());
  const auto& inputs = it.session->signature().inputs;
  ASSERT_EQ(inputs.size(), 2U);
  EXPECT_FALSE(inputs[0].optional);
  EXPECT_EQ(inputs[1].name, "w");
  EXPECT_TRUE(inputs[1].optional);
  auto response = run(*it.session, {floats("x", {2}, {1, 2})});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(values_of<float>(response->outputs[0]), ElementsAre(11, 22));
  response = run(*it.session, {floats("x", {2}, {1, 2}), floats("w", {2}, {5, 5})});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(values_of<float>(response->outputs[0]), ElementsAre(6, 7));
}

TEST_P(OnnxEngine, SurvivesAModelThatDeclaresAWrongOutputShape) {
  const Opened it = opened(test::wrong_output_shape_model());
  for (int i = 0; i < 2; ++i) {
    const auto response = run(*it.session, {floats("x", {3, 1}, {1, 2, 3})});
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->outputs[0].shape, tensor::Shape({3, 1}));
    EXPECT_THAT(values_of<float>(response->outputs[0]), ElementsAre(1, 2, 3));
  }
}

TEST_P(OnnxEngine, SurvivesAModelWhoseOutputIsNotWhatItsNameSays) {
  Graph graph;
  graph.input("x", OnnxType::kFloat, {"n"})
      .output("y", OnnxType::kFloat, {"n"})
      .node("Concat", {"x", "x"}, {"y"}, {test::attribute_int("axis", 0)});
  auto opened = open(GetParam(), onnx_artefact(test::onnx_model(graph)));
  if (!opened.ok()) GTEST_SKIP() << "refused: " << opened.status();
  for (const int64_t size : {2, 2, 3, 5000}) {
    const std::vector<float> values(static_cast<size_t>(size), 7);
    const auto response = run(*opened->session, {floats("x", {size}, values)});
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->outputs[0].shape, tensor::Shape({2 * size}));
    EXPECT_EQ(values_of<float>(response->outputs[0]),
              std::vector<float>(static_cast<size_t>(size) * 2, 7));
  }
}

// Runs of the same shapes may share what was made for one of them, never at the same time.
TEST_P(OnnxEngine, KeepsRunsApart) {
  const Opened it = opened(test::add_sub_model({"n"}));
  const int threads = std::min(4, std::max(1, it.session->max_concurrency()));
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&it, t] {
      std::vector<tensor::Response> kept;
      for (int i = 0; i < 400; ++i) {
        const int64_t size = 1 + i % 11;
        const auto count = static_cast<size_t>(size);
        const auto mine = static_cast<float>(1000 * t + i);
        const auto response =
            run(*it.session, {floats("INPUT0", {size}, std::vector(count, mine)),
                              floats("INPUT1", {size}, std::vector(count, 1.0F))});
        ASSERT_TRUE(response.ok()) << response.status();
        kept.push_back(*response);
      }
      for (int i = 0; i < 400; ++i) {
        const std::vector<float> sums(static_cast<size_t>(1 + i % 11),
                                      static_cast<float>(1000 * t + i + 1));
        EXPECT_EQ(values_of<float>(kept[static_cast<size_t>(i)].outputs[0]), sums) << i;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
}

TEST_P(OnnxEngine, TakesInputsAtAnyAddress) {
  const Opened it = opened(test::add_sub_model({"n"}));
  std::vector<float> values = {1, 2, 3};
  std::string shifted(1, 'x');
  shifted.append(reinterpret_cast<const char*>(values.data()), 12);
  tensor::Tensor odd = floats("INPUT0", {3}, values);
  odd.buffer = tensor::Buffer::copy_of(shifted).slice(1, 12);
  const auto response = run(*it.session, {odd, floats("INPUT1", {3}, {1, 1, 1})});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(values_of<float>(response->outputs[0]), ElementsAre(2, 3, 4));
}

// Also where the memory for them could be the caller's.
TEST_P(OnnxEngine, HandsWeightsAndInputsOfFixedShapeThrough) {
  Graph graph;
  graph.input("x", OnnxType::kFloat, {2})
      .output("w", OnnxType::kFloat, {2})
      .output("x", OnnxType::kFloat, {2})
      .output("y", OnnxType::kFloat, {2})
      .initializer(test::float_tensor("w", {2}, {7, 8}))
      .node("Identity", {"w"}, {"y"});
  auto opened = open(GetParam(), onnx_artefact(test::onnx_model(graph)));
  if (!opened.ok()) GTEST_SKIP() << "refused: " << opened.status();
  for (const float first : {1, 3}) {
    const auto response = run(*opened->session, {floats("x", {2}, {first, 2})});
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_THAT(values_of<float>(response->outputs[0]), ElementsAre(7, 8));
    EXPECT_THAT(values_of<float>(response->outputs[1]), ElementsAre(first, 2));
    EXPECT_THAT(values_of<float>(response->outputs[2]), ElementsAre(7, 8));
  }
}

TEST_P(OnnxEngine, KeepsOutputsThatAreWeightsOrInputs) {
  Graph graph;
  graph.input("x", OnnxType::kFloat, {"n"})
      .output("w", OnnxType::kFloat, {"m"})
      .output("x", OnnxType::kFloat, {"n"})
      .output("y", OnnxType::kFloat, {"n"})
      .initializer(test::float_tensor("w", {2}, {7, 8}))
      .node("Identity", {"x"}, {"y"});
  auto opened = open(GetParam(), onnx_artefact(test::onnx_model(graph)));
  if (!opened.ok()) GTEST_SKIP() << "refused: " << opened.status();
  const std::vector<float> many(5000, 4);
  const auto large = run(*opened->session, {floats("x", {5000}, many)});
  ASSERT_TRUE(large.ok()) << large.status();
  EXPECT_EQ(values_of<float>(large->outputs[1]), many);
  EXPECT_EQ(values_of<float>(large->outputs[2]), many);
  auto response = run(*opened->session, {floats("x", {3}, {1, 2, 3})});
  ASSERT_TRUE(response.ok()) << response.status();
  *opened = Opened{};
  const auto other = tensor::Buffer::copy_of(std::string(12, 'x'));
  EXPECT_THAT(values_of<float>(response->outputs[0]), ElementsAre(7, 8));
  EXPECT_THAT(values_of<float>(response->outputs[1]), ElementsAre(1, 2, 3));
  EXPECT_THAT(values_of<float>(response->outputs[2]), ElementsAre(1, 2, 3));
}

TEST_P(OnnxEngine, RefusesWrongShapes) {
  const Opened it = opened(test::add_sub_model({2, "n"}));
  const auto good = floats("INPUT1", {2, 2}, {1, 2, 3, 4});
  for (const tensor::Shape& shape : {tensor::Shape{4}, tensor::Shape{1, 4}, tensor::Shape{4, 1}}) {
    const auto response = run(*it.session, {floats("INPUT0", shape, {1, 2, 3, 4}), good});
    EXPECT_EQ(response.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(response.status().message()), HasSubstr("INPUT0"));
  }
  auto few_bytes = floats("INPUT0", {2, 2}, {1, 2, 3});
  EXPECT_FALSE(run(*it.session, {few_bytes, good}).ok());
}

TEST_P(OnnxEngine, ReadsFilesWithExternalData) {
  const float weights[] = {100, 200};
  write("weights.bin", std::string(reinterpret_cast<const char*>(weights), sizeof(weights)));
  const std::string model = test::external_data_model("weights.bin");
  tensor::Artefact by_path;
  by_path.format = "onnx";
  by_path.path = write("model.onnx", model);
  tensor::Artefact by_bytes = onnx_artefact(model);
  by_bytes.path = folder_;
  for (const tensor::Artefact& artefact : {by_path, by_bytes}) {
    const auto it = open(GetParam(), artefact);
    ASSERT_TRUE(it.ok()) << it.status();
    const auto response = run(*it->session, {floats("x", {2}, {1, 2})});
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_THAT(values_of<float>(response->outputs[0]), ElementsAre(101, 202));
  }
}

TEST_P(OnnxEngine, RefusesExternalDataThatIsMissingOrOutside) {
  write("model.onnx", test::external_data_model("weights.bin"));
  EXPECT_THAT(std::string(refusal_of_file(folder_ / "model.onnx").message()),
              HasSubstr("weights.bin"));
  const auto outside = std::filesystem::path(folder_.string() + "-outside.bin");
  std::ofstream(outside) << "12345678";
  write("escape.onnx", test::external_data_model("../" + outside.filename().string()));
  EXPECT_FALSE(refusal_of_file(folder_ / "escape.onnx").ok());
  write("absolute.onnx", test::external_data_model(outside));
  EXPECT_FALSE(refusal_of_file(folder_ / "absolute.onnx").ok());
  std::filesystem::remove(outside);
}

TEST_P(OnnxEngine, RefusesFilesThatAreNoModels) {
  EXPECT_EQ(refusal_of_file(folder_ / "missing.onnx").code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(refusal_of_file(folder_).message()), HasSubstr("folder"));
  EXPECT_THAT(std::string(refusal_of_file(write("empty.onnx", "")).message()),
              HasSubstr("is empty"));
  EXPECT_FALSE(refusal_of_file(write("text.onnx", "this is not a model")).ok());
  EXPECT_FALSE(refusal(onnx_artefact(std::string(1000, '\xff'))).ok());
}

TEST_P(OnnxEngine, RefusesTruncatedModels) {
  const std::string model = test::mlp_model();
  for (size_t length = 1; length < model.size(); length += 97) {
    const auto it = open(GetParam(), onnx_artefact(model.substr(0, length)));
    EXPECT_FALSE(it.ok()) << length << " of " << model.size() << " bytes";
    EXPECT_FALSE(it.status().message().empty());
  }
}

TEST_P(OnnxEngine, RefusesWhatItHasNoOperatorFor) {
  Graph graph;
  graph.input("x", OnnxType::kFloat, {1})
      .output("y", OnnxType::kFloat, {1})
      .node("Frobnicate", {"x"}, {"y"});
  EXPECT_THAT(std::string(refusal(onnx_artefact(test::onnx_model(graph))).message()),
              HasSubstr("Frobnicate"));
}

TEST_P(OnnxEngine, RefusesTypesItCanNotServeByName) {
  Graph graph;
  graph.input("indices", OnnxType::kInt64, {1})
      .input("strange", OnnxType::kFloat8E4M3FN, {1})
      .output("y", OnnxType::kInt64, {1})
      .node("Neg", {"indices"}, {"y"});
  const std::string float8 =
      std::string(refusal(onnx_artefact(test::onnx_model(graph, {{"", 19}}, 9))).message());
  EXPECT_THAT(float8, HasSubstr("'strange'"));
  EXPECT_THAT(float8, HasSubstr("float8e4m3fn"));
}

TEST_P(OnnxEngine, TakesItsOptionsAndRefusesWrongValues) {
  const auto artefact = onnx_artefact(test::mlp_model());
  const auto status = [&](engine::Options options) {
    return open(GetParam(), artefact, options).status();
  };
  EXPECT_TRUE(status({{"intra_op_threads", "2"}}).ok());
  EXPECT_TRUE(status({{"graph_optimization_level", "basic"}}).ok());
  EXPECT_TRUE(status({{"session.disable_prepacking", "1"}}).ok());
  EXPECT_TRUE(status({{"importer_option", "x"}}).ok()) << "options of others are left alone";
  EXPECT_THAT(std::string(status({{"intra_op_threads", "many"}}).message()), HasSubstr("'many'"));
  EXPECT_FALSE(status({{"intra_op_threads", "-1"}}).ok());
  EXPECT_FALSE(status({{"graph_optimization_level", "99"}}).ok());
}

TEST_P(OnnxEngine, SaysWhatItCanRun) {
  const auto engine = GetParam().open();
  ASSERT_TRUE(engine.ok()) << engine.status();
  const auto artefact = onnx_artefact(test::mlp_model());
  const auto yes = (*engine)->can_run(artefact, cpu(), {});
  ASSERT_TRUE(yes.ok()) << yes.status();
  EXPECT_EQ(yes->compatibility, SN_CAN_RUN);
  sn_device device = cpu();
  device.kind = SN_DEVICE_NEURON;
  const auto no = (*engine)->can_run(artefact, device, {});
  ASSERT_TRUE(no.ok()) << no.status();
  EXPECT_EQ(no->compatibility, SN_CAN_NOT_RUN);
  EXPECT_FALSE(no->reason.empty());
  tensor::Artefact other = artefact;
  other.format = "tflite";
  EXPECT_FALSE((*engine)->open_model(other, {}).ok());
}

// Resident memory in bytes.
size_t resident() {
  std::ifstream statm("/proc/self/statm");
  size_t total = 0;
  size_t pages = 0;
  statm >> total >> pages;
  return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

TEST_P(OnnxEngine, GivesMemoryBackOnUnload) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the address sanitizer keeps freed memory for a while";
#endif
  // 4 MiB of weights: 100 reloads that leak would take 400 MiB.
  Graph graph;
  graph.input("x", OnnxType::kFloat, {1024})
      .output("y", OnnxType::kFloat, {1024})
      .initializer(test::float_tensor("w", {1024, 1024}, std::vector<float>(1 << 20, 0.5F)))
      .node("MatMul", {"x", "w"}, {"y"});
  const auto artefact = onnx_artefact(test::onnx_model(graph));
  const auto engine = GetParam().open();
  ASSERT_TRUE(engine.ok()) << engine.status();
  const auto load = [&] {
    const auto model = (*engine)->open_model(artefact, {});
    ASSERT_TRUE(model.ok()) << model.status();
    const auto session = (*model)->open_session(cpu(), {});
    ASSERT_TRUE(session.ok()) << session.status();
    const auto response = run(**session, {floats("x", {1024}, std::vector<float>(1024, 1))});
    ASSERT_TRUE(response.ok()) << response.status();
    ASSERT_EQ(values_of<float>(response->outputs[0])[7], 512);
    const auto info = (*session)->info();
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_GT(info->host_memory_bytes, size_t{1} << 20);
  };
  for (int i = 0; i < 10; ++i) load();
  const size_t before = resident();
  for (int i = 0; i < 100; ++i) load();
  EXPECT_LT(resident(), before + (size_t{40} << 20));
}

}  // namespace
}  // namespace supernova::conformance
