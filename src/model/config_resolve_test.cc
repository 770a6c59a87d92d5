#include "model/config_resolve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "model/config_labels.h"
#include "model/config_text.h"

namespace supernova::model {
namespace {

namespace fs = std::filesystem;
using tensor::DataType;
using tensor::Shape;
using tensor::TensorInfo;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TensorInfo info(std::string name, DataType type, Shape shape) {
  TensorInfo made;
  made.name = std::move(name);
  made.data_type = type;
  made.shape = std::move(shape);
  return made;
}

class ConfigResolveTest : public ::testing::Test {
 protected:
  ConfigResolveTest() {
    facts_.name = "m";
    facts_.engine = "onnxruntime";
    facts_.format = "onnx";
    facts_.file = "model.onnx";
    facts_.inputs = {info("x", DataType::kFp32, {-1, 3}), info("ids", DataType::kInt64, {-1, -1})};
    facts_.outputs = {info("y", DataType::kFp32, {-1, 10})};
  }

  base::Result<ModelConfig> resolve(std::string_view text) {
    const auto parsed = parse_config_text(text, "config.pbtxt");
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_TRUE(parsed->warnings.empty());
    warnings_.clear();
    return resolve_config(&parsed->config, facts_, warnings_);
  }
  ModelConfig accept(std::string_view text) {
    auto config = resolve(text);
    EXPECT_TRUE(config.ok()) << config.status();
    return config.ok() ? *std::move(config) : ModelConfig();
  }
  void expect_refused(std::string_view text, std::string_view message,
                      absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
    const auto config = resolve(text);
    ASSERT_FALSE(config.ok()) << text;
    EXPECT_EQ(config.status().code(), code);
    const std::string said(base::message(config.status()));
    EXPECT_THAT(said, HasSubstr("configuration of model 'm': "));
    EXPECT_THAT(said, HasSubstr(std::string(message)));
  }
  void expect_warning(std::string_view text, std::string_view message) {
    accept(text);
    EXPECT_THAT(warnings_, Contains(HasSubstr(std::string(message)))) << text;
  }

  ModelFacts facts_;
  std::vector<std::string> warnings_;
};

TEST_F(ConfigResolveTest, DerivesEverythingFromTheModel) {
  for (const bool empty_file : {false, true}) {
    const inference::ModelConfig nothing;
    const auto config = resolve_config(empty_file ? &nothing : nullptr, facts_, warnings_);
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_THAT(warnings_, IsEmpty());
    const inference::ModelConfig& proto = *config->proto;
    EXPECT_EQ(proto.name(), "m");
    EXPECT_EQ(proto.platform(), "onnxruntime_onnx");
    EXPECT_EQ(proto.backend(), "onnxruntime");
    EXPECT_EQ(proto.default_model_filename(), "model.onnx");
    EXPECT_EQ(proto.version_policy().latest().num_versions(), 1U);
    EXPECT_EQ(proto.max_batch_size(), 0);
    EXPECT_EQ(proto.input_size(), 2);
    EXPECT_THAT(proto.input(0).dims(), ElementsAre(-1, 3));
    EXPECT_EQ(proto.input(1).data_type(), inference::TYPE_INT64);
    EXPECT_THAT(proto.output(0).dims(), ElementsAre(-1, 10));
    ASSERT_EQ(proto.instance_group_size(), 1);
    EXPECT_EQ(proto.instance_group(0).name(), "m_0");
    EXPECT_EQ(proto.instance_group(0).kind(), inference::ModelInstanceGroup::KIND_CPU);
    EXPECT_THAT(config->inputs[0].shape, ElementsAre(-1, 3));
  }
}

TEST_F(ConfigResolveTest, BatchIsTheFirstDimensionOfWhatClientsSee) {
  const ModelConfig config =
      accept("max_batch_size: 8 input { name: 'ids' data_type: TYPE_INT64 dims: 16 }");
  // What is written keeps its order, the rest follows.
  ASSERT_EQ(config.inputs.size(), 2U);
  EXPECT_EQ(config.inputs[0].name, "ids");
  EXPECT_THAT(config.inputs[0].shape, ElementsAre(-1, 16));
  EXPECT_EQ(config.inputs[1].name, "x");
  EXPECT_THAT(config.inputs[1].shape, ElementsAre(-1, 3));
  EXPECT_THAT(config.proto->input(1).dims(), ElementsAre(3));
  EXPECT_THAT(config.proto->output(0).dims(), ElementsAre(10));
  EXPECT_THAT(config.outputs[0].shape, ElementsAre(-1, 10));
}

TEST_F(ConfigResolveTest, RefusesBatchesThatTheModelCannotTake) {
  facts_.inputs[1].shape = {1, 16};
  expect_refused("max_batch_size: 8",
                 "input 'ids': max_batch_size is 8, but the model's first dimension is fixed "
                 "([1,16])");
  facts_.inputs[1].shape = {};
  expect_refused("max_batch_size: 8", "input 'ids'");
  facts_.inputs.pop_back();
  facts_.outputs[0].shape = {4, 10};
  expect_refused("max_batch_size: 1", "output 'y': max_batch_size is 1");
  expect_refused("max_batch_size: -1", "max_batch_size is -1");
}

TEST_F(ConfigResolveTest, RefusesWhatContradictsTheModel) {
  expect_refused("name: 'other'", "name is 'other', but the model is 'm'");
  expect_refused("input { name: 'z' }", "input 'z': the model has no such input; it has: 'x'");
  expect_refused("output { name: 'x' }", "output 'x': the model has no such output");
  expect_refused("input { name: 'x' } input { name: 'x' }", "input 'x': is written twice");
  expect_refused("input { name: 'x' } input { name: 'INPUT__0' }", "is written twice");
  expect_refused("input { data_type: TYPE_FP32 }", "an input has no name");
  expect_refused("input { name: 'x' data_type: TYPE_INT32 }",
                 "input 'x': data_type is TYPE_INT32, but the model's is TYPE_FP32");
  expect_refused("input { name: 'x' dims: [ -1, 4 ] }",
                 "input 'x': dims are [-1,4], but the model's are [-1,3]");
  expect_refused("input { name: 'x' dims: 3 }", "dims are [3]");
  expect_refused("max_batch_size: 4 input { name: 'x' dims: [ -1, 3 ] }", "without the batch");
  expect_refused("input { name: 'x' dims: [ -2, 3 ] }", "dims holds -2");
  expect_refused("input { name: 'x' dims: [ 0, 3 ] }", "input 'x'");
  expect_refused("input { name: 'x' optional: true }", "optional");
  expect_refused("input { name: 'x' is_shape_tensor: true }", "is_shape_tensor");
  expect_refused("output { name: 'y' is_non_linear_format_io: true }", "is_non_linear_format_io");
  expect_refused("input { name: 'x' format: FORMAT_NCHW }", "needs 3 dims and not 2");
  expect_refused("default_model_filename: 'a.onnx'", "'a.onnx', but the model was read from");
  expect_refused("version_policy { latest {} }", "num_versions is 0");
  expect_refused("version_policy { specific {} }", "versions is empty");
  expect_refused("version_policy { specific { versions: -1 } }", "not negative");
}

TEST_F(ConfigResolveTest, MinusOneIsNarrowedToWhatTheModelTakes) {
  const ModelConfig config = accept("input { name: 'x' dims: [ 7, -1 ] }");
  EXPECT_THAT(config.inputs[0].shape, ElementsAre(7, 3));
  EXPECT_THAT(config.proto->input(0).dims(), ElementsAre(7, 3));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("dims are [7,-1]")));
}

TEST_F(ConfigResolveTest, AnUnknownRankIsWhatTheConfigurationSays) {
  facts_.inputs = {info("x", DataType::kFp32, {})};
  facts_.inputs[0].rank_known = false;
  EXPECT_FALSE(accept("").inputs[0].rank_known);
  const ModelConfig config = accept("max_batch_size: 2 input { name: 'x' dims: [ 4, -1 ] }");
  EXPECT_TRUE(config.inputs[0].rank_known);
  EXPECT_THAT(config.inputs[0].shape, ElementsAre(-1, 4, -1));
}

TEST_F(ConfigResolveTest, PositionalNamesMeanTheModelsTensors) {
  const ModelConfig config =
      accept("input { name: 'INPUT__1' dims: [ -1, 5 ] } output { name: 'OUTPUT__0' }");
  EXPECT_EQ(config.inputs[0].name, "x");  // in the model's order, so that the numbers stay right
  EXPECT_EQ(config.inputs[1].name, "ids");
  EXPECT_THAT(config.inputs[1].shape, ElementsAre(-1, 5));
  EXPECT_EQ(warnings_.size(), 2U);
  expect_refused("input { name: 'INPUT__2' }", "no such input");
}

TEST_F(ConfigResolveTest, ReshapesWhatHoldsTheSameElements) {
  facts_.inputs[0].shape = {-1};
  const ModelConfig config = accept(
      "max_batch_size: 4 input { name: 'x' dims: 1 reshape { shape: [] } } "
      "output { name: 'y' dims: [ 2, 5 ] reshape { shape: 10 } }");
  EXPECT_THAT(config.inputs[0].shape, ElementsAre(-1, 1));
  ASSERT_EQ(config.input_reshapes.size(), 1U);
  EXPECT_THAT(config.input_reshapes[0].client, ElementsAre(-1, 1));
  EXPECT_THAT(config.input_reshapes[0].engine, ElementsAre(-1));
  ASSERT_EQ(config.output_reshapes.size(), 1U);
  EXPECT_THAT(config.output_reshapes[0].client, ElementsAre(-1, 2, 5));
  EXPECT_THAT(config.output_reshapes[0].engine, ElementsAre(-1, 10));
  const std::string batched = "max_batch_size: 4 ";
  expect_refused(batched + "output { name: 'y' dims: [ 3, 3 ] reshape { shape: 10 } }",
                 "do not hold the same elements");
  expect_refused(batched + "output { name: 'y' dims: [ 3, 3 ] reshape { shape: 9 } }",
                 "reshape.shape is [9]");
  expect_refused(batched + "output { name: 'y' reshape { shape: 10 } }", "reshape needs dims");
  expect_refused(batched + "output { name: 'y' dims: 0 reshape { shape: 10 } }", "hold 0");
}

TEST_F(ConfigResolveTest, KnowsTheNamesOfPlatformsAndBackends) {
  EXPECT_EQ(accept("platform: 'onnxruntime_onnx' backend: 'onnxruntime'").proto->platform(),
            "onnxruntime_onnx");
  expect_refused("platform: 'tensorrt_plan'", "platform is 'tensorrt_plan'");
  expect_refused("platform: 'tensorflow_savedmodel'", "but the model is 'onnxruntime_onnx'");
  expect_refused("backend: 'python'", "backend is 'python', but the model is run by 'onnxruntime'");
  expect_refused("backend: 'tensorflow'", "backend");
  facts_.source_format = "savedmodel";
  EXPECT_EQ(accept("platform: 'tensorflow_savedmodel'").proto->platform(), "tensorflow_savedmodel");
  expect_warning("backend: 'tensorflow'", "the model is run by 'onnxruntime'");
  facts_.engine = "another";
  expect_refused("backend: 'onnxruntime'", "run by 'another'");
}

TEST_F(ConfigResolveTest, AGpuIsNeverReplacedSilently) {
  const std::string gpu = "instance_group { kind: KIND_GPU gpus: 0 } ";
  expect_refused(gpu, "instance_group 'm_0' asks for KIND_GPU");
  const auto fallback = [&](std::string_view value) {
    return base::str_cat(gpu, "parameters { key: 'allow_cpu_fallback' value { string_value: '",
                         value, "' } }");
  };
  expect_refused(fallback("false"), "KIND_GPU");
  expect_refused(fallback("yes"), "allow_cpu_fallback is 'yes'; it must be 'true' or 'false'");
  const ModelConfig config = accept(fallback("true"));
  EXPECT_EQ(config.proto->instance_group(0).kind(), inference::ModelInstanceGroup::KIND_CPU);
  const std::string& group = config.proto->instance_group(0).name();
  EXPECT_THAT(config.proto->parameters().at("placement." + group).string_value(),
              HasSubstr("CPU instead of KIND_GPU"));
  facts_.places = {{"m_0", "nvidia:0", false, 0, ""}};
  EXPECT_EQ(accept(gpu).proto->instance_group(0).kind(), inference::ModelInstanceGroup::KIND_GPU);
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(ConfigResolveTest, SaysWhereInstancesAreAndWhatFellBack) {
  facts_.places = {{"m_0", "nvidia:0", false, 0, ""},
                   {"m_0", "nvidia:2", false, 2, "not on nvidia:2: 2 nodes: NonZero x2"},
                   {"m_1", "cpu", true, -1, ""},
                   {"m_2", "edgetpu:0", false, -1, ""}};
  const ModelConfig config =
      accept("instance_group [ { count: 2 }, { kind: KIND_CPU }, { kind: KIND_MODEL } ]");
  const auto& groups = config.proto->instance_group();
  EXPECT_EQ(groups[0].kind(), inference::ModelInstanceGroup::KIND_GPU);
  EXPECT_THAT(groups[0].gpus(), ElementsAre(0, 2));
  EXPECT_EQ(groups[0].count(), 2);
  EXPECT_EQ(groups[1].kind(), inference::ModelInstanceGroup::KIND_CPU);
  EXPECT_EQ(groups[2].kind(), inference::ModelInstanceGroup::KIND_MODEL);
  EXPECT_EQ(config.proto->parameters().size(), 1U);
  EXPECT_EQ(config.proto->parameters().at("placement.m_0").string_value(),
            "not on nvidia:2: 2 nodes: NonZero x2");
  // Without a section the one group has no name before.
  facts_.places = {{"", "nvidia:0", false, 0, "not on nvidia:0: 1 node: Loop"}};
  const ModelConfig unsaid = accept("");
  EXPECT_EQ(unsaid.proto->instance_group(0).kind(), inference::ModelInstanceGroup::KIND_GPU);
  EXPECT_EQ(unsaid.proto->parameters().at("placement.m_0").string_value(),
            "not on nvidia:0: 1 node: Loop");
}

TEST_F(ConfigResolveTest, CompletesInstanceGroups) {
  const ModelConfig config = accept("instance_group [ { count: 2 }, { kind: KIND_MODEL } ]");
  EXPECT_EQ(config.proto->instance_group(0).kind(), inference::ModelInstanceGroup::KIND_CPU);
  EXPECT_EQ(config.proto->instance_group(1).name(), "m_1");
  EXPECT_EQ(config.proto->instance_group(1).count(), 1);
  EXPECT_EQ(config.proto->instance_group(1).kind(), inference::ModelInstanceGroup::KIND_MODEL);
  EXPECT_THAT(warnings_, IsEmpty());
  expect_refused("instance_group { count: -1 }", "count -1");
  expect_refused("instance_group { kind: KIND_CPU gpus: 0 }", "names gpus with KIND_CPU");
  expect_refused("instance_group { secondary_devices { device_id: 0 } }", "secondary_devices");
  EXPECT_THAT(accept("instance_group { gpus: 0 }").proto->instance_group(0).gpus(), IsEmpty());
  expect_warning("instance_group { rate_limiter { priority: 2 } }", "rate_limiter has no effect");
}

TEST_F(ConfigResolveTest, RefusesOtherBehaviour) {
  const auto code = absl::StatusCode::kUnimplemented;
  expect_refused("sequence_batching {}", "sequence_batching is not served", code);
  expect_refused("ensemble_scheduling {}", "ensemble", code);
  expect_refused("platform: 'ensemble'", "ensemble", code);
  expect_refused("model_transaction_policy { decoupled: true }", "decoupled", code);
  expect_refused("batch_input { kind: BATCH_ITEM_SHAPE }", "batch_input", code);
  expect_refused("model_repository_agents { agents { name: 'checksum' } }", "agents", code);
  accept("model_transaction_policy { decoupled: false }");
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(ConfigResolveTest, ChecksDynamicBatching) {
  accept("max_batch_size: 8 dynamic_batching { preferred_batch_size: [ 4, 8 ] }");
  EXPECT_THAT(warnings_, IsEmpty());
  expect_warning("max_batch_size: 1 dynamic_batching {}", "joins no requests");
  expect_refused("max_batch_size: 8 dynamic_batching { preferred_batch_size: 9 }",
                 "preferred_batch_size holds 9");
  expect_refused("dynamic_batching { priority_levels: 2 default_priority_level: 3 }",
                 "default_priority_level is 3 of 2");
  expect_refused(
      "dynamic_batching { priority_levels: 2 default_priority_level: 1 "
      "priority_queue_policy { key: 3 value {} } }",
      "a level 3");
}

TEST_F(ConfigResolveTest, SaysWhatHasNoEffect) {
  expect_warning("optimization { graph { level: 1 } }", "optimization.graph");
  expect_warning("optimization { execution_accelerators {} }", "execution_accelerators");
  expect_warning("input { name: 'x' allow_ragged_batch: true }", "allow_ragged_batch");
  expect_warning("model_operations { op_library_filename: 'a.so' }", "model_operations");
  const ModelConfig config = accept(
      "metric_tags { key: 'team' value: 'vision' } "
      "parameters { key: 'k' value { string_value: 'v' } } "
      "optimization { input_pinned_memory { enable: true } }");
  EXPECT_THAT(warnings_, IsEmpty());
  EXPECT_EQ(config.proto->metric_tags().at("team"), "vision");
  EXPECT_EQ(config.proto->parameters().at("k").string_value(), "v");
}

class LabelsTest : public ConfigResolveTest {
 protected:
  LabelsTest() : folder_(fs::path(::testing::TempDir()) / "config_resolve_labels") {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "inner");
    facts_.folder = folder_ / "inner";
    write(folder_ / "secret.txt", "secret\n");
    write(folder_ / "inner" / "labels.txt", "cat\r\ndog\n\nbird");
  }
  ~LabelsTest() override { fs::remove_all(folder_); }
  static void write(const fs::path& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  static std::string labelled(std::string_view file) {
    return base::str_cat("output { name: 'y' label_filename: '", file, "' }");
  }

  fs::path folder_;
};

TEST_F(LabelsTest, AreReadFromTheModelsFolder) {
  const ModelConfig config = accept(labelled("labels.txt"));
  ASSERT_EQ(config.labels.size(), 1U);
  EXPECT_THAT(config.labels.at("y"), ElementsAre("cat", "dog", "", "bird"));
}

TEST_F(LabelsTest, RefuseOtherFiles) {
  expect_refused(labelled("missing.txt"), "label_filename 'missing.txt' can't be opened");
  expect_refused(labelled("../secret.txt"), "leaves the model's folder");
  expect_refused(labelled("a/../../secret.txt"), "leaves the model's folder");
  expect_refused(labelled((folder_ / "secret.txt").string()), "leaves the model's folder");
  expect_refused(labelled("labels.txt\\000.txt"), "leaves the model's folder");
  expect_refused(labelled("."), "is not a regular file");
  ASSERT_EQ(mkfifo((folder_ / "inner" / "pipe").c_str(), 0600), 0);
  expect_refused(labelled("pipe"), "is not a regular file");
  write(folder_ / "inner" / "large.txt", std::string(kMaxLabelBytes + 1, 'a'));
  expect_refused(labelled("large.txt"), "is larger than");
  facts_.folder.clear();
  expect_refused(labelled("labels.txt"), "no folder of its own");
}

}  // namespace
}  // namespace supernova::model
