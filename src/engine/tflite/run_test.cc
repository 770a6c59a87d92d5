// Models through the runtime itself: types, open sizes, strings, state, and what is refused.
#include "engine/tflite/case.h"
#include "tensor/bytes.h"

namespace supernova::engine::tflite {
namespace {

using Tflite = WithLibrary;

TEST_F(Tflite, RunsAndTakesOtherShapes) {
  const auto it = open(sum_product());
  ASSERT_TRUE(it.ok()) << it.status();
  const Signature& signature = it->session->signature();
  EXPECT_EQ(signature.inputs[0].name, "x");
  EXPECT_EQ(signature.inputs[0].shape, tensor::Shape({-1, 2}));
  EXPECT_EQ(signature.inputs[0].dim_names, (std::vector<std::string>{"batch", ""}));
  EXPECT_EQ(signature.outputs[0].name, "y");
  Session& session = *it->session;
  EXPECT_THAT(run_floats(session, {floats("x", {1, 2}, {1, -3})}), ElementsAre(2, 18));
  EXPECT_THAT(run_floats(session, {floats("x", {2, 2}, {1, 2, 3, 4})}), ElementsAre(2, 8, 18, 32));
  EXPECT_THAT(run_floats(session, {floats("x", {0, 2}, {})}), ElementsAre());
  EXPECT_THAT(run_floats(session, {floats("x", {1, 2}, {5, 0})}), ElementsAre(50, 0));
}

TEST_F(Tflite, RefusesOtherSizesThanTheModelFixes) {
  const auto it = open(sum_product());
  ASSERT_TRUE(it.ok()) << it.status();
  for (const tensor::Shape& shape : {tensor::Shape{1, 4}, {2, 1}, {2}, {1, 1, 2}}) {
    const auto count = static_cast<size_t>(*tensor::element_count(shape));
    const auto response = run(*it->session, {floats("x", shape, std::vector<float>(count, 1))});
    ASSERT_FALSE(response.ok()) << tensor::shape_to_string(shape);
    EXPECT_THAT(std::string(response.status().message()), HasSubstr("[-1,2]"));
  }
}

// A batch of none must not bring a kernel down that divides by it.
TEST_F(Tflite, RunsEmptyBatches) {
  TfModel model;
  const auto open_shape = [](std::vector<int32_t> shape, const std::string& name) {
    std::vector<int32_t> signature = shape;
    signature[0] = -1;
    return TfTensor{.shape = std::move(shape), .signature = std::move(signature), .name = name};
  };
  const auto x = model.input(open_shape({1, 4, 4, 1}, "x"));
  const auto conv = model.tensor(open_shape({1, 4, 4, 2}, "conv"));
  const auto pool = model.tensor(open_shape({1, 2, 2, 2}, "pool"));
  const auto flat = model.tensor(open_shape({1, 8}, "flat"));
  const auto dense = model.tensor(open_shape({1, 3}, "dense"));
  const auto y = model.tensor(open_shape({1, 3}, "y"));
  model.op(
      "CONV_2D",
      {x, model.constant({2, 3, 3, 1}, std::vector<float>(18, 1)), model.constant({2}, {0, 0})},
      {conv}, FlatTable().number(0, int8_t{0}).number(1, 1).number(2, 1));
  model.op("AVERAGE_POOL_2D", {conv}, {pool},
           FlatTable().number(0, int8_t{1}).number(1, 2).number(2, 2).number(3, 2).number(4, 2));
  model.op("RESHAPE", {pool, model.ints({-1, 8})}, {flat});
  model.op(
      "FULLY_CONNECTED",
      {flat, model.constant({3, 8}, std::vector<float>(24, 1)), model.constant({3}, {0, 0, 0})},
      {dense});
  model.op("SOFTMAX", {dense}, {y}, FlatTable().number(0, 1.0F));
  model.set_outputs({y});
  const auto it = open(model);
  ASSERT_TRUE(it.ok()) << it.status();
  for (const int64_t batch : {1, 0, 2, 0, 1}) {
    const std::vector<float> values(static_cast<size_t>(batch) * 16, 1);
    const auto response = run(*it->session, {floats("x", {batch, 4, 4, 1}, values)});
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->outputs[0].shape, tensor::Shape({batch, 3}));
  }
}

// An identity of every type that goes in and out.
TEST_F(Tflite, CarriesEveryType) {
  const std::vector<std::pair<TfType, tensor::DataType>> types = {
      {TfType::kFloat32, tensor::DataType::kFp32}, {TfType::kInt32, tensor::DataType::kInt32},
      {TfType::kUint8, tensor::DataType::kUint8},  {TfType::kInt64, tensor::DataType::kInt64},
      {TfType::kBool, tensor::DataType::kBool},    {TfType::kInt16, tensor::DataType::kInt16},
      {TfType::kInt8, tensor::DataType::kInt8},    {TfType::kFloat16, tensor::DataType::kFp16},
  };
  for (const auto& [type, hub] : types) {
    TfModel model;
    const auto x = model.input({.type = type, .shape = {2, 2}, .name = "x"});
    const auto y = model.tensor({.type = type, .shape = {4}, .name = "y"});
    model.op("RESHAPE", {x, model.ints({4})}, {y});
    model.set_outputs({y});
    const auto it = open(model);
    ASSERT_TRUE(it.ok()) << it.status();
    EXPECT_EQ(it->session->signature().inputs[0].data_type, hub);
    tensor::Tensor in;
    in.name = "x";
    in.data_type = hub;
    in.shape = {2, 2};
    std::string bytes(4 * tensor::element_size(hub), '\1');
    bytes[0] = '\0';
    in.buffer = tensor::Buffer::copy_of(bytes);
    const auto response = run(*it->session, {in});
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->outputs[0].data_type, hub);
    EXPECT_EQ(response->outputs[0].shape, tensor::Shape({4}));
    EXPECT_EQ(response->outputs[0].buffer.view(), bytes);
  }
}

TEST_F(Tflite, PicksStrings) {
  TfModel model;
  const auto words =
      model.input({.type = TfType::kString, .shape = {1}, .signature = {-1}, .name = "words"});
  const auto y = model.tensor({.type = TfType::kString, .shape = {2}, .name = "y"});
  model.op("GATHER", {words, model.ints({2, 0})}, {y});
  model.set_outputs({y});
  const auto it = open(model);
  ASSERT_TRUE(it.ok()) << it.status();
  for (const std::string& last : {std::string("longer than any word before it"), std::string(),
                                  std::string("with\0nul", 8)}) {
    tensor::Tensor in;
    in.name = "words";
    in.data_type = tensor::DataType::kBytes;
    in.shape = {3};
    in.buffer = tensor::pack_bytes(std::vector<std::string>{"first", "", last});
    const auto response = run(*it->session, {in});
    ASSERT_TRUE(response.ok()) << response.status();
    const auto got = tensor::unpack_bytes(response->outputs[0].buffer.view(), 2);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ((*got)[0], last);
    EXPECT_EQ((*got)[1], "first");
  }
}

// A variable tensor would carry what one request left to the next one.
TEST_F(Tflite, StartsEveryRequestFromTheFilesState) {
  TfModel model;
  const auto x = model.input({.shape = {1, 2}, .name = "x"});
  const auto state = model.tensor({.shape = {1, 2}, .variable = true, .name = "state"});
  const auto y = model.tensor({.shape = {1, 2}, .name = "y"});
  // A recurrent layer of two units: weights of the input, of the state, no bias.
  model.op("RNN",
           {x, model.constant({2, 2}, {1, 0, 0, 1}), model.constant({2, 2}, {1, 0, 0, 1}),
            model.constant({2}, {0, 0}), state},
           {y});
  model.set_outputs({y});
  const auto it = open(model);
  ASSERT_TRUE(it.ok()) << it.status();
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(run_floats(*it->session, {floats("x", {1, 2}, {1, 2})}), ElementsAre(1, 2));
  }
}

TEST_F(Tflite, ReportsWhatTheRuntimeSays) {
  TfModel model;
  const auto x = model.input({.shape = {4}, .name = "x"});
  const auto y = model.tensor({.shape = {3}, .name = "y"});
  model.op("RESHAPE", {x, model.ints({3})}, {y});
  model.set_outputs({y});
  EXPECT_THAT(refusal(open(model)), HasSubstr("failed to prepare"));
  TfModel custom;
  const auto a = custom.input({.shape = {4}, .name = "a"});
  custom.op("NobodyKnowsIt", {a}, {custom.tensor({.shape = {4}, .name = "b"})});
  custom.set_outputs({1});
  EXPECT_THAT(refusal(open(custom)), HasSubstr("NobodyKnowsIt"));
}

TEST_F(Tflite, RefusesDamagedFiles) {
  const auto engine = Engine::open(&entry, {});
  ASSERT_TRUE(engine.ok()) << engine.status();
  const std::string whole = sum_product().file();
  for (size_t length = 0; length < whole.size(); length += 7) {
    const auto model = (*engine)->open_model(artefact_of(whole.substr(0, length) + "x"), {});
    if (model.ok()) (void)(*model)->open_session(device_of(SN_DEVICE_CPU), {});
  }
  Artefact absent;
  absent.format = "tflite";
  absent.path = "/nowhere/model.tflite";
  EXPECT_EQ((*engine)->open_model(absent, {}).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(Tflite, RefusesStateBetweenRequests) {
  TfModel model;
  const auto x = model.input({.shape = {1}, .name = "x"});
  const auto handle = model.tensor({.type = TfType::kResource, .name = "handle"});
  model.op("VAR_HANDLE", {}, {handle});
  model.op("ASSIGN_VARIABLE", {handle, x}, {});
  const auto y = model.tensor({.shape = {1}, .name = "y"});
  model.op("READ_VARIABLE", {handle}, {y});
  model.set_outputs({y});
  EXPECT_THAT(refusal(open(model)), HasSubstr("state between requests"));
}

// Two signatures, each a graph of its own: x + x, and (x * x) * x.
TEST_F(Tflite, RunsTheGraphOfTheSignatureAskedFor) {
  TfModel model;
  const auto graph = [&](const char* op, const std::string& name, int steps) {
    const auto x = model.input({.shape = {2}, .name = name});
    int32_t y = x;
    for (int i = 0; i < steps; ++i) {
      const auto next = model.tensor({.shape = {2}, .name = name + std::to_string(i)});
      model.op(op, {y, x}, {next});
      y = next;
    }
    model.set_outputs({y});
  };
  graph("ADD", "a", 1);
  model.begin_graph();
  graph("MUL", "b", 2);
  FlatTable root = model.root();
  std::vector<FlatTable> signatures;
  for (uint32_t i = 0; i < 2; ++i) {
    const auto map = [](const char* name, uint32_t number) {
      return std::vector<FlatTable>{FlatTable().text(0, name).number(1, number)};
    };
    signatures.push_back(FlatTable()
                             .tables(0, map("in", 0))
                             .tables(1, map("out", i + 1))
                             .text(2, i == 0 ? "sum" : "cube")
                             .number(4, i));
  }
  root.tables(7, signatures);
  const auto engine = Engine::open(&entry, {});
  ASSERT_TRUE(engine.ok()) << engine.status();
  const auto answer = [&](const std::string& key, const std::string& input) {
    const auto opened = (*engine)->open_model(artefact_of(root.file("TFL3")), {{"signature", key}});
    EXPECT_TRUE(opened.ok()) << opened.status();
    if (!opened.ok()) return std::vector<float>();
    EXPECT_EQ((*opened)->signatures()[0].inputs[0].name, input);
    const auto session = (*opened)->open_session(device_of(SN_DEVICE_CPU), {});
    EXPECT_TRUE(session.ok()) << session.status();
    return session.ok() ? run_floats(**session, {floats(input, {2}, {3, 4})})
                        : std::vector<float>();
  };
  EXPECT_THAT(answer("sum", "a"), ElementsAre(6, 8));
  EXPECT_THAT(answer("cube", "b"), ElementsAre(27, 64));
  const auto unknown = (*engine)->open_model(artefact_of(root.file("TFL3")), {{"signature", "?"}});
  EXPECT_THAT(std::string(unknown.status().message()), HasSubstr("it has: sum, cube"));
}

TEST(TfliteMissing, SaysHowToGetTheLibrary) {
  const auto engine = Engine::open(&entry, {{"tflite.library", "/nowhere/libtensorflowlite_c.so"}});
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_EQ((*engine)->version(), "not installed");
  const auto verdict = (*engine)->can_drive(device_of(SN_DEVICE_CPU), {});
  ASSERT_TRUE(verdict.ok()) << verdict.status();
  EXPECT_EQ(verdict->compatibility, SN_CAN_NOT_RUN);
  EXPECT_THAT(verdict->reason, HasSubstr("/nowhere/libtensorflowlite_c.so"));
  EXPECT_THAT(verdict->reason, HasSubstr("make engines"));
  const auto model = (*engine)->open_model(artefact_of(sum_product().file()), {});
  EXPECT_EQ(model.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(TfliteMissing, TellsAnotherLibrary) {
  EXPECT_THAT(std::string(load_runtime(SUPERNOVA_NO_DELEGATE).status().message()),
              HasSubstr("exports no TfLiteVersion"));
}

}  // namespace
}  // namespace supernova::engine::tflite
