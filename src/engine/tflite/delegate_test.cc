// External delegates and the Edge TPU's route, with a delegate that stands in for a device.
#include <cstdlib>

#include "engine/tflite/case.h"
#include "engine/tflite/options.h"

namespace supernova::engine::tflite {
namespace {

using testing::IsEmpty;

constexpr char kLibrary[] = "delegate.library";
const sn_device kCpu = device_of(SN_DEVICE_CPU);
const sn_device kEdgeTpu = device_of(SN_DEVICE_EDGETPU);

tensor::Options with(tensor::Options options) {
  options[kLibrary] = SUPERNOVA_TEST_DELEGATE;
  return options;
}

// "ADD@CPU MUL@libtest_delegate.so"
std::string places(const Verdict& verdict) {
  std::string out;
  for (const NodePlacement& node : verdict.placement) {
    out += base::str_cat(out.empty() ? "" : " ", node.op, "@", node.where);
  }
  return out;
}

std::string places(const Session& session) {
  const auto info = session.info();
  return info.ok() ? places(*info) : std::string(info.status().message());
}

using TfliteDelegate = WithLibrary;

TEST_F(TfliteDelegate, TakesNodesAndSaysWhich) {
  const auto it = open(sum_product(), with({{"delegate.option.take", "ADD"}}));
  ASSERT_TRUE(it.ok()) << it.status();
  EXPECT_THAT(run_floats(*it->session, {floats("x", {1, 2}, {3, -4})}), ElementsAre(18, 32));
  EXPECT_EQ(places(*it->session), "ADD@libtest_delegate.so MUL@CPU RELU@CPU");
  const auto info = it->session->info();
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->compatibility, SN_CAN_RUN_PARTLY);
  EXPECT_EQ(info->placement[0].node, "sum");
  EXPECT_EQ(info->placement[0].reason, "");
  EXPECT_EQ(info->placement[1].node, "product");
  EXPECT_THAT(info->placement[1].reason, HasSubstr("does not take it"));
  EXPECT_THAT(info->reason, HasSubstr("leaves 2 of 3 operators to the CPU: 'product' (MUL)"));
}

// The numbers prove who computed them: the delegate adds its mark to every result.
TEST_F(TfliteDelegate, ComputesThemItself) {
  const auto it = open(sum_product(),
                       with({{"delegate.option.take", "ADD,MUL"}, {"delegate.option.mark", "1"}}));
  ASSERT_TRUE(it.ok()) << it.status();
  EXPECT_THAT(run_floats(*it->session, {floats("x", {1, 2}, {3, 4})}), ElementsAre(22, 37));
  EXPECT_EQ(places(*it->session), "ADD@libtest_delegate.so MUL@libtest_delegate.so RELU@CPU");
  // Another shape has it take the nodes anew.
  EXPECT_THAT(run_floats(*it->session, {floats("x", {2, 2}, {3, 4, 0, 1})}),
              ElementsAre(22, 37, 1, 4));
}

TEST_F(TfliteDelegate, OfFixedShapesIsGivenOthersToo) {
  const auto it =
      open(sum_product(), with({{"delegate.option.static", "1"}, {"delegate.option.mark", "1"}}));
  ASSERT_TRUE(it.ok()) << it.status();
  EXPECT_THAT(run_floats(*it->session, {floats("x", {1, 2}, {3, 4})}), ElementsAre(21, 36));
  EXPECT_THAT(run_floats(*it->session, {floats("x", {2, 2}, {3, 4, 0, 1})}),
              ElementsAre(21, 36, 0, 3));
}

TEST_F(TfliteDelegate, SeveralInstancesHaveOneEach) {
  const auto it = open(sum_product(), with({{"delegate.option.mark", "1"}}));
  ASSERT_TRUE(it.ok()) << it.status();
  const auto plain = it->model->open_session(kCpu, {});
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_THAT(run_floats(**plain, {floats("x", {1, 2}, {3, 4})}), ElementsAre(18, 32));
  EXPECT_EQ(places(**plain), "ADD@CPU MUL@CPU RELU@CPU");
  EXPECT_THAT(run_floats(*it->session, {floats("x", {1, 2}, {3, 4})}), ElementsAre(21, 36));
}

TEST_F(TfliteDelegate, StrictDeviceForbidsTheCpu) {
  const auto partly = open(sum_product(), with({{"strict_device", "true"}}));
  EXPECT_EQ(partly.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(refusal(partly), HasSubstr("leaves 2 of 3 operators to the CPU: 'product' (MUL), "
                                         "'y' (RELU); strict_device forbids that"));
  TfModel sum;
  const auto x = sum.input({.shape = {2}, .name = "x"});
  sum.op("ADD", {x, x}, {sum.tensor({.shape = {2}, .name = "y"})});
  sum.set_outputs({1});
  const auto whole = open(sum, with({{"strict_device", "true"}}));
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(whole->session->info()->compatibility, SN_CAN_RUN);
  EXPECT_EQ(places(*whole->session), "ADD@libtest_delegate.so");
}

TEST_F(TfliteDelegate, ThatTakesNothingIsNoDevice) {
  const tensor::Options nothing = with({{"delegate.option.take", "none"}});
  EXPECT_THAT(refusal(open(sum_product(), nothing, kEdgeTpu)),
              HasSubstr("none would run on the device"));
  // On the CPU it is allowed, and shown.
  const auto it = open(sum_product(), nothing);
  ASSERT_TRUE(it.ok()) << it.status();
  EXPECT_EQ(places(*it->session), "ADD@CPU MUL@CPU RELU@CPU");
}

TEST_F(TfliteDelegate, SaysWhyItCanNotBeHad) {
  const auto library = [](const char* path) {
    return refusal(open(sum_product(), {{kLibrary, path}}));
  };
  EXPECT_THAT(library("/nowhere/delegate.so"), HasSubstr("/nowhere/delegate.so"));
  EXPECT_THAT(library(SUPERNOVA_NO_DELEGATE),
              HasSubstr("exports no tflite_plugin_create_delegate"));
  EXPECT_THAT(refusal(open(sum_product(), with({{"delegate.option.fail", "create"}}))),
              HasSubstr("can't be made with fail=create: no device answers"));
  EXPECT_THAT(refusal(open(sum_product(), with({{"delegate.option.fail", "prepare"}}))),
              HasSubstr("the graph does not fit the device"));
  EXPECT_THAT(refusal(open(sum_product(), {{"delegate.option.take", "ADD"}})),
              HasSubstr("delegate.library names none"));
}

TEST_F(TfliteDelegate, ThatLosesItsDeviceFailsTheRun) {
  const auto it = open(sum_product(), with({{"delegate.option.fail", "invoke"}}));
  ASSERT_TRUE(it.ok()) << it.status();
  const auto response = run(*it->session, {floats("x", {1, 2}, {1, 2})});
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable) << response.status();
  EXPECT_THAT(std::string(response.status().message()), HasSubstr("the device was unplugged"));
}

// Nothing in this process can stop that: such a library belongs into a worker.
TEST_F(TfliteDelegate, ThatAbortsTakesTheProcessAlong) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT((void)open(sum_product(), with({{"delegate.option.abort", "create"}})),
              testing::KilledBySignal(SIGABRT), "");
}

// A file as the Edge TPU's compiler makes it: what it could map is one custom operator.
TfModel compiled(bool all = true) {
  TfModel model;
  const auto x = model.input({.shape = {2}, .name = "x"});
  const auto twice = model.tensor({.shape = {2}, .name = "twice"});
  model.op("edgetpu-custom-op", {x}, {twice}, {}, "compiled code");
  const auto y = all ? twice : model.tensor({.shape = {2}, .name = "y"});
  if (!all) model.op("MUL", {twice, x}, {y});
  model.set_outputs({y});
  return model;
}

TEST_F(TfliteDelegate, RunsWhatIsCompiledForTheEdgeTpu) {
  const tensor::Options options = with({{"delegate.option.take", "edgetpu-custom-op"}});
  for (const bool fixed : {false, true}) {
    tensor::Options more = options;
    more["delegate.option.static"] = fixed ? "1" : "0";
    const auto it = open(compiled(false), more, kEdgeTpu);
    ASSERT_TRUE(it.ok()) << it.status();
    EXPECT_THAT(run_floats(*it->session, {floats("x", {2}, {3, 4})}), ElementsAre(18, 32));
    EXPECT_EQ(places(*it->session), "edgetpu-custom-op@EDGETPU MUL@CPU");
  }
  tensor::Options strict = options;
  strict["strict_device"] = "true";
  EXPECT_THAT(refusal(open(compiled(false), strict, kEdgeTpu)), HasSubstr("'y' (MUL)"));
  EXPECT_TRUE(open(compiled(), strict, kEdgeTpu).ok());
}

TEST_F(TfliteDelegate, WhatIsCompiledForTheEdgeTpuNeedsOne) {
  const auto on_cpu = open(compiled());
  EXPECT_EQ(on_cpu.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(refusal(on_cpu), HasSubstr("ask for the device edgetpu"));
  EXPECT_THAT(refusal(open(sum_product(), {}, kEdgeTpu)), HasSubstr("not compiled for the Edge"));
  EXPECT_THAT(refusal(open(sum_product(), {}, device_of(SN_DEVICE_FPGA))), HasSubstr("CPU"));
}

TEST_F(TfliteDelegate, SaysThatTheEdgeTpusLibraryIsMissing) {
  const auto engine = Engine::open(&entry, {});
  ASSERT_TRUE(engine.ok()) << engine.status();
  const auto verdict = (*engine)->can_drive(kEdgeTpu, {});
  ASSERT_TRUE(verdict.ok()) << verdict.status();
  if (verdict->compatibility == SN_CAN_RUN) GTEST_SKIP() << "libedgetpu.so.1 is installed";
  EXPECT_THAT(verdict->reason, HasSubstr("libedgetpu.so.1"));
  EXPECT_THAT(verdict->reason, HasSubstr("libedgetpu1-std"));
  EXPECT_THAT(refusal(open(compiled(), {}, kEdgeTpu)), HasSubstr("libedgetpu1-std"));
  EXPECT_EQ((*engine)->can_drive(kCpu, {})->compatibility, SN_CAN_RUN);
}

TEST_F(TfliteDelegate, JudgesFiles) {
  const auto engine = Engine::open(&entry, {});
  ASSERT_TRUE(engine.ok()) << engine.status();
  const auto judged = [&](const TfModel& model, const tensor::Options& options = {}) {
    const auto verdict = (*engine)->can_run(artefact_of(model.file()), kCpu, options);
    EXPECT_TRUE(verdict.ok()) << verdict.status();
    return verdict.ok() ? *verdict : Verdict{};
  };
  EXPECT_EQ(judged(sum_product()).compatibility, SN_CAN_RUN);
  EXPECT_EQ(judged(sum_product(), with({})).compatibility, SN_CAN_RUN_PARTLY);
  EXPECT_EQ(judged(compiled()).compatibility, SN_CAN_NOT_RUN);
  EXPECT_THAT(judged(compiled()).reason, HasSubstr("compiled for the Edge TPU"));
  Artefact onnx = artefact_of("onnx");
  onnx.format = "onnx";
  EXPECT_EQ((*engine)->can_run(onnx, kCpu, {})->compatibility, SN_CAN_NOT_RUN);
}

std::string edge_tpu_told(uint32_t vendor, int ordinal, const Options& options = {}) {
  sn_device device = device_of(SN_DEVICE_EDGETPU, ordinal);
  device.vendor_id = vendor;
  const auto choice = delegate_choice(device, options);
  if (!choice.ok()) return std::string(choice.status().message());
  std::string out = choice->library;
  for (const auto& [key, value] : choice->options) out += base::str_cat(" ", key, "=", value);
  return out;
}

TEST(TfliteOptions, NameTheEdgeTpu) {
  EXPECT_EQ(edge_tpu_told(0x18d1, 1), "libedgetpu.so.1 device=usb:1");
  EXPECT_EQ(edge_tpu_told(0x1a6e, 0), "libedgetpu.so.1 device=usb:0");
  EXPECT_EQ(edge_tpu_told(0x1ac1, 0), "libedgetpu.so.1 device=pci:0");
  EXPECT_EQ(edge_tpu_told(0, 2), "libedgetpu.so.1 device=:2");
  EXPECT_EQ(edge_tpu_told(0x1ac1, 0, {{"delegate.option.device", "pci:3"}}),
            "libedgetpu.so.1 device=pci:3");
}

TEST(TfliteOptions, Threads) {
  EXPECT_EQ(*thread_count({}, 8), 1);
  EXPECT_EQ(*thread_count({{"intra_op_threads", "0"}}, 8), 8);
  EXPECT_EQ(*thread_count({{"intra_op_threads", "16"}}, 8), 8);
  EXPECT_EQ(*thread_count({{"intra_op_threads", "4"}}, 0), 4);
  EXPECT_FALSE(thread_count({{"intra_op_threads", "many"}}, 8).ok());
  EXPECT_FALSE(uses_xnnpack({{"xnnpack", "no"}}).ok());
}

}  // namespace
}  // namespace supernova::engine::tflite
