// ONNX models on other devices than the CPU, through a plug-in execution provider of our own
// (tests/plugin_ep) that takes real nodes, and through providers whose hardware is not here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <stdexcept>
#include <thread>

#include "conformance/engines.h"
#include "support/onnx_models.h"

namespace supernova::conformance {
namespace {

using engine::Options;
using test::Graph;
using test::OnnxType;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;
using testing::StrEq;
using testing::UnorderedElementsAre;

constexpr char kProvider[] = "SupernovaTest";

// The device that the plug-in brings along.
sn_device test_npu() {
  sn_device device{};
  device.size = sizeof(device);
  device.kind = SN_DEVICE_NPU;
  device.vendor_id = 0x5e5e;
  device.product_id = 0x0001;
  return device;
}

sn_device device_of(sn_device_kind kind) {
  sn_device device{};
  device.size = sizeof(device);
  device.kind = kind;
  return device;
}

// y = sin(x * x + x): two nodes for the plug-in, one that it leaves.
std::string mixed_model() {
  Graph graph;
  graph.input("x", OnnxType::kFloat, {"n"})
      .output("y", OnnxType::kFloat, {"n"})
      .node("Mul", {"x", "x"}, {"square"})
      .node("Add", {"square", "x"}, {"sum"})
      .node("Sin", {"sum"}, {"y"});
  return test::onnx_model(graph);
}

// y = x * w + x, all of it for the plug-in.
std::string whole_model() {
  Graph graph;
  graph.input("x", OnnxType::kFloat, {"n", 2})
      .output("y", OnnxType::kFloat, {"n", 2})
      .initializer(test::float_tensor("w", {2}, {10, 100}))
      .node("Mul", {"x", "w"}, {"scaled"})
      .node("Add", {"scaled", "x"}, {"y"});
  return test::onnx_model(graph);
}

class OnnxProviders : public testing::TestWithParam<EngineCase> {
 protected:
  static Options with_plugin(Options more = {}) {
    more.emplace("ep_library", SUPERNOVA_PLUGIN_EP);
    return more;
  }

  base::Result<Opened> open_on(const sn_device& device, const std::string& model,
                               const Options& options, const Options& instance_options = {}) {
    Opened opened;
    SN_ASSIGN(opened.engine, GetParam().open());
    SN_ASSIGN(opened.model, opened.engine->open_model(onnx_artefact(model), options));
    SN_ASSIGN(opened.session, opened.model->open_session(device, instance_options));
    return opened;
  }

  std::string refusal(const sn_device& device, const std::string& model, const Options& options,
                      absl::StatusCode code = absl::StatusCode::kFailedPrecondition) {
    const auto opened = open_on(device, model, options);
    EXPECT_EQ(opened.status().code(), code) << opened.status();
    return std::string(opened.status().message());
  }

  engine::Verdict drives(const sn_device& device, const Options& options = {}) {
    const auto engine = GetParam().open();
    if (!engine.ok()) throw std::runtime_error(engine.status().ToString());
    const auto verdict = (*engine)->can_drive(device, options);
    if (!verdict.ok()) throw std::runtime_error(verdict.status().ToString());
    return *verdict;
  }
};

INSTANTIATE_TEST_SUITE_P(Engines, OnnxProviders, testing::ValuesIn(onnx_engines()),
                         testing::PrintToStringParamName());

// The processes that this one has started and that still run.
std::vector<std::string> children() {
  std::vector<std::string> pids;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(thread.path() / "children");
    for (std::string pid; file >> pid;) pids.push_back(pid);
  }
  return pids;
}

MATCHER_P2(IsPlaced, op, where, "") { return arg.op == op && arg.where == where; }

TEST_P(OnnxProviders, APlugInRunsTheNodesItTakes) {
  const auto it = open_on(test_npu(), mixed_model(), with_plugin());
  ASSERT_TRUE(it.ok()) << it.status();
  const auto response = run(*it->session, {floats("x", {3}, {0, 1, 2})});
  ASSERT_TRUE(response.ok()) << response.status();
  const auto values = values_of<float>(response->outputs[0]);
  ASSERT_EQ(values.size(), 3U);
  EXPECT_NEAR(values[1], std::sin(2.0F), 1e-6);
  EXPECT_NEAR(values[2], std::sin(6.0F), 1e-6);
  const auto info = it->session->info();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_THAT(info->placement,
              UnorderedElementsAre(IsPlaced("Mul", kProvider), IsPlaced("Add", kProvider),
                                   IsPlaced("Sin", "CPU")));
  EXPECT_EQ(info->compatibility, SN_CAN_RUN_PARTLY) << "never silent about what is on the CPU";
  EXPECT_THAT(info->reason, AllOf(HasSubstr("1 of 3 nodes"), HasSubstr("Sin")));
  for (const engine::NodePlacement& node : info->placement) {
    EXPECT_EQ(node.reason.empty(), node.where != "CPU") << node.op << ": " << node.reason;
  }
}

TEST_P(OnnxProviders, AModelThatItTakesWholeIsWholeOnTheDevice) {
  const auto it = open_on(test_npu(), whole_model(), with_plugin({{"strict_device", "true"}}));
  ASSERT_TRUE(it.ok()) << it.status();
  for (const int64_t rows : {1, 3, 3, 2000}) {
    const std::vector<float> ones(static_cast<size_t>(rows) * 2, 1);
    const auto response = run(*it->session, {floats("x", {rows, 2}, ones)});
    ASSERT_TRUE(response.ok()) << response.status();
    const auto values = values_of<float>(response->outputs[0]);
    ASSERT_EQ(values.size(), ones.size());
    EXPECT_EQ(values[0], 11);
    EXPECT_EQ(values.back(), 101);
  }
  const auto info = it->session->info();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->compatibility, SN_CAN_RUN);
  EXPECT_THAT(info->placement,
              UnorderedElementsAre(IsPlaced("Mul", kProvider), IsPlaced("Add", kProvider)));
}

TEST_P(OnnxProviders, StrictDeviceRefusesWhatFallsBackByName) {
  const std::string message =
      refusal(test_npu(), mixed_model(), with_plugin({{"strict_device", "true"}}));
  EXPECT_THAT(message, AllOf(HasSubstr("strict_device"), HasSubstr("npu:0"), HasSubstr("Sin"),
                             HasSubstr("1 of 3 nodes")));
  EXPECT_THAT(
      refusal(cpu(), mixed_model(),
              with_plugin({{"strict_device", "true"}, {"execution_provider", "SupernovaTest"}})),
      HasSubstr("not all of the model runs on SupernovaTestExecutionProvider: 1 of 3"));
}

TEST_P(OnnxProviders, OptionsReachTheProvider) {
  const auto it = open_on(test_npu(), mixed_model(), with_plugin({{"provider.leave", "Mul"}}));
  ASSERT_TRUE(it.ok()) << it.status();
  const auto info = it->session->info();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_THAT(info->placement,
              UnorderedElementsAre(IsPlaced("Mul", "CPU"), IsPlaced("Add", kProvider),
                                   IsPlaced("Sin", "CPU")));
}

TEST_P(OnnxProviders, AProviderIsChosenByName) {
  for (const char* name : {"SupernovaTestExecutionProvider", "supernovatest", "SupernovaTest"}) {
    const auto it = open_on(cpu(), whole_model(),
                            with_plugin({{"execution_provider", name}, {"strict_device", "true"}}));
    ASSERT_TRUE(it.ok()) << name << ": " << it.status();
    EXPECT_TRUE(run(*it->session, {floats("x", {1, 2}, {1, 1})}).ok());
  }
  EXPECT_THAT(refusal(cpu(), whole_model(), with_plugin({{"execution_provider", "Nobody"}})),
              AllOf(HasSubstr("'Nobody'"), HasSubstr("SupernovaTestExecutionProvider")));
}

TEST_P(OnnxProviders, ADeviceIsMatchedByItsIds) {
  sn_device other = test_npu();
  other.product_id = 0x0002;
  EXPECT_THAT(refusal(other, whole_model(), with_plugin()), HasSubstr("npu:0"));
  EXPECT_THAT(refusal(other, whole_model(), with_plugin({{"execution_provider", "SupernovaTest"}})),
              HasSubstr("npu:0"));
  sn_device graphics = test_npu();
  graphics.kind = SN_DEVICE_AMD;
  EXPECT_THAT(refusal(graphics, whole_model(), with_plugin()), HasSubstr("amd:0"));
}

TEST_P(OnnxProviders, PlugInsAreFoundInTheFolderOfTheEnvironment) {
  const auto folder = std::filesystem::path(SUPERNOVA_PLUGIN_EP).parent_path();
  ::setenv("SUPERNOVA_EP_PATH", folder.c_str(), 1);
  const engine::Verdict verdict = drives(test_npu());
  const auto it = open_on(test_npu(), whole_model(), {});
  ::unsetenv("SUPERNOVA_EP_PATH");
  EXPECT_EQ(verdict.compatibility, SN_CAN_RUN) << verdict.reason;
  EXPECT_TRUE(it.ok()) << it.status();
}

TEST_P(OnnxProviders, InstancesOnEveryDeviceLiveSideBySide) {
  const auto engine = GetParam().open();
  ASSERT_TRUE(engine.ok()) << engine.status();
  const auto model = (*engine)->open_model(onnx_artefact(mixed_model()), with_plugin());
  ASSERT_TRUE(model.ok()) << model.status();
  const auto on_npu = (*model)->open_session(test_npu(), {});
  ASSERT_TRUE(on_npu.ok()) << on_npu.status();
  const auto on_cpu = (*model)->open_session(cpu(), {});
  ASSERT_TRUE(on_cpu.ok()) << on_cpu.status();
  const auto again = (*model)->open_session(test_npu(), {});
  ASSERT_TRUE(again.ok()) << again.status();
  std::vector<std::thread> threads;
  for (engine::Session* session : {on_npu->get(), on_cpu->get(), again->get()}) {
    threads.emplace_back([session] {
      for (int i = 0; i < 200; ++i) {
        const auto value = static_cast<float>(i % 7);
        const auto response = run(*session, {floats("x", {1}, {value})});
        ASSERT_TRUE(response.ok()) << response.status();
        EXPECT_NEAR(values_of<float>(response->outputs[0])[0], std::sin(value * value + value),
                    1e-5);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// What a model that is meant for another device says of itself is what it says on the CPU, also
// where the CPU has no kernel for it.
TEST_P(OnnxProviders, ASignatureNeedsNoSessionOnTheCpu) {
  Graph graph;
  graph.input("x", OnnxType::kFloat, {"n", 2})
      .input("w", OnnxType::kFloat, {2})
      .output("x", OnnxType::kFloat, {"n", 2})
      .output("y", OnnxType::kFloat, {"n", 2})
      .initializer(test::float_tensor("w", {2}, {10, 20}))
      .node("Add", {"x", "w"}, {"y"});
  const auto engine = GetParam().open();
  ASSERT_TRUE(engine.ok()) << engine.status();
  const auto artefact = onnx_artefact(test::onnx_model(graph));
  const auto here = (*engine)->open_model(artefact, {});
  ASSERT_TRUE(here.ok()) << here.status();
  const auto there = (*engine)->open_model(artefact, with_plugin({{"device", "npu:0"}}));
  ASSERT_TRUE(there.ok()) << there.status();
  const engine::Signature& a = (*here)->signatures()[0];
  const engine::Signature& b = (*there)->signatures()[0];
  ASSERT_EQ(a.inputs.size(), b.inputs.size());
  for (size_t i = 0; i < a.inputs.size(); ++i) {
    EXPECT_EQ(a.inputs[i].name, b.inputs[i].name);
    EXPECT_EQ(a.inputs[i].shape, b.inputs[i].shape);
    EXPECT_EQ(a.inputs[i].optional, b.inputs[i].optional);
  }
  ASSERT_EQ(a.outputs.size(), b.outputs.size());
  const auto session = (*there)->open_session(test_npu(), {});
  ASSERT_TRUE(session.ok()) << session.status();
  const auto response = run(**session, {floats("x", {1, 2}, {1, 2})}, {"y"});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(values_of<float>(response->outputs[0]), ElementsAre(11, 22));
  // The CPU is still to be had.
  const auto on_cpu = (*there)->open_session(cpu(), {});
  ASSERT_TRUE(on_cpu.ok()) << on_cpu.status();
  EXPECT_TRUE(run(**on_cpu, {floats("x", {1, 2}, {1, 2})}).ok());

  Graph strange;
  strange.input("x", OnnxType::kFloat, {2})
      .output("y", OnnxType::kFloat, {2})
      .node("Frobnicate", {"x"}, {"y"}, {}, "com.vendor");
  const auto vendors =
      (*engine)->open_model(onnx_artefact(test::onnx_model(strange, {{"", 17}, {"com.vendor", 1}})),
                            with_plugin({{"device", "npu:0"}}));
  ASSERT_TRUE(vendors.ok()) << vendors.status();
  EXPECT_EQ((*vendors)->signatures()[0].outputs[0].shape, tensor::Shape({2}));
}

TEST_P(OnnxProviders, RefusesFilesThatAreNoModelsAlsoForADevice) {
  const auto refused = [&](const std::string& model) {
    const auto engine = GetParam().open();
    if (!engine.ok()) return engine.status();
    return (*engine)->open_model(onnx_artefact(model), with_plugin({{"device", "npu:0"}})).status();
  };
  EXPECT_FALSE(refused("this is not a model").ok());
  EXPECT_FALSE(refused(std::string(1000, '\xff')).ok());
  // A stump may still declare what goes in and out; an instance of it can't be opened.
  const std::string model = whole_model();
  for (size_t length = 1; length < model.size(); length += 7) {
    const auto it =
        open_on(test_npu(), model.substr(0, length), with_plugin({{"device", "npu:0"}}));
    EXPECT_FALSE(it.ok()) << length << " of " << model.size() << " bytes";
  }
}

TEST_P(OnnxProviders, ADeviceLostWhileServingIsUnavailableUnlessAWorkerIsReplaced) {
  auto it = open_on(test_npu(), whole_model(), with_plugin({{"provider.lose_after", "4"}}));
  ASSERT_TRUE(it.ok()) << it.status();
  const auto ask = [&] { return run(*it->session, {floats("x", {1, 2}, {1, 1})}).status(); };
  EXPECT_TRUE(ask().ok());
  EXPECT_TRUE(ask().ok());
  for (int i = 0; i < 3; ++i) {
    const base::Status status = ask();
    if (GetParam().is_in_worker) {
      EXPECT_TRUE(status.ok()) << status;
      continue;
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_THAT(
        std::string(status.message()),
        AllOf(HasSubstr("the test device is gone"), HasSubstr("npu:0"),
              HasSubstr("nor could it add two numbers"), HasSubstr("load the model again")));
  }
  it->session.reset();
  it->model.reset();
  const auto loaded_again = open_on(test_npu(), whole_model(), with_plugin());
  ASSERT_TRUE(loaded_again.ok()) << loaded_again.status();
  EXPECT_TRUE(run(*loaded_again->session, {floats("x", {1, 2}, {1, 1})}).ok());
}

// A provider that fails on a request has lost nothing: whoever else is on the device goes on, in a
// worker in the same process.
TEST_P(OnnxProviders, AFailureThatATrialOfTheDeviceDoesNotShareIsTheRequests) {
  const auto it = open_on(test_npu(), whole_model(), with_plugin({{"provider.fail_on", "7"}}));
  ASSERT_TRUE(it.ok()) << it.status();
  const auto neighbour = it->engine->open_model(onnx_artefact(mixed_model()), with_plugin());
  ASSERT_TRUE(neighbour.ok()) << neighbour.status();
  const auto other = (*neighbour)->open_session(test_npu(), {});
  ASSERT_TRUE(other.ok()) << other.status();
  const std::vector<std::string> workers = children();
  for (int i = 0; i < 8; ++i) {
    const base::Status status = run(*it->session, {floats("x", {1, 2}, {7, 1})}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("the test kernel failed"),
                                                     HasSubstr("npu:0"), Not(HasSubstr("lost"))));
    EXPECT_TRUE(run(*it->session, {floats("x", {1, 2}, {1, 1})}).ok());
    EXPECT_TRUE(run(**other, {floats("x", {1}, {1})}).ok());
  }
  EXPECT_THAT(children(), IsSupersetOf(workers)) << "one was replaced";
}

// As after a driver has reset a device: it works, what was open on it does not.
TEST_P(OnnxProviders, AModelThatRanAndFailsManyTimesInARowIsAskedForAnew) {
  const auto it = open_on(test_npu(), whole_model(), with_plugin({{"provider.break_after", "4"}}));
  ASSERT_TRUE(it.ok()) << it.status();
  const auto ask = [&] { return run(*it->session, {floats("x", {1, 2}, {1, 1})}).status(); };
  EXPECT_TRUE(ask().ok());
  EXPECT_TRUE(ask().ok());
  for (int i = 0; i < 19; ++i) {
    const base::Status status = ask();
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("the session is stale"));
  }
  const base::Status last = ask();
  if (GetParam().is_in_worker) {
    EXPECT_TRUE(last.ok()) << last;
    return;
  }
  EXPECT_EQ(last.code(), absl::StatusCode::kUnavailable) << last;
  EXPECT_THAT(std::string(last.message()), HasSubstr("20 runs in a row"));
}

TEST_P(OnnxProviders, AModelThatNeverRanIsNoEvidenceAgainstItsDevice) {
  const auto it = open_on(test_npu(), whole_model(), with_plugin({{"provider.fail_on", "1"}}));
  ASSERT_TRUE(it.ok()) << it.status();
  for (int i = 0; i < 30; ++i) {
    const base::Status status = run(*it->session, {floats("x", {1, 2}, {1, 1})}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  }
}

// The provider leaves the trial's addition to the CPU, which tells nothing of the device.
TEST_P(OnnxProviders, WhereATrialTellsNothingOnlyFailuresInARowAreALoss) {
  const auto it = open_on(test_npu(), whole_model(),
                          with_plugin({{"provider.leave", "Add"}, {"provider.lose_after", "1"}}));
  ASSERT_TRUE(it.ok()) << it.status();
  const auto ask = [&] { return run(*it->session, {floats("x", {1, 2}, {1, 1})}).status(); };
  EXPECT_TRUE(ask().ok());
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ask().code(), absl::StatusCode::kInternal);
  const base::Status fifth = ask();
  EXPECT_EQ(fifth.code(),
            GetParam().is_in_worker ? absl::StatusCode::kOk : absl::StatusCode::kUnavailable)
      << fifth;
}

TEST_P(OnnxProviders, OptionsThatTheProviderDoesNotTakeAreRefusedInItsWords) {
  EXPECT_THAT(refusal(test_npu(), whole_model(), with_plugin({{"provider.colour", "red"}}),
                      absl::StatusCode::kInvalidArgument),
              StrEq("SupernovaTestExecutionProvider on npu:0: the option 'colour' of the test "
                    "provider is 'red'; there is no such option"));
  EXPECT_THAT(refusal(test_npu(), whole_model(), with_plugin({{"provider.memory_limit", "lots"}}),
                      absl::StatusCode::kInvalidArgument),
              AllOf(HasSubstr("'memory_limit'"), HasSubstr("'lots'")));
}

TEST_P(OnnxProviders, OutOfDeviceMemoryIsSaidAndPasses) {
  const auto it =
      open_on(test_npu(), whole_model(), with_plugin({{"provider.memory_limit", "20000"}}));
  ASSERT_TRUE(it.ok()) << it.status();
  const auto ask = [&](int64_t rows) {
    return run(*it->session,
               {floats("x", {rows, 2}, std::vector<float>(static_cast<size_t>(rows) * 2, 1))})
        .status();
  };
  EXPECT_TRUE(ask(10).ok());
  const base::Status status = ask(100000);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("npu:0"), HasSubstr("memory")));
  EXPECT_TRUE(ask(10).ok()) << "what fits is served afterwards";
  EXPECT_THAT(refusal(test_npu(), whole_model(), with_plugin({{"provider.memory_limit", "1"}}),
                      absl::StatusCode::kResourceExhausted),
              HasSubstr("npu:0"));
}

TEST_P(OnnxProviders, LibrariesThatCanNotBeUsedAreRefusedByName) {
  const auto with = [](const std::string& library) { return Options{{"ep_library", library}}; };
  EXPECT_THAT(
      refusal(test_npu(), whole_model(), with("/nowhere/libep.so"), absl::StatusCode::kNotFound),
      HasSubstr("/nowhere/libep.so"));
  EXPECT_THAT(refusal(test_npu(), whole_model(), with(SUPERNOVA_PLUGIN_EP_EMPTY)),
              AllOf(HasSubstr("plugin_ep_empty.so"), HasSubstr("CreateEpFactories")));
  EXPECT_THAT(refusal(test_npu(), whole_model(), with(SUPERNOVA_PLUGIN_EP_FUTURE)),
              AllOf(HasSubstr("plugin_ep_future.so"), HasSubstr("built for API version 1029"),
                    HasSubstr("ONNX Runtime 1.")));
  const auto text = std::filesystem::path(testing::TempDir()) / "no_library.so";
  std::ofstream(text) << "this is no library";
  EXPECT_THAT(refusal(test_npu(), whole_model(), with(text)), HasSubstr("no_library.so"));
  std::filesystem::remove(text);
  // The CPU does not mind.
  const auto it = open_on(cpu(), whole_model(), with(SUPERNOVA_PLUGIN_EP_FUTURE));
  EXPECT_TRUE(it.ok()) << it.status();
}

// Each model has what its own option names, whatever else the process has loaded.
TEST_P(OnnxProviders, TwoVersionsOfAPlugInServeSideBySide) {
  const auto engine = GetParam().open();
  ASSERT_TRUE(engine.ok()) << engine.status();
  const auto mul_is_on = [&](const std::string& libraries) -> std::string {
    const auto model =
        (*engine)->open_model(onnx_artefact(whole_model()), {{"ep_library", libraries}});
    if (!model.ok()) return model.status().ToString();
    const auto session = (*model)->open_session(test_npu(), {});
    if (!session.ok()) return session.status().ToString();
    const auto info = (*session)->info();
    if (!info.ok()) return info.status().ToString();
    for (const engine::NodePlacement& node : info->placement) {
      if (node.op == "Mul") return node.where;
    }
    return "nowhere";
  };
  const std::string first = SUPERNOVA_PLUGIN_EP;
  const std::string second = SUPERNOVA_PLUGIN_EP_V2;
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(mul_is_on(first), kProvider);
    EXPECT_EQ(mul_is_on(second), "CPU");
  }
  EXPECT_EQ(mul_is_on(base::str_cat(first, ":", second)), kProvider) << "the first one named";
  EXPECT_EQ(mul_is_on(base::str_cat(second, ":", first)), "CPU") << "the first one named";
  EXPECT_EQ(mul_is_on(base::str_cat(SUPERNOVA_PLUGIN_EP_SILENT, ":", first)), kProvider);
}

TEST_P(OnnxProviders, WhatAFolderHoldsThatCanNotBeUsedIsSaid) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "plug_ins";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const Options options{{"ep_library", folder}, {"execution_provider", "SupernovaTest"}};
  const auto why = [&] { return refusal(test_npu(), whole_model(), options); };
  std::ofstream(folder / "readme.txt") << "nothing here";
  EXPECT_THAT(why(), HasSubstr("plug_ins' holds no plug-in"));
  std::ofstream(folder / "text.so") << "this is no library";
  std::filesystem::copy_file(SUPERNOVA_PLUGIN_EP, folder / "other.so");
  std::fstream(folder / "other.so", std::ios::in | std::ios::out | std::ios::binary)
      .seekp(18)
      .write("\x08\x00", 2);  // MIPS
  std::filesystem::copy_file(SUPERNOVA_PLUGIN_EP, folder / "half.so");
  std::filesystem::resize_file(folder / "half.so",
                               std::filesystem::file_size(folder / "half.so") / 2);
  std::filesystem::create_symlink("/nowhere/ep.so", folder / "dangling.so");
  std::filesystem::create_symlink(SUPERNOVA_PLUGIN_EP_SILENT, folder / "silent.so");
  EXPECT_THAT(why(),
              AllOf(HasSubstr("text.so' is no execution provider for here: it is no shared"),
                    HasSubstr("other.so' is no execution provider for here: it is built for"),
                    HasSubstr("half.so' is no execution provider for here: its end is"),
                    HasSubstr("dangling.so' does not exist"),
                    HasSubstr("plugin_ep_silent.so, which offers no device")));
  // Beside all that, one that is usable is used.
  std::filesystem::create_symlink(SUPERNOVA_PLUGIN_EP, folder / "usable.so");
  const auto it = open_on(test_npu(), whole_model(), options);
  EXPECT_TRUE(it.ok()) << it.status();
  std::filesystem::remove_all(folder);
}

TEST_P(OnnxProviders, ReloadsManyTimes) {
  const auto engine = GetParam().open();
  ASSERT_TRUE(engine.ok()) << engine.status();
  for (int i = 0; i < 100; ++i) {
    const auto model =
        (*engine)->open_model(onnx_artefact(whole_model()), with_plugin({{"device", "npu:0"}}));
    ASSERT_TRUE(model.ok()) << model.status();
    const auto session = (*model)->open_session(test_npu(), {});
    ASSERT_TRUE(session.ok()) << session.status();
    ASSERT_TRUE(run(**session, {floats("x", {1, 2}, {1, 1})}).ok());
  }
}

TEST_P(OnnxProviders, WhatIsPreparedForTheCpuRunsThereOnly) {
  const auto engine = GetParam().open();
  ASSERT_TRUE(engine.ok()) << engine.status();
  const auto artefact = onnx_artefact(whole_model());
  const auto compile = [&](const sn_device& device, const Options& options) {
    const auto drop = [](std::string_view, std::span<const std::byte>) { return base::Status(); };
    return (*engine)->compile(artefact, device, options, drop).code();
  };
  EXPECT_EQ(compile(test_npu(), with_plugin()), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(compile(cpu(), {{"device", "npu:0"}}), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(compile(cpu(), {{"device", "cpu"}}), absl::StatusCode::kOk);
  tensor::Artefact prepared = artefact;
  prepared.format = "ort";
  const auto verdict = (*engine)->can_run(prepared, test_npu(), with_plugin());
  ASSERT_TRUE(verdict.ok()) << verdict.status();
  EXPECT_EQ(verdict->compatibility, SN_CAN_NOT_RUN);
  EXPECT_THAT(verdict->reason, HasSubstr("prepared for the CPU"));
}

// Of a device that nothing here drives, the reason says what to get.
TEST_P(OnnxProviders, SaysWhatIsMissing) {
  const engine::Verdict npu = drives(device_of(SN_DEVICE_EDGETPU));
  EXPECT_EQ(npu.compatibility, SN_CAN_NOT_RUN);
  EXPECT_THAT(npu.reason, AllOf(HasSubstr("edgetpu:0"), HasSubstr("SUPERNOVA_EP_PATH")));
  const engine::Verdict cpu_by_name =
      drives(device_of(SN_DEVICE_AMD), {{"execution_provider", "cpu"}});
  EXPECT_EQ(cpu_by_name.compatibility, SN_CAN_NOT_RUN);
  const engine::Verdict wrong = drives(device_of(SN_DEVICE_AMD), {{"execution_provider", "cuda"}});
  EXPECT_EQ(wrong.compatibility, SN_CAN_NOT_RUN);
  EXPECT_THAT(wrong.reason, HasSubstr("NVIDIA"));
}

// A machine with a GPU has nothing missing; there the GPU's own suite runs (bench/gpu).
TEST_P(OnnxProviders, WithoutNvidiasLibrariesCudaIsRefusedAndTheCpuServes) {
  const sn_device nvidia = device_of(SN_DEVICE_NVIDIA);
  const engine::Verdict verdict = drives(nvidia);
  if (verdict.compatibility == SN_CAN_RUN) GTEST_SKIP() << "CUDA is complete here";
  EXPECT_THAT(verdict.reason, AllOf(HasSubstr("CUDAExecutionProvider"), HasSubstr("nvidia:0"),
                                    HasSubstr("missing"), HasSubstr(".so")));
  for (const char* provider : {"", "cuda", "tensorrt"}) {
    for (const char* strict : {"true", "false"}) {
      EXPECT_THAT(refusal(nvidia, mixed_model(),
                          {{"execution_provider", provider}, {"strict_device", strict}}),
                  HasSubstr("missing"));
    }
  }
  const auto it = open_on(cpu(), mixed_model(), {});
  ASSERT_TRUE(it.ok()) << it.status();
  EXPECT_TRUE(run(*it->session, {floats("x", {1}, {1})}).ok());
}

TEST_P(OnnxProviders, StrictIsTrueOrFalseOrAMistake) {
  for (const sn_device& device : {cpu(), test_npu()}) {
    EXPECT_THAT(refusal(device, whole_model(), with_plugin({{"strict_device", "yes"}}),
                        absl::StatusCode::kInvalidArgument),
                HasSubstr("strict_device is 'yes'; it must be 'true' or 'false'"));
  }
}

TEST_P(OnnxProviders, ThePlacementOnTheCpuIsToldToWhoAsks) {
  const auto quiet = open_on(cpu(), mixed_model(), {});
  ASSERT_TRUE(quiet.ok()) << quiet.status();
  EXPECT_THAT(quiet->session->info()->placement, IsEmpty());
  const auto asked =
      open_on(cpu(), mixed_model(), {{"session.record_ep_graph_assignment_info", "1"}});
  ASSERT_TRUE(asked.ok()) << asked.status();
  const auto info = asked->session->info();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_THAT(info->placement,
              AllOf(Not(IsEmpty()), Each(Field(&engine::NodePlacement::where, "CPU"))));
  EXPECT_EQ(info->compatibility, SN_CAN_RUN);
}

// On whatever device the suite runs.
class OnnxOnDevice : public testing::TestWithParam<EngineCase> {};

INSTANTIATE_TEST_SUITE_P(Engines, OnnxOnDevice, testing::ValuesIn(onnx_engines()),
                         testing::PrintToStringParamName());

// Of WebGPU the runtime names only some nodes; that none is on the CPU it does say.
TEST_P(OnnxOnDevice, RunsItsNodesThere) {
  if (std::getenv("SUPERNOVA_CONFORMANCE_PROVIDER") != nullptr) {
    GTEST_SKIP() << "what a plug-in takes is its own affair";
  }
  const auto kind = GetParam().device.kind;
  const auto it =
      open(GetParam(), onnx_artefact(test::mlp_model()),
           {{"session.record_ep_graph_assignment_info", "1"}, {"strict_device", "true"}});
  ASSERT_TRUE(it.ok()) << it.status();
  const auto info = it->session->info();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->compatibility, SN_CAN_RUN) << info->reason;
  const std::string where = kind == SN_DEVICE_VULKAN   ? "WebGpu"
                            : kind == SN_DEVICE_NVIDIA ? "CUDA"
                                                       : "CPU";
  EXPECT_THAT(info->placement, Each(Field(&engine::NodePlacement::where, where)));
  EXPECT_TRUE(kind == SN_DEVICE_VULKAN || !info->placement.empty());
}

TEST_P(OnnxOnDevice, SaysWhatRunsOnTheCpuInstead) {
  if (GetParam().options.empty()) return;
  const auto artefact = onnx_artefact(test::upper_case_model());
  const auto it = open(GetParam(), artefact);
  ASSERT_TRUE(it.ok()) << it.status();
  const auto info = it->session->info();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->compatibility, SN_CAN_RUN_PARTLY);
  EXPECT_THAT(info->reason, HasSubstr("StringNormalizer"));
  const auto strict = open(GetParam(), artefact, {{"strict_device", "true"}});
  EXPECT_EQ(strict.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(strict.status().message()), HasSubstr("StringNormalizer"));
}

}  // namespace
}  // namespace supernova::conformance
