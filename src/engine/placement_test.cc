#include "engine/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supernova::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = InstanceWish::Kind;

device::Device make_device(sn_device_kind kind, int ordinal = 0) {
  device::Device device;
  device.abi_kind = kind;
  device.kind = std::string(device::device_kind_name(kind));
  device.ordinal = ordinal;
  device.id = kind == SN_DEVICE_CPU ? "cpu" : base::str_cat(device.kind, ":", ordinal);
  return device;
}

Verdict runs(int score) {
  Verdict verdict;
  verdict.score = score;
  return verdict;
}
Verdict runs_partly(int score) {
  Verdict verdict = runs(score);
  verdict.compatibility = SN_CAN_RUN_PARTLY;
  verdict.placement = {{"a", "Conv", "CUDA", ""}, {"b", "NonZero", "CPU", "no kernel"}};
  return verdict;
}
Verdict runs_not(std::string reason) {
  Verdict verdict;
  verdict.compatibility = SN_CAN_NOT_RUN;
  verdict.reason = std::move(reason);
  return verdict;
}

// A machine with a CPU, two GPUs and an Edge TPU; a model as ONNX and in its own form; the engines
// ort (ONNX) and lite (its own form).
struct World {
  World() {
    input.devices = {make_device(SN_DEVICE_CPU), make_device(SN_DEVICE_NVIDIA, 0),
                     make_device(SN_DEVICE_NVIDIA, 1), make_device(SN_DEVICE_EDGETPU)};
    input.offers = {{"onnx", false, {}}, {"tflite", true, {}}};
    input.engines = {"ort", "lite"};
  }
  World& ort(std::string device, Verdict verdict, uint64_t measured = 0) {
    input.candidates.push_back({"ort", 0, std::move(device), std::move(verdict), measured});
    return *this;
  }
  World& lite(std::string device, Verdict verdict, uint64_t measured = 0) {
    input.candidates.push_back({"lite", 1, std::move(device), std::move(verdict), measured});
    return *this;
  }
  World& device(std::string name) { return input.wishes.device = std::move(name), *this; }
  World& engine(std::string name) { return input.wishes.engine = std::move(name), *this; }
  World& strict() { return input.wishes.strict = true, *this; }
  World& group(Kind kind, int count = 1, std::vector<int> gpus = {}, bool cpu_instead = false) {
    input.wishes.groups.push_back({base::str_cat("m_", input.wishes.groups.size()), kind, count,
                                   std::move(gpus), cpu_instead});
    return *this;
  }
  World& lacking(size_t index, std::string what) {
    input.devices[index].state = device::DeviceState::kUnusable;
    input.devices[index].missing = std::move(what);
    return *this;
  }
  PlacementInput input;
};

// "engine format: device[xcount], ..." or the error.
std::string outcome(const World& world) {
  const Placement placement = place(world.input);
  if (!placement.status.ok()) return std::string(base::message(placement.status));
  std::vector<std::string> instances;
  for (const PlacedInstance& instance : placement.instances) {
    instances.push_back(instance.count > 0 ? base::str_cat(instance.device, "x", instance.count)
                                           : instance.device);
  }
  return base::str_cat(placement.engine, " ", world.input.offers[placement.offer].format, ": ",
                       base::str_join(instances, ", "));
}

std::string rejected(const Placement& placement, std::string_view engine, std::string_view device) {
  for (const Rejection& rejection : placement.rejected) {
    if (rejection.engine == engine && rejection.device == device) return rejection.reason;
  }
  return "";
}

struct Row {
  const char* what;
  World world;
  const char* expected;
};

void check(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    EXPECT_THAT(outcome(row.world), HasSubstr(row.expected)) << row.what;
  }
}

TEST(Placement, WithoutAWishItIsTheCpu) {
  check({
      {"an accelerator is not taken unasked",
       World().ort("cpu", runs(100)).ort("nvidia:0", runs(500)), "ort onnx: cpu"},
      {"the higher score", World().ort("cpu", runs(100)).lite("cpu", runs(90)), "ort onnx: cpu"},
      {"the higher score, of the original file",
       World().ort("cpu", runs(100)).lite("cpu", runs(110)), "lite tflite: cpu"},
      {"the earlier engine", World().ort("cpu", runs(100)).lite("cpu", runs(100)), "ort onnx: cpu"},
      {"all of it before a part of it", World().ort("cpu", runs_partly(100)).lite("cpu", runs(1)),
       "lite tflite: cpu"},
      {"what was measured before the score",
       World().ort("cpu", runs(100), 900).lite("cpu", runs(90), 300), "lite tflite: cpu"},
      {"one measurement is no comparison", World().ort("cpu", runs(100)).lite("cpu", runs(90), 300),
       "ort onnx: cpu"},
      {"a model made for one device goes to it",
       World()
           .ort("cpu", runs_not("unknown operator"))
           .lite("cpu", runs_not("compiled for the Edge TPU"))
           .lite("edgetpu:0", runs_partly(100)),
       "lite tflite: edgetpu:0"},
      {"KIND_MODEL is no wish", World().group(Kind::kModel).ort("cpu", runs(1)), "ort onnx: cpux1"},
  });
}

TEST(Placement, WhatIsNamedIsUsedOrTheReasonGiven) {
  check({
      {"engine", World().engine("lite").lite("cpu", runs(1)), "lite tflite: cpu"},
      {"engine that can't", World().engine("lite").lite("cpu", runs_not("too new")),
       "engine 'lite' can't run this model: lite: too new"},
      {"device", World().device("nvidia:1").ort("nvidia:1", runs(1)), "ort onnx: nvidia:1"},
      {"device by kind", World().device("edgetpu").lite("edgetpu:0", runs(1)),
       "lite tflite: edgetpu:0"},
      {"device, partly", World().device("nvidia:1").ort("nvidia:1", runs_partly(1)),
       "ort onnx: nvidia:1"},
      {"unknown device", World().device("gpu7").ort("cpu", runs(1)), "no device 'gpu7' here"},
      {"several devices", World().device("gpu").ort("cpu", runs(1)), "could be any of nvidia:0"},
      {"unusable device", World().lacking(1, "install the driver").device("nvidia:0"),
       "the device nvidia:0 can't be used: install the driver"},
      {"no engine for the device: never the CPU instead",
       World()
           .device("nvidia:0")
           .ort("nvidia:0", runs_not("the CUDA provider is missing; install it"))
           .ort("cpu", runs(100)),
       "no engine can run this model: ort on nvidia:0: the CUDA provider is missing"},
      {"the flag before the group",
       World().device("nvidia:0").group(Kind::kCpu, 2).ort("nvidia:0", runs(1)),
       "ort onnx: nvidia:0x2"},
  });
}

TEST(Placement, AutoTakesTheBestDeviceThatRunsAllOfIt) {
  check({
      {"a GPU that does", World().device("auto").ort("cpu", runs(100)).ort("nvidia:1", runs(200)),
       "ort onnx: nvidia:1"},
      {"a GPU as good as the CPU",
       World().device("auto").ort("cpu", runs(100)).ort("nvidia:0", runs(100)),
       "ort onnx: nvidia:0"},
      {"a software GPU", World().device("auto").ort("cpu", runs(100)).ort("nvidia:0", runs(10)),
       "ort onnx: cpu"},
      {"a GPU measured to be slower",
       World().device("auto").ort("cpu", runs(100), 50).ort("nvidia:0", runs(200), 70),
       "ort onnx: cpu"},
      {"a GPU that runs a part",
       World().device("auto").ort("cpu", runs(100)).ort("nvidia:0", runs_partly(900)),
       "ort onnx: cpu"},
      {"nothing runs it wholly", World().device("auto").ort("nvidia:0", runs_partly(900)),
       "name the device to take it all the same"},
      {"KIND_AUTO", World().group(Kind::kAuto, 3).ort("cpu", runs(100)).ort("nvidia:0", runs(200)),
       "ort onnx: nvidia:0x3"},
      {"KIND_AUTO of one GPU",
       World().group(Kind::kAuto, 1, {1}).ort("nvidia:0", runs(300)).ort("nvidia:1", runs(200)),
       "ort onnx: nvidia:1x1"},
  });
}

TEST(Placement, GroupsAreInstancesOnTheirDevices) {
  check({
      {"a GPU each", World().group(Kind::kGpu, 2).ort("nvidia:0", runs(1)).ort("nvidia:1", runs(1)),
       "ort onnx: nvidia:0x2, nvidia:1x2"},
      {"the GPUs named",
       World().group(Kind::kGpu, 1, {1}).ort("nvidia:0", runs(1)).ort("nvidia:1", runs(1)),
       "ort onnx: nvidia:1x1"},
      {"GPU and CPU",
       World()
           .group(Kind::kGpu, 1, {0})
           .group(Kind::kCpu, 4)
           .ort("nvidia:0", runs(1))
           .ort("cpu", runs(1)),
       "ort onnx: nvidia:0x1, cpux4"},
      {"one engine for all of them",
       World()
           .group(Kind::kGpu, 1, {0})
           .group(Kind::kCpu, 4)
           .ort("nvidia:0", runs(1))
           .ort("cpu", runs_not("no"))
           .lite("nvidia:0", runs(1))
           .lite("cpu", runs(1)),
       "lite tflite: nvidia:0x1, cpux4"},
      {"a number that there is not", World().group(Kind::kGpu, 1, {2}).ort("cpu", runs(1)),
       "instance_group 'm_0' asks for KIND_GPU, but there is no GPU number 2; there is: nvidia:0, "
       "nvidia:1; write KIND_CPU"},
      {"unusable", World().lacking(1, "no driver").lacking(2, "no driver").group(Kind::kGpu),
       "the device nvidia:0 can't be used: no driver"},
      {"one of them is usable",
       World().lacking(1, "no driver").group(Kind::kGpu).ort("nvidia:1", runs(1)),
       "ort onnx: nvidia:1x1"},
      {"no engine for it",
       World()
           .group(Kind::kGpu)
           .ort("nvidia:0", runs_not("CPU only"))
           .ort("nvidia:1", runs_not("CPU only")),
       "ort on nvidia:0: CPU only; ort on nvidia:1: CPU only; instance_group 'm_0' asks for "
       "KIND_GPU"},
      {"the CPU is accepted instead",
       World()
           .group(Kind::kGpu, 2, {}, true)
           .ort("nvidia:0", runs_not("CPU only"))
           .ort("cpu", runs(1)),
       "ort onnx: cpux2"},
  });
  World none = World().group(Kind::kGpu, 1, {}, true).ort("cpu", runs(1));
  none.input.devices.resize(1);
  EXPECT_EQ(outcome(none), "ort onnx: cpux1");
  EXPECT_THAT(place(none.input).warnings,
              ElementsAre(HasSubstr("runs on the CPU: there is no GPU here")));
  none.input.wishes.groups[0].cpu_instead = false;
  EXPECT_THAT(outcome(none), HasSubstr("there is no GPU here; write KIND_CPU"));
}

TEST(Placement, StrictRefusesAnyFallback) {
  check({
      {"a part", World().strict().device("nvidia:0").ort("nvidia:0", runs_partly(1)),
       "strict_device: not all of the model would run on it: 1 node: NonZero (no kernel)"},
      {"all of it", World().strict().device("nvidia:0").ort("nvidia:0", runs(1)),
       "ort onnx: nvidia:0"},
      {"all of it, it says, and yet",
       World()
           .strict()
           .device("nvidia:0")
           .ort("nvidia:0",
                [] {
                  Verdict verdict = runs_partly(1);
                  verdict.compatibility = SN_CAN_RUN;
                  return verdict;
                }()),
       "1 node: NonZero"},
      {"which nodes shows when it is open",
       World()
           .strict()
           .device("nvidia:0")
           .ort("nvidia:0",
                [] {
                  Verdict verdict = runs(1);
                  verdict.compatibility = SN_CAN_RUN_PARTLY;
                  return verdict;
                }()),
       "ort onnx: nvidia:0"},
      {"on the CPU all are at home", World().strict().ort("cpu", runs(1)), "ort onnx: cpu"},
  });
}

TEST(Placement, MemoryCounts) {
  Verdict large = runs(200);
  large.host_memory_bytes = 1000;
  large.device_memory_bytes = 500;
  World host = World().ort("cpu", large).lite("cpu", runs(1));
  host.input.memory_budget = 999;
  EXPECT_EQ(outcome(host), "lite tflite: cpu");
  EXPECT_THAT(rejected(place(host.input), "ort", "cpu"),
              HasSubstr("needs 1000 bytes of memory; models may take 999"));
  host.input.memory_budget = 1000;
  EXPECT_EQ(outcome(host), "ort onnx: cpu");
  World device = World().device("nvidia:0").ort("nvidia:0", large);
  device.input.devices[1].memory_free_bytes = 499;
  EXPECT_THAT(outcome(device), HasSubstr("needs 500 bytes of the device, of which 499 are free"));
}

TEST(Placement, EveryOneThatWasRejectedHasItsReason) {
  World world = World()
                    .device("auto")
                    .ort("cpu", runs(100))
                    .ort("nvidia:0", runs_partly(900))
                    .ort("nvidia:1", runs_not("out of order"))
                    .lite("cpu", runs(90));
  world.input.rejections = {{"broken", "", "", "its library can't be loaded"}};
  const Placement placement = place(world.input);
  ASSERT_TRUE(placement.status.ok());
  EXPECT_THAT(rejected(placement, "broken", ""), HasSubstr("can't be loaded"));
  EXPECT_THAT(rejected(placement, "ort", "nvidia:0"), HasSubstr("1 node: NonZero (no kernel)"));
  EXPECT_EQ(rejected(placement, "ort", "nvidia:1"), "out of order");
  EXPECT_THAT(rejected(placement, "lite", "cpu"), HasSubstr("ort comes before it"));
  EXPECT_EQ(placement.rejected.size(), 4U);
  EXPECT_THAT(placement.reason, HasSubstr("the best device was asked for (auto)"));
  EXPECT_THAT(placement.reason, HasSubstr("ort comes first"));
}

TEST(Placement, ADeviceThatIsLeftOutBecauseSomethingIsMissingIsNamed) {
  for (World world : {World().device("auto"), World().group(Kind::kAuto, 1, {0}),
                      World().group(Kind::kAuto).group(Kind::kGpu)}) {
    world.lacking(1, "install the driver").ort("cpu", runs(1)).ort("nvidia:1", runs(2));
    world.input.devices[1].engine = "ort";
    const Placement placement = place(world.input);
    ASSERT_TRUE(placement.status.ok()) << placement.status;
    EXPECT_EQ(rejected(placement, "", "nvidia:0"), "install the driver");
    EXPECT_EQ(std::count_if(placement.rejected.begin(), placement.rejected.end(),
                            [](const Rejection& r) { return r.device == "nvidia:0"; }),
              1);
  }
  World unasked = World().lacking(1, "install the driver").ort("cpu", runs(1));
  EXPECT_THAT(place(unasked.input).rejected, IsEmpty());
}

TEST(Placement, WhenNothingRunsItAllReasonsAreGiven) {
  World import_fails = World();
  import_fails.input.offers[0].problem = absl::UnimplementedError("operator FOO is not supported");
  EXPECT_EQ(outcome(import_fails), "operator FOO is not supported");
  import_fails.lite("cpu", runs_not("it has no FOO"));
  EXPECT_EQ(outcome(import_fails),
            "operator FOO is not supported; and as it is nothing runs it: lite: it has no FOO");
  EXPECT_EQ(place(import_fails.input).status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(outcome(import_fails.lite("edgetpu:0", runs(1))), "lite tflite: edgetpu:0");
  EXPECT_EQ(outcome(World()), "no engine here takes the format 'onnx'; there is: ort, lite");
}

TEST(Placement, AsksNoMoreDevicesThanItMust) {
  const auto ids = [](const World& world) {
    return devices_to_ask(world.input.wishes, world.input.devices).ids;
  };
  const auto further = [](const World& world) {
    return devices_to_ask(world.input.wishes, world.input.devices).further;
  };
  EXPECT_THAT(ids(World()), ElementsAre("cpu"));
  EXPECT_TRUE(further(World()));
  EXPECT_TRUE(wants_cpu_only({}));
  EXPECT_THAT(ids(World().device("nvidia:1")), ElementsAre("nvidia:1"));
  EXPECT_FALSE(further(World().device("cpu")));
  EXPECT_FALSE(wants_cpu_only(World().device("auto").input.wishes));
  EXPECT_THAT(ids(World().lacking(1, "x").device("auto")),
              ElementsAre("cpu", "edgetpu:0", "nvidia:1"));
  EXPECT_THAT(ids(World().group(Kind::kGpu, 1, {1}, true)), ElementsAre("cpu", "nvidia:1"));
  EXPECT_FALSE(wants_cpu_only(World().group(Kind::kCpu).group(Kind::kAuto).input.wishes));
  EXPECT_THAT(ids(World().device("nobody")), IsEmpty());
}

TEST(Placement, GpusAreThoseOfTheFirstKindThatCanBeUsed) {
  std::vector<device::Device> devices = {
      make_device(SN_DEVICE_VULKAN, 0), make_device(SN_DEVICE_NVIDIA, 0),
      make_device(SN_DEVICE_NVIDIA, 1), make_device(SN_DEVICE_EDGETPU, 0)};
  const auto ids = [&] {
    std::vector<std::string> found;
    for (const device::Device* device : graphics_devices(devices)) found.push_back(device->id);
    return found;
  };
  EXPECT_THAT(ids(), ElementsAre("nvidia:0", "nvidia:1"));
  devices[1].state = device::DeviceState::kUnusable;
  EXPECT_THAT(ids(), ElementsAre("nvidia:0", "nvidia:1"));  // numbers stay
  devices[2].state = device::DeviceState::kUnusable;
  EXPECT_THAT(ids(), ElementsAre("vulkan:0"));
  devices[0].state = device::DeviceState::kUnhealthy;
  EXPECT_THAT(ids(), ElementsAre("nvidia:0", "nvidia:1"));
  devices = {make_device(SN_DEVICE_VULKAN, 0)};
  devices[0].features = {"emulated"};
  EXPECT_THAT(ids(), IsEmpty());
}

TEST(Placement, AnEmulatedDeviceHasToBeNamed) {
  World world;
  world.ort("cpu", runs(100)).ort("nvidia:0", runs(200));
  world.input.devices[1].features = {"emulated"};
  const auto chosen = [&] { return place(world.input).instances.at(0).device; };
  EXPECT_EQ((world.device("auto"), chosen()), "cpu");
  EXPECT_EQ((world.device("nvidia:0"), chosen()), "nvidia:0");
}

TEST(Placement, FallenBackAreThoseWithAReasonOrOnTheCpu) {
  Verdict verdict;
  verdict.placement = {{"a", "Conv", "CUDA", ""},
                       {"b", "NonZero", "CPU", "no kernel"},
                       {"c", "NonZero", "CPU", "no kernel"},
                       {"d", "Loop", "CPU", ""}};
  EXPECT_EQ(nodes_text(fallen_back(verdict, SN_DEVICE_NVIDIA)),
            "3 nodes: Loop, NonZero x2 (no kernel)");
  EXPECT_EQ(fallen_back(verdict, SN_DEVICE_CPU).size(), 2U);
}

}  // namespace
}  // namespace supernova::engine
