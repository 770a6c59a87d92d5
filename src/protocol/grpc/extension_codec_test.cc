#include "protocol/grpc/extension_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supernova::protocol::grpc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename T>
void expect_refused(const base::Result<T>& result, const std::string& text,
                    absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
  EXPECT_EQ(result.status().code(), code) << result.status();
  EXPECT_THAT(std::string(base::message(result.status())), HasSubstr(text));
}

TEST(ExtensionCodecTest, StatisticsCarryEveryKey) {
  service::ModelStatistics one{"m", "3", {}};
  model::StatisticsSnapshot& totals = one.statistics;
  totals.last_inference_ms = 1;
  totals.inference_count = 2;
  totals.execution_count = 3;
  totals.success = {4, 5};
  totals.fail = {6, 7};
  totals.queue = {8, 9};
  totals.compute_input = {10, 11};
  totals.compute_infer = {12, 13};
  totals.compute_output = {14, 15};
  totals.cache_hit = {16, 17};
  totals.cache_miss = {18, 19};
  totals.batches.push_back({20, {21, 22}, {23, 24}, {25, 26}});
  totals.load.memory_bytes = 27;
  inference::ModelStatisticsResponse message;
  fill(std::vector<service::ModelStatistics>{one}, message);
  EXPECT_EQ(message.ShortDebugString(),
            "model_stats { name: \"m\" version: \"3\" last_inference: 1 inference_count: 2 "
            "execution_count: 3 inference_stats { success { count: 4 ns: 5 } fail { count: 6 ns: 7 "
            "} queue { count: 8 ns: 9 } compute_input { count: 10 ns: 11 } compute_infer { count: "
            "12 ns: 13 } compute_output { count: 14 ns: 15 } cache_hit { count: 16 ns: 17 } "
            "cache_miss { count: 18 ns: 19 } } batch_stats { batch_size: 20 compute_input { count: "
            "21 ns: 22 } compute_infer { count: 23 ns: 24 } compute_output { count: 25 ns: 26 } } "
            "memory_usage { type: \"CPU\" byte_size: 27 } }");
}

TEST(ExtensionCodecTest, IndexAndRegions) {
  inference::RepositoryIndexResponse index;
  fill(std::vector<model::IndexEntry>{{"a", "1", "UNAVAILABLE", "broken"}, {"b", "", "", ""}},
       index);
  EXPECT_EQ(index.ShortDebugString(),
            "models { name: \"a\" version: \"1\" state: \"UNAVAILABLE\" reason: \"broken\" } "
            "models { name: \"b\" }");
  inference::SystemSharedMemoryStatusResponse regions;
  fill(std::vector<service::SharedMemoryRegion>{{"r", "/key", 8, 64}}, regions);
  const auto& region = regions.regions().at("r");
  EXPECT_EQ(region.name(), "r");
  EXPECT_EQ(region.key(), "/key");
  EXPECT_EQ(region.offset(), 8u);
  EXPECT_EQ(region.byte_size(), 64u);
}

TEST(ExtensionCodecTest, LoadParameters) {
  auto message = std::make_shared<inference::RepositoryModelLoadRequest>();
  auto& parameters = *message->mutable_parameters();
  ASSERT_TRUE(decode_load(message).ok());
  parameters["file:1/model.onnx"].set_bytes_param("content");
  expect_refused(decode_load(message), "'config' must be given");
  parameters["config"].set_string_param("{}");
  auto load = decode_load(message);
  ASSERT_TRUE(load.ok()) << load.status();
  EXPECT_EQ(load->config, "{}");
  ASSERT_EQ(load->files.size(), 1u);
  EXPECT_EQ(load->files[0].path, "1/model.onnx");
  parameters["file:1/model.onnx"].set_string_param("content");
  expect_refused(decode_load(message), "'file:1/model.onnx' must be bytes");
  parameters.erase("file:1/model.onnx");
  parameters["config"].set_bool_param(true);
  expect_refused(decode_load(message), "'config' must be a string");
  parameters.erase("config");
  parameters["colour"].set_string_param("red");
  expect_refused(decode_load(message), "unrecognized load parameter 'colour'");
}

TEST(ExtensionCodecTest, FilesOutliveTheCallersMessage) {
  auto message = std::make_shared<inference::RepositoryModelLoadRequest>();
  (*message->mutable_parameters())["config"].set_string_param("{}");
  (*message->mutable_parameters())["file:1/m"].set_bytes_param(std::string(1000, 'x'));
  const auto load = decode_load(message);
  ASSERT_TRUE(load.ok());
  message.reset();
  EXPECT_EQ(load->files[0].content.view(), std::string(1000, 'x'));
}

TEST(ExtensionCodecTest, UnloadParameters) {
  inference::RepositoryModelUnloadRequest message;
  EXPECT_FALSE(*decode_unload(message));
  (*message.mutable_parameters())["unload_dependents"].set_bool_param(true);
  EXPECT_TRUE(*decode_unload(message));
  (*message.mutable_parameters())["unload_dependents"].set_int64_param(1);
  expect_refused(decode_unload(message), "must be a boolean");
  message.clear_parameters();
  (*message.mutable_parameters())["colour"];
  expect_refused(decode_unload(message), "'colour'");
}

TEST(ExtensionCodecTest, TraceSettings) {
  inference::TraceSettingRequest message;
  auto& settings = *message.mutable_settings();
  settings["trace_level"].add_value("TIMESTAMPS");
  settings["trace_level"].add_value("TENSORS");
  settings["trace_rate"].add_value("7");
  settings["trace_count"];
  auto update = decode_trace_update(message);
  ASSERT_TRUE(update.ok()) << update.status();
  EXPECT_THAT(**update->level, ElementsAre("TIMESTAMPS", "TENSORS"));
  EXPECT_EQ(**update->rate, "7");
  ASSERT_TRUE(update->count.has_value());
  EXPECT_FALSE(update->count->has_value());  // back to the global value
  EXPECT_FALSE(update->log_frequency.has_value());
  settings["trace_rate"].add_value("8");
  expect_refused(decode_trace_update(message), "'trace_rate' takes one value, not 2");
  settings.erase("trace_rate");
  settings["colour"].add_value("red");
  expect_refused(decode_trace_update(message), "unknown trace setting 'colour'");

  inference::TraceSettingResponse response;
  fill(service::TraceSettings{{"OFF"}, "1000", "-1", "0", "trace.json", "triton"}, response);
  EXPECT_EQ(response.settings().at("trace_level").value(0), "OFF");
  EXPECT_EQ(response.settings().at("trace_rate").value(0), "1000");
  EXPECT_EQ(response.settings().at("trace_count").value(0), "-1");
  EXPECT_EQ(response.settings().at("log_frequency").value(0), "0");
  EXPECT_EQ(response.settings().at("trace_file").value(0), "trace.json");
  EXPECT_EQ(response.settings().at("trace_mode").value(0), "triton");
}

TEST(ExtensionCodecTest, LogSettings) {
  inference::LogSettingsRequest message;
  auto& settings = *message.mutable_settings();
  settings["log_info"].set_bool_param(false);
  settings["log_verbose_level"].set_uint32_param(4);
  settings["log_format"].set_string_param("ISO8601");
  const auto update = decode_log_update(message);
  ASSERT_TRUE(update.ok()) << update.status();
  const service::LogSettings expected{{"log_info", false},
                                      {"log_verbose_level", int64_t{4}},
                                      {"log_format", std::string("ISO8601")}};
  EXPECT_EQ(*update, expected);
  settings["log_error"];
  expect_refused(decode_log_update(message), "'log_error' has no value");

  inference::LogSettingsResponse response;
  fill(expected, response);
  EXPECT_TRUE(response.settings().at("log_info").has_bool_param());
  EXPECT_EQ(response.settings().at("log_verbose_level").uint32_param(), 4u);
  EXPECT_EQ(response.settings().at("log_format").string_param(), "ISO8601");
}

}  // namespace
}  // namespace supernova::protocol::grpc
