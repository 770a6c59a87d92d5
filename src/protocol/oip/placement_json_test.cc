#include "protocol/oip/placement_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supernova::protocol::oip {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

service::ModelPlacement on_a_gpu() {
  model::PlacementReport report;
  report.engine = "ort";
  report.engine_version = "1.2";
  report.isolation = "worker";
  report.format = "onnx";
  report.source_format = "tflite";
  report.reason = "the device nvidia:0 was asked for";
  report.operators = {{"Conv", 3}};
  model::InstanceReport& gpu = report.instances.emplace_back();
  gpu.group = "m_0";
  gpu.device = "nvidia:0";
  gpu.device_model = "A \"GPU\"";
  gpu.sessions = 2;
  gpu.limit = 2;
  gpu.partly = true;
  gpu.expected.expected_latency_ns = 70;
  gpu.expected.host_memory_bytes = 1;
  gpu.opened.host_memory_bytes = 2;
  gpu.first_run_ns = 90;
  gpu.operators = {{"Conv", "CUDA", "", 2}, {"NonZero", "CPU", "no kernel", 1}};
  gpu.fallback = {{"node 7", "NonZero", "CPU", "no kernel"}};
  model::InstanceReport& cpu = report.instances.emplace_back();
  cpu.device = "cpu";
  cpu.sessions = 1;
  cpu.first_session = 2;
  report.rejected = {{"lite", "tflite", "cpu", "ort comes before it"},
                     {"", "", "npu:0", "no driver"}};
  report.warnings = {"not on nvidia:0: 1 node: NonZero (no kernel)"};
  service::ModelPlacement placement;
  placement.name = "m";
  placement.version = "4";
  placement.state = "ready";
  placement.sessions = {{"nvidia:0", 5, ""}, {"nvidia:0", 6, "it was unplugged"}, {"cpu", 7, ""}};
  placement.moved = 3;
  placement.report = std::make_shared<const model::PlacementReport>(std::move(report));
  return placement;
}

TEST(PlacementJson, SaysWhatRunsWhereAndWhatDoesNot) {
  EXPECT_EQ(
      placement_json(on_a_gpu()),
      R"({"name":"m","version":"4","state":"ready","engine":"ort","engine_version":"1.2",)"
      R"("isolation":"worker","format":"onnx","source_format":"tflite",)"
      R"("reason":"the device nvidia:0 was asked for","instances":[)"
      R"({"group":"m_0","device":"nvidia:0","device_model":"A \"GPU\"","count":2,"whole":false,)"
      R"("expected_latency_ns":70,"first_run_ns":90,"host_memory_bytes":2,)"
      R"("operators":[{"op":"Conv","where":"CUDA","count":2},)"
      R"({"op":"NonZero","where":"CPU","count":1,"reason":"no kernel"}],)"
      R"("fallback":[{"node":"node 7","op":"NonZero","where":"CPU","reason":"no kernel"}],)"
      R"("sessions":[{"state":"ready","runs":5},)"
      R"({"state":"lost","reason":"it was unplugged","runs":6}]},)"
      R"({"device":"cpu","whole":true,"operators":[{"op":"Conv","where":"cpu","count":3}],)"
      R"("fallback":[],"sessions":[{"state":"ready","runs":7}]}],)"
      R"("fallback_nodes":1,"moved_requests":3,)"
      R"("rejected":[{"engine":"lite","format":"tflite","device":"cpu","reason":"ort comes before it"},)"
      R"({"device":"npu:0","reason":"no driver"}],)"
      R"x("warnings":["not on nvidia:0: 1 node: NonZero (no kernel)"]})x");
}

TEST(PlacementJson, AModelThatCouldNotBePlacedSaysWhy) {
  model::PlacementReport report;
  report.failure = "no engine can run this model: ort: too new";
  report.rejected = {{"ort", "onnx", "cpu", "too new"}};
  service::ModelPlacement placement;
  placement.name = "m";
  placement.version = "1";
  placement.state = "failed";
  placement.report = std::make_shared<const model::PlacementReport>(report);
  const std::string json = placement_json(placement);
  EXPECT_THAT(json, HasSubstr(R"("failure":"no engine can run this model: ort: too new")"));
  EXPECT_THAT(json, HasSubstr(R"("instances":[],"fallback_nodes":0)"));
  EXPECT_THAT(json, Not(HasSubstr(R"("engine_version")")));
}

}  // namespace
}  // namespace supernova::protocol::oip
