#include "model/warm_up_samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "model/config_resolve.h"
#include "model/config_text.h"
#include "support/row_engine.h"
#include "tensor/bytes.h"

namespace supernova::model {
namespace {

namespace fs = std::filesystem;
using tensor::DataType;
using tensor::Shape;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_support::RowEngine;

tensor::TensorInfo info(std::string name, DataType type, Shape shape) {
  tensor::TensorInfo made;
  made.name = std::move(name);
  made.data_type = type;
  made.shape = std::move(shape);
  return made;
}

class WarmUpSamplesTest : public ::testing::Test {
 protected:
  WarmUpSamplesTest()
      : folder_(fs::path(::testing::TempDir()) /
                ("warm_up_samples_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_ / kWarmUpFolder);
    facts_.name = "m";
    facts_.engine = "onnxruntime";
    facts_.format = "onnx";
    facts_.inputs = {info("x", DataType::kFp32, {-1, 3}), info("text", DataType::kBytes, {-1, 2})};
    facts_.outputs = {info("y", DataType::kFp32, {-1, 10})};
    signature_.outputs = facts_.outputs;
  }
  ~WarmUpSamplesTest() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / kWarmUpFolder / name, std::ios::binary) << content;
  }
  base::Result<std::vector<WarmUpSample>> make(const std::string& section) {
    const auto parsed = parse_config_text(section, "config.pbtxt");
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    std::vector<std::string> warnings;
    const auto config = resolve_config(&parsed->config, facts_, warnings);
    EXPECT_TRUE(config.ok()) << config.status();
    EXPECT_THAT(warnings, ElementsAre());
    return make_warm_up_samples(*config, signature_, folder_.string());
  }
  // A sample of which x is said and the text is zeros.
  static std::string with_x(const std::string& x, const std::string& rest = "") {
    return "max_batch_size: 4 model_warmup { name: 'w' " + rest + " inputs { key: 'x' value { " +
           x + " } } inputs { key: 'text' value { zero_data: true } } }";
  }
  void expect_refused(const std::string& section, const std::string& message) {
    const auto samples = make(section);
    ASSERT_FALSE(samples.ok()) << section;
    EXPECT_THAT(std::string(base::message(samples.status())),
                AllOf(HasSubstr("model_warmup sample 'w'"), HasSubstr(message)));
  }

  fs::path folder_;
  ModelFacts facts_;
  engine::Signature signature_;
};

TEST_F(WarmUpSamplesTest, NoneWithoutTheSection) {
  const auto samples = make("max_batch_size: 4");
  ASSERT_TRUE(samples.ok()) << samples.status();
  EXPECT_TRUE(samples->empty());
}

TEST_F(WarmUpSamplesTest, ZerosAndRandomNumbersThatAreTheSameEveryTime) {
  const std::string section = with_x("random_data: true data_type: TYPE_FP32 dims: 3", "count: 7");
  const auto samples = make(section);
  ASSERT_TRUE(samples.ok()) << samples.status();
  ASSERT_EQ(samples->size(), 1U);
  EXPECT_EQ(samples->front().times, 7U);
  const tensor::Request& request = samples->front().request;
  ASSERT_EQ(request.inputs.size(), 2U);
  EXPECT_EQ(request.inputs[0].name, "x");
  EXPECT_EQ(request.inputs[0].shape, (Shape{1, 3}));
  EXPECT_NE(request.inputs[0].buffer.view(), std::string(12, '\0'));
  EXPECT_EQ(request.inputs[1].buffer.view(), std::string(8, '\0'));
  ASSERT_EQ(request.outputs.size(), 1U);
  EXPECT_EQ(request.outputs[0].name, "y");
  const auto again = make(section);
  EXPECT_EQ(again->front().request.inputs[0].buffer.view(), request.inputs[0].buffer.view());
}

TEST_F(WarmUpSamplesTest, FilesHoldAnItemThatFillsTheBatch) {
  write("x.bin", "abcdefghijkl");
  std::string texts;
  tensor::pack_bytes(texts, "one");
  tensor::pack_bytes(texts, "");
  write("texts", texts);
  const auto samples = make(
      "max_batch_size: 4 model_warmup { batch_size: 2 inputs { key: 'x' value { "
      "input_data_file: 'x.bin' } } inputs { key: 'text' value { input_data_file: 'texts' } } }");
  ASSERT_TRUE(samples.ok()) << samples.status();
  const tensor::Request& request = samples->front().request;
  EXPECT_EQ(request.inputs[0].shape, (Shape{2, 3}));
  EXPECT_EQ(request.inputs[0].buffer.view(), "abcdefghijklabcdefghijkl");
  EXPECT_EQ(request.inputs[1].shape, (Shape{2, 2}));
  EXPECT_EQ(request.inputs[1].buffer.view(), texts + texts);
}

TEST_F(WarmUpSamplesTest, ARefusalNamesTheFileAndBothSizes) {
  write("x.bin", "abc");
  expect_refused(with_x("input_data_file: 'x.bin'"),
                 "input 'x': file 'warmup/x.bin' holds 3 bytes, but FP32 [3] takes 12");
  write("texts", "abc");
  expect_refused(
      "max_batch_size: 4 model_warmup { name: 'w' inputs { key: 'x' value { zero_data: true } } "
      "inputs { key: 'text' value { input_data_file: 'texts' } } }",
      "input 'text': file 'warmup/texts' holds 3 bytes that are no BYTES [2]");
  expect_refused(with_x("input_data_file: 'nothing'"), "file 'warmup/nothing' is not there");
  expect_refused(with_x("input_data_file: '.'"), "is not there");
  for (const char* outside : {"../secret", "/etc/passwd", "", "a/../../x"}) {
    expect_refused(with_x(base::str_cat("input_data_file: '", outside, "'")),
                   "must be the name of a file in the folder 'warmup'");
  }
}

TEST_F(WarmUpSamplesTest, ARefusalSaysWhatDoesNotFitTheModel) {
  expect_refused(with_x("zero_data: true dims: 4"), "dims are [4], but the model's are [3]");
  expect_refused(with_x("zero_data: true dims: -1"), "dims are [-1]");
  expect_refused(with_x("zero_data: true data_type: TYPE_INT8"),
                 "data_type is TYPE_INT8, but the model's is FP32");
  expect_refused(with_x("dims: 3"), "write zero_data, random_data or input_data_file");
  expect_refused(with_x("zero_data: true", "batch_size: 5"), "write 1 to max_batch_size (4)");
  expect_refused(with_x("zero_data: true", "count: 1000000"), "at most 100000 runs");
  expect_refused(with_x("zero_data: true", "inputs { key: 'z' value { zero_data: true } }"),
                 "input 'z': the model has no such input");
  expect_refused(
      "max_batch_size: 4 model_warmup { name: 'w' inputs { key: 'x' value { zero_data: true } } }",
      "input 'text' is missing");
  facts_.inputs[0].shape = {-1, -1};
  expect_refused(with_x("zero_data: true"), "dims are [-1]");
  expect_refused(with_x("random_data: true dims: 4000000000"), "elements");
}

TEST_F(WarmUpSamplesTest, ReshapesAsForClients) {
  const auto samples = make(
      "max_batch_size: 4 input { name: 'x' dims: [ 1, 3 ] reshape { shape: 3 } } "
      "model_warmup { batch_size: 2 inputs { key: 'x' value { zero_data: true dims: [ 1, 3 ] } } "
      "inputs { key: 'text' value { zero_data: true } } }");
  ASSERT_TRUE(samples.ok()) << samples.status();
  EXPECT_EQ(samples->front().request.inputs[0].shape, (Shape{2, 3}));
}

TEST_F(WarmUpSamplesTest, RunsAsOftenAsAskedAndEndsWithTheFirstThatFails) {
  RowEngine engine([](const std::vector<float>& x) { return x[0] > 5 ? SN_INTERNAL : SN_OK; });
  const auto session = engine.session();
  std::vector<WarmUpSample> samples;
  samples.push_back({"sample 'a'", 2, testing_support::rows_request(3, 1)});
  samples.push_back({"sample 'b'", 1, testing_support::rows_request(2, 9)});
  samples.push_back({"sample 'c'", 1, testing_support::rows_request(1, 1)});
  const base::Status status = run_samples(*session, samples, std::chrono::minutes(1));
  EXPECT_THAT(std::string(base::message(status)),
              AllOf(HasSubstr("sample 'b'"), HasSubstr("made to fail")));
  EXPECT_THAT(RowEngine::runs(), ElementsAre(3, 3, 2));
}

}  // namespace
}  // namespace supernova::model
