#include "model/config_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supernova::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string text_error(std::string_view text) {
  const auto parsed = parse_config_text(text, "m/config.pbtxt");
  if (parsed.ok()) return "";
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(base::message(parsed.status()));
}

std::string json_error(std::string_view text) {
  const auto parsed = parse_config_json(text, "load request");
  if (parsed.ok()) return "";
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(base::message(parsed.status()));
}

TEST(ConfigTextTest, ReadsWhatConfigurationsAreMadeOf) {
  const auto parsed = parse_config_text(R"(
    # a comment
    name: "resnet"
    platform: "onnxruntime_onnx"
    max_batch_size: 8
    input [
      { name: "x" data_type: TYPE_FP32 format: FORMAT_NCHW dims: [ 3, 224, -1 ] }
    ]
    output { name: "y", data_type: TYPE_FP32, dims: 1000, label_filename: "labels.txt" }
    instance_group [ { kind: KIND_GPU count: 2 gpus: [ 0, 1 ] } ]
    version_policy: { specific { versions: 1 versions: 3 } }
    dynamic_batching { preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 100 }
    optimization { execution_accelerators {
      gpu_execution_accelerator : [ { name : "tensorrt" parameters { key: "p" value: "FP16" } } ]
    } }
    parameters { key: "k" value: { string_value: "v" } }
    model_warmup [ { name: "w" batch_size: 1
      inputs { key: "x" value: { data_type: TYPE_FP32 dims: 3 zero_data: true } } } ]
  )",
                                        "config.pbtxt");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->warnings, IsEmpty());
  const inference::ModelConfig& config = parsed->config;
  EXPECT_EQ(config.name(), "resnet");
  EXPECT_THAT(config.input(0).dims(), ElementsAre(3, 224, -1));
  EXPECT_THAT(config.instance_group(0).gpus(), ElementsAre(0, 1));
  EXPECT_THAT(config.version_policy().specific().versions(), ElementsAre(1, 3));
  EXPECT_EQ(
      config.optimization().execution_accelerators().gpu_execution_accelerator(0).parameters().at(
          "p"),
      "FP16");
  EXPECT_TRUE(config.model_warmup(0).inputs().at("x").zero_data());
}

TEST(ConfigTextTest, NamesEachUnknownFieldWithItsPlace) {
  const auto parsed = parse_config_text(
      "name: \"m\"\n"
      "colour: \"red\"\n"
      "input {\n"
      "\tname: \"x\"\n"
      "\ttaste : { sweet: 1 }\n"
      "}\n"
      "[a.b]: 3\n",
      "m/config.pbtxt");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->config.name(), "m");
  EXPECT_EQ(parsed->config.input(0).name(), "x");
  EXPECT_THAT(parsed->warnings, ElementsAre("m/config.pbtxt:2:1: unknown field 'colour' is ignored",
                                            "m/config.pbtxt:5:2: unknown field 'taste' is ignored",
                                            "m/config.pbtxt:7:2: unknown field 'a.b' is ignored"));
}

TEST(ConfigTextTest, NamesLineAndColumnOfErrors) {
  EXPECT_THAT(text_error("name: \"m\"\nmax_batch_size: \"8\"\n"),
              HasSubstr("m/config.pbtxt:2:17: Expected integer"));
  EXPECT_THAT(text_error("input {\n"), HasSubstr("m/config.pbtxt:2:1: "));
  EXPECT_THAT(text_error("input { data_type: TYPE_FLOAT }"),
              HasSubstr("m/config.pbtxt:1:31: Unknown enumeration value of \"TYPE_FLOAT\""));
  EXPECT_THAT(text_error("max_batch_size: 9999999999"), HasSubstr("out of range"));
  EXPECT_THAT(text_error("name: 'a' name: 'b'"), HasSubstr("multiple times"));
  EXPECT_THAT(text_error("dynamic_batching {} sequence_batching {}"), HasSubstr("oneof"));
  EXPECT_THAT(text_error("name: 'a"), HasSubstr("m/config.pbtxt:1:"));
}

TEST(ConfigTextTest, RefusesValuesThatNobodyCanUse) {
  EXPECT_THAT(text_error("input { name: 'a' } input { name: '\\xff' }"),
              HasSubstr("m/config.pbtxt: input[1].name is not UTF-8"));
  EXPECT_THAT(text_error("metric_tags { key: 'a' value: '\\xff' }"), HasSubstr("UTF-8"));
  EXPECT_THAT(text_error("instance_group { kind: 9 }"),
              HasSubstr("instance_group[0].kind has no value 9"));
  EXPECT_THAT(text_error("model_metrics { metric_control { histogram_options { buckets: inf } } }"),
              HasSubstr("finite"));
  EXPECT_THAT(text_error("name: \"\xff\""), HasSubstr("m/config.pbtxt is not UTF-8 text"));
}

TEST(ConfigTextTest, IsBounded) {
  EXPECT_THAT(text_error(std::string(kMaxConfigBytes + 1, ' ')), HasSubstr("bytes"));
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "a{";
  EXPECT_THAT(text_error(deep), HasSubstr("too deep"));
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "a:1\n";
  const auto parsed = parse_config_text(many, "f");
  ASSERT_TRUE(parsed.ok());
  ASSERT_EQ(parsed->warnings.size(), 101U);
  EXPECT_EQ(parsed->warnings.back(), "f: 900 more unknown fields are ignored");
}

TEST(ConfigJsonTest, ReadsItsOwnOutput) {
  const auto text = parse_config_text(
      "name: 'm' version_policy { specific { versions: 9007199254740993 } } "
      "dynamic_batching { max_queue_delay_microseconds: 18446744073709551615 "
      "priority_queue_policy { key: 1 value { max_queue_size: 2 } } } "
      "input { name: 'x' data_type: TYPE_STRING dims: -1 reshape { shape: [] } }",
      "f");
  ASSERT_TRUE(text.ok()) << text.status();
  const auto again = parse_config_json(config_json(text->config), "load request");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(again->warnings, IsEmpty());
  EXPECT_EQ(again->config.SerializeAsString(), text->config.SerializeAsString());
}

TEST(ConfigJsonTest, NamesUnknownFields) {
  const auto parsed = parse_config_json(
      R"({"maxBatchSize": 4, "colour": 1, "input": [{"name": "x"}, {"name": "y", "taste": {}}],
          "parameters": {"k": {"string_value": "v", "smell": null}}, "dynamic_batching": null})",
      "load request");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->config.max_batch_size(), 4);
  EXPECT_EQ(parsed->config.input(1).name(), "y");
  EXPECT_EQ(parsed->config.parameters().at("k").string_value(), "v");
  EXPECT_THAT(parsed->warnings, ::testing::UnorderedElementsAre(
                                    "load request: unknown field 'colour' is ignored",
                                    "load request: unknown field 'input[1].taste' is ignored",
                                    "load request: unknown field 'parameters.k.smell' is ignored"));
}

TEST(ConfigJsonTest, RefusesWhatIsKnownAndWrong) {
  EXPECT_THAT(json_error(R"({"max_batch_size": "x"})"), HasSubstr("max_batch_size"));
  EXPECT_THAT(json_error(R"({"max_batch_size": 8.5})"), HasSubstr("max_batch_size"));
  EXPECT_THAT(json_error(R"({"name": 5, "colour": 1})"), HasSubstr("name"));
  // Also where an unknown field makes the reading lenient.
  EXPECT_THAT(json_error(R"({"colour": 1, "input": [{"data_type": "TYPE_FLOAT"}]})"),
              HasSubstr("input[0].data_type has no value 'TYPE_FLOAT'"));
  EXPECT_THAT(json_error(R"({"instance_group": [{"kind": 9}]})"), HasSubstr("kind"));
  EXPECT_THAT(json_error(R"({"name" "m"})"), HasSubstr("load request: Expected :"));
  EXPECT_NE(json_error("[]"), "");
  EXPECT_NE(json_error(""), "");
  EXPECT_THAT(json_error(std::string(200'000, '[')), HasSubstr("nested deeper"));
  EXPECT_THAT(json_error(std::string(kMaxConfigBytes + 1, ' ')), HasSubstr("bytes"));
}

TEST(ConfigJsonTest, IsTheSameTextWhateverTheOrderOfMaps) {
  const auto parsed = parse_config_text(
      "metric_tags { key: 'b' value: '2' } metric_tags { key: '' } metric_tags { key: 'a' } "
      "metric_tags { key: 'b' value: '3' }",
      "f");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(config_json(parsed->config), HasSubstr(R"("metric_tags":{"":"","a":"","b":"3"})"));
}

// What the existing load generator and clients read of a configuration: their readers end the
// program where a key that they expect is missing.
TEST(ConfigJsonTest, HasTheKeysThatClientsRead) {
  const auto parsed = parse_config_text(
      "name: 'm' max_batch_size: 4 input { name: 'x' data_type: TYPE_FP32 dims: 3 } "
      "output { name: 'y' data_type: TYPE_INT64 dims: 1 } model_transaction_policy {} "
      "response_cache { enable: true }",
      "f");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const std::string json = config_json(parsed->config);
  EXPECT_THAT(json, HasSubstr(R"("max_batch_size":4)"));
  EXPECT_THAT(json, HasSubstr(R"("input":[{"name":"x","data_type":"TYPE_FP32",)"));
  EXPECT_THAT(json, HasSubstr(R"("dims":[3],"is_shape_tensor":false,)"));
  EXPECT_THAT(json, HasSubstr(R"("optional":false)"));
  EXPECT_THAT(json, HasSubstr(R"("model_transaction_policy":{"decoupled":false})"));
  EXPECT_THAT(json, HasSubstr(R"("response_cache":{"enable":true})"));
  // Its presence alone would choose another kind of load.
  for (const char* absent : {"sequence_batching", "dynamic_batching", "ensemble_scheduling"}) {
    EXPECT_THAT(json, ::testing::Not(HasSubstr(absent)));
  }
  const auto ensemble = parse_config_text(
      "ensemble_scheduling { step { model_name: 'a' model_version: -1 "
      "input_map { key: 'in' value: 'x' } } }",
      "f");
  EXPECT_THAT(config_json(ensemble->config),
              HasSubstr(R"("ensemble_scheduling":{"step":[{"model_name":"a","model_version":-1,)"
                        R"("input_map":{"in":"x"},)"));
}

}  // namespace
}  // namespace supernova::model
