// Versions opened on devices that a test makes up, by two engines made up here: "hub" takes what
// models are imported to, "lite" their files as they are.
#include "model/open_version.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>

#include "model/config_text.h"
#include "model/model_manager.h"
#include "support/fake_engine.h"

namespace supernova::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// How the engines of this file behave, and what they saw.
struct World {
  bool lite_is_for_edgetpu = false;  // its file is compiled for it: nothing else takes it
  bool gpu_runs_all = false;         // else "hub" leaves two nodes to the CPU there
  bool gpu_says_all = false;         // before it is open
  bool gpu_fails_to_open = false;
  bool cpu_gone = false;  // runs answer that the device is lost
  int gpu_gone = -1;
  int others = 0;                     // that were opened
  std::vector<std::string> opened;    // "engine format path"
  std::vector<std::string> sessions;  // "kind:ordinal id"
};
World world;
std::mutex world_mutex;

const sn_node_placement kNodes[] = {
    {sizeof(sn_node_placement), "a", "Conv", "GPU", nullptr},
    {sizeof(sn_node_placement), "b", "NonZero", "CPU", "there is no kernel for it"},
    {sizeof(sn_node_placement), "c", "NonZero", "CPU", "there is no kernel for it"}};

int32_t refuse(sn_verdict* verdict, const char* reason) {
  verdict->compatibility = SN_CAN_NOT_RUN;
  verdict->reason = reason;
  return SN_OK;
}

void describe_gpu(sn_verdict* verdict, bool all) {
  verdict->compatibility = all ? SN_CAN_RUN : SN_CAN_RUN_PARTLY;
  verdict->placement = kNodes;
  verdict->placement_count = all ? 1 : 3;
}

int32_t hub_can_run(sn_engine*, const sn_artefact*, const sn_device* device, const sn_options*,
                    sn_verdict* verdict, sn_error*) {
  verdict->compatibility = SN_CAN_RUN;
  verdict->score = 100;
  if (device->kind == SN_DEVICE_EDGETPU) return refuse(verdict, "it does not drive an Edge TPU");
  if (device->kind == SN_DEVICE_NVIDIA) {
    verdict->score = 200;
    verdict->expected_latency_ns = 77;
    describe_gpu(verdict, world.gpu_runs_all || world.gpu_says_all);
  } else if (world.lite_is_for_edgetpu) {
    return refuse(verdict, "the operator edgetpu-custom-op is unknown");
  }
  return SN_OK;
}

int32_t lite_can_run(sn_engine*, const sn_artefact*, const sn_device* device, const sn_options*,
                     sn_verdict* verdict, sn_error*) {
  verdict->compatibility = SN_CAN_RUN;
  verdict->score = 50;
  if (device->kind == SN_DEVICE_EDGETPU) return SN_OK;
  if (device->kind != SN_DEVICE_CPU) return refuse(verdict, "it has no delegate for it");
  if (world.lite_is_for_edgetpu) return refuse(verdict, "compiled for the Edge TPU; plug one in");
  return SN_OK;
}

// An instance remembers where it is.
struct FakeInstance {
  sn_device_kind kind;
  int ordinal;
};

int32_t open_instance(sn_model*, const sn_device* device, const sn_options*, sn_instance** out,
                      sn_error* error) {
  std::lock_guard lock(world_mutex);
  if (device->kind == SN_DEVICE_NVIDIA && world.gpu_fails_to_open) {
    std::strcpy(error->message, "out of device memory");  // NOLINT
    return error->code = SN_RESOURCE_EXHAUSTED;
  }
  world.sessions.push_back(base::str_cat(device->kind, ":", device->ordinal, " ", device->id));
  *out = reinterpret_cast<sn_instance*>(
      new FakeInstance{static_cast<sn_device_kind>(device->kind), device->ordinal});
  return SN_OK;
}

int32_t instance_info(sn_instance* instance, sn_verdict* verdict, sn_error*) {
  verdict->compatibility = SN_CAN_RUN;
  verdict->host_memory_bytes = 5;
  if (reinterpret_cast<FakeInstance*>(instance)->kind == SN_DEVICE_NVIDIA) {
    describe_gpu(verdict, world.gpu_runs_all);
  }
  return SN_OK;
}

int32_t run(sn_instance* given, const sn_run* run, sn_error* error) {
  const auto& instance = *reinterpret_cast<FakeInstance*>(given);
  const bool gone =
      instance.kind == SN_DEVICE_CPU ? world.cpu_gone : instance.ordinal == world.gpu_gone;
  if (gone) {
    std::strcpy(error->message, "the device is gone");  // NOLINT
    return error->code = SN_UNAVAILABLE;
  }
  const sn_response response = {sizeof(response), nullptr, 0, nullptr, 1};
  run->on_response(run->ctx, &response);
  return SN_OK;
}

const sn_model_info* no_tensors(sn_model*) {
  static const sn_signature signature = {sizeof(signature), "", nullptr, 0, nullptr, 0};
  static const sn_model_info info = {sizeof(info), &signature, 1};
  return &info;
}

void note_opened(const char* engine, const sn_artefact* artefact) {
  std::lock_guard lock(world_mutex);
  world.opened.push_back(base::str_cat(engine, " ", artefact->format, " ",
                                       artefact->path != nullptr ? artefact->path : "-"));
}

sn_engine_api common_table() {
  sn_engine_api table = testing_support::fake_engine_table(&no_tensors, &run);
  table.instance_open = &open_instance;
  table.instance_close = [](sn_instance* instance) {
    delete reinterpret_cast<FakeInstance*>(instance);
  };
  table.instance_info = &instance_info;
  return table;
}

const sn_engine_api* hub_entry(uint32_t) {
  static const sn_engine_api api = [] {
    sn_engine_api table = common_table();
    table.can_run = &hub_can_run;
    table.engine_info = [](sn_engine*) -> const sn_engine_info* {
      static const char* const formats[] = {"onnx"};
      static const sn_engine_info info = {sizeof(info), "hub", "1.5", formats, 1, 1};
      return &info;
    };
    table.model_open = [](sn_engine*, const sn_artefact* artefact, const sn_options*,
                          sn_model** out, sn_error*) -> int32_t {
      note_opened("hub", artefact);
      return *out = testing_support::fake_handle<sn_model>(), SN_OK;
    };
    return table;
  }();
  return &api;
}

const sn_engine_api* lite_entry(uint32_t) {
  static const sn_engine_api api = [] {
    sn_engine_api table = common_table();
    table.can_run = &lite_can_run;
    table.engine_info = [](sn_engine*) -> const sn_engine_info* {
      static const char* const formats[] = {"lite"};
      static const sn_engine_info info = {sizeof(info), "lite", "2", formats, 1, 4};
      return &info;
    };
    table.model_open = [](sn_engine*, const sn_artefact* artefact, const sn_options*,
                          sn_model** out, sn_error*) -> int32_t {
      note_opened("lite", artefact);
      return *out = testing_support::fake_handle<sn_model>(), SN_OK;
    };
    return table;
  }();
  return &api;
}

// An engine for files of a kind that is not here.
const sn_engine_api* other_entry(uint32_t) {
  static const sn_engine_api api = [] {
    sn_engine_api table = common_table();
    table.engine_open = [](const sn_host*, const sn_options*, sn_engine** out,
                           sn_error*) -> int32_t {
      ++world.others;
      return *out = testing_support::fake_handle<sn_engine>(), SN_OK;
    };
    return table;
  }();
  return &api;
}

class LiteImporter final : public tensor::ArtefactProvider {
 public:
  bool recognises(const std::string&) const override { return true; }
  base::Result<tensor::SourceFile> identify(const std::string& path) const override {
    return tensor::SourceFile{"lite", path};
  }
  base::Result<tensor::ImportedModel> provide(const std::string& path,
                                              const tensor::Options&) override {
    ++imports;
    if (fails) return absl::UnimplementedError("the operator FOO can't be imported");
    tensor::ImportedModel model;
    model.artefact.format = "onnx";
    model.artefact.bytes = tensor::Buffer::copy_of("onnx");
    model.description.format = "lite";
    model.description.file = path;
    model.description.operators = {{"CONV_2D", 3}};
    model.description.notes = {"made into ONNX"};
    return model;
  }
  std::optional<tensor::Artefact> prepare(const tensor::ImportedModel&, std::string_view,
                                          const tensor::Options&) override {
    ++preparations;
    return std::nullopt;
  }
  bool fails = false;
  int imports = 0;
  int preparations = 0;
};

device::Device make_device(sn_device_kind kind, int ordinal) {
  device::Device device;
  device.abi_kind = kind;
  device.kind = std::string(device::device_kind_name(kind));
  device.ordinal = ordinal;
  device.id = base::str_cat(device.kind, ":", ordinal);
  device.address = base::str_cat("pci:", ordinal);
  return device;
}

class OpenVersionTest : public ::testing::Test {
 protected:
  OpenVersionTest() {
    world = {};
    catalogue_.add_builtin("hub", &hub_entry);
    catalogue_.add_builtin("lite", &lite_entry);
    machine_ = {device::plain_cpu(), make_device(SN_DEVICE_NVIDIA, 0),
                make_device(SN_DEVICE_NVIDIA, 1), make_device(SN_DEVICE_EDGETPU, 0)};
    options_.warm_up = true;
  }

  base::Status open(std::string_view config = "") {
    ModelPlan plan;
    plan.name = "m";
    if (!config.empty()) {
      auto parsed = parse_config_text(config, "config.pbtxt");
      EXPECT_TRUE(parsed.ok()) << parsed.status();
      plan.config = std::make_shared<const inference::ModelConfig>(parsed->config);
    }
    version_ = std::make_unique<ModelVersion>("m", 1, "/models/m.lite");
    version_->start_loading();
    return opener_.open(*version_, plan, options_);
  }
  std::string failure(std::string_view config = "") {
    const base::Status status = open(config);
    EXPECT_FALSE(status.ok());
    return std::string(base::message(status));
  }
  const PlacementReport& report() const {
    report_ = version_->placement();
    return *report_;
  }
  std::string rejected(std::string_view engine, std::string_view device) const {
    for (const engine::Rejection& rejection : report().rejected) {
      if (rejection.engine == engine && rejection.device == device) return rejection.reason;
    }
    return "";
  }
  std::vector<std::string> devices() const {
    std::vector<std::string> ids;
    for (const auto& instance : version_->scheduler().instances()) ids.push_back(instance.device);
    return ids;
  }
  base::Status infer() {
    auto promise = std::make_shared<std::promise<base::Status>>();
    auto status = promise->get_future();
    version_->scheduler().enqueue({}, [promise](base::Result<tensor::Response> result) {
      promise->set_value(result.status());
    });
    return status.get();
  }

  LiteImporter provider_;
  engine::Catalogue catalogue_;
  device::Devices machine_;
  int looks_ = 0;
  device::DeviceList list_{[this] { return ++looks_, machine_; }};
  VersionOpener opener_{provider_, catalogue_, list_};
  LoadOptions options_;
  std::unique_ptr<ModelVersion> version_;
  mutable std::shared_ptr<const PlacementReport> report_;
};

TEST_F(OpenVersionTest, WithoutAWishItIsTheCpuAndNoDeviceIsLookedAt) {
  ASSERT_TRUE(open().ok());
  EXPECT_THAT(world.opened, ElementsAre("hub onnx -"));
  EXPECT_THAT(world.sessions, ElementsAre("0:0 cpu"));
  EXPECT_EQ(looks_, 0);
  EXPECT_EQ(provider_.preparations, 1);
  EXPECT_EQ(report().engine, "hub");
  EXPECT_EQ(report().engine_version, "1.5");
  EXPECT_EQ(report().format, "onnx");
  EXPECT_EQ(report().source_format, "lite");
  EXPECT_EQ(report().isolation, "in-process");
  ASSERT_EQ(report().instances.size(), 1U);
  const InstanceReport& instance = report().instances[0];
  EXPECT_FALSE(instance.partly);
  EXPECT_GT(instance.first_run_ns, 0U);
  EXPECT_EQ(instance.opened.host_memory_bytes, 5U);
  const auto operators = operators_of(report(), instance);
  ASSERT_EQ(operators.size(), 1U);
  EXPECT_EQ(operators[0].op, "CONV_2D");
  EXPECT_EQ(operators[0].where, "cpu");
  ASSERT_EQ(report().rejected.size(), 1U);
  EXPECT_THAT(report().rejected[0].reason, HasSubstr("hub comes before it"));
}

TEST_F(OpenVersionTest, AnEngineThatIsNamedGetsTheFileAsItIs) {
  options_.engine = "lite";
  ASSERT_TRUE(open().ok());
  EXPECT_THAT(world.opened, ElementsAre("lite lite /models/m.lite"));
  EXPECT_EQ(provider_.imports, 0);
  EXPECT_THAT(version_->description().notes, IsEmpty());
  EXPECT_EQ(version_->config().proto->platform(), "lite_lite");
  options_.engine = "";
  ASSERT_TRUE(open("backend: 'lite'").ok());
  EXPECT_EQ(world.opened.back(), "lite lite /models/m.lite");
  options_.engine = "another";
  EXPECT_THAT(failure(), HasSubstr("no engine 'another' here; there is: hub, lite"));
  EXPECT_THAT(report().failure, HasSubstr("no engine 'another'"));
}

TEST_F(OpenVersionTest, AnEngineForOtherFormatsStaysClosed) {
  catalogue_.add_builtin("other", &other_entry, {"other"});
  ASSERT_TRUE(open().ok());
  EXPECT_EQ(world.others, 0);
  EXPECT_EQ(rejected("other", ""), "it takes other, not onnx");
  options_.engine = "other";
  open().IgnoreError();
  EXPECT_EQ(world.others, 1);
}

TEST_F(OpenVersionTest, WhatCantBeImportedMayStillRunAsItIs) {
  provider_.fails = true;
  ASSERT_TRUE(open().ok());
  EXPECT_THAT(world.opened, ElementsAre("lite lite /models/m.lite"));
  EXPECT_THAT(report().rejected[0].reason, HasSubstr("FOO can't be imported"));
  options_.engine = "hub";
  EXPECT_EQ(failure(), "the operator FOO can't be imported");
}

TEST_F(OpenVersionTest, NoFallbackIsSilent) {
  options_.device = "nvidia:1";
  ASSERT_TRUE(open().ok());
  EXPECT_THAT(world.sessions, ElementsAre("1:1 pci:1"));
  EXPECT_EQ(provider_.preparations, 0);  // that is for the CPU
  EXPECT_EQ(fallback_nodes(report()), 2U);
  const InstanceReport& instance = report().instances[0];
  EXPECT_TRUE(instance.partly);
  EXPECT_EQ(instance.fallback[0].op, "NonZero");
  EXPECT_EQ(instance.expected.expected_latency_ns, 77U);
  const std::string what = "not on nvidia:1: 2 nodes: NonZero x2 (there is no kernel for it)";
  EXPECT_THAT(report().warnings, ElementsAre(what));
  EXPECT_EQ(version_->config().proto->parameters().at("placement.m_0").string_value(), what);
  const auto operators = operators_of(report(), instance);
  ASSERT_EQ(operators.size(), 2U);
  EXPECT_EQ(operators[1].where, "CPU");
  EXPECT_EQ(operators[1].count, 2U);
}

TEST_F(OpenVersionTest, StrictRefusesAFallbackWheneverItShows) {
  options_.device = "nvidia:0";
  options_.options["strict_device"] = "true";
  EXPECT_THAT(failure(), HasSubstr("strict_device: not all of the model would run on it: 2 nodes: "
                                   "NonZero x2 (there is no kernel for it)"));
  EXPECT_THAT(world.opened, IsEmpty());
  world.gpu_says_all = true;  // and yet, once it is open
  EXPECT_THAT(failure(), HasSubstr("strict_device: not on nvidia:0: 2 nodes: NonZero x2"));
  EXPECT_EQ(version_->state(), VersionState::kLoading);
  EXPECT_THAT(report().failure, HasSubstr("strict_device"));
  EXPECT_EQ(fallback_nodes(report()), 2U);
  world.gpu_runs_all = true;
  EXPECT_TRUE(open().ok());
  options_.options["strict_device"] = "maybe";
  EXPECT_THAT(failure(), HasSubstr("it must be 'true' or 'false'"));
}

TEST_F(OpenVersionTest, ADeviceThatIsNamedIsUsedOrTheReasonGiven) {
  options_.device = "gpu7";
  EXPECT_THAT(failure(), HasSubstr("no device 'gpu7' here; there is: cpu, nvidia:0"));
  options_.device = "gpu";
  EXPECT_THAT(failure(), HasSubstr("could be any of nvidia:0, nvidia:1"));
  options_.device = "edgetpu";
  options_.engine = "hub";
  EXPECT_THAT(failure(), HasSubstr("engine 'hub' can't run this model: hub on edgetpu:0: it does "
                                   "not drive an Edge TPU"));
  options_ = {};
  EXPECT_TRUE(open("parameters { key: 'device' value { string_value: 'edgetpu' } }").ok());
  EXPECT_THAT(devices(), ElementsAre("edgetpu:0"));
  options_.device = "cpu";  // counts before it
  EXPECT_TRUE(open("parameters { key: 'device' value { string_value: 'edgetpu' } }").ok());
  EXPECT_THAT(devices(), ElementsAre("cpu"));
}

TEST_F(OpenVersionTest, AModelForOneDeviceGoesThereOrSaysWhatIsMissing) {
  world.lite_is_for_edgetpu = true;
  machine_.erase(machine_.begin() + 1, machine_.begin() + 3);
  ASSERT_TRUE(open().ok());
  EXPECT_THAT(devices(), ElementsAre("edgetpu:0"));
  EXPECT_THAT(report().reason, HasSubstr("nothing runs the model on the CPU"));
  list_.forget();
  machine_[1].state = device::DeviceState::kUnusable;
  machine_[1].missing = "libedgetpu.so.1; install it";
  machine_[1].engine = "lite";
  // One that nobody would drive is no reason.
  machine_.push_back(machine_[1]);
  machine_.back().id = "opencl:0";
  machine_.back().engine = "";
  EXPECT_THAT(failure(),
              AllOf(HasSubstr("edgetpu:0: libedgetpu.so.1; install it"), Not(HasSubstr("opencl:0")),
                    HasSubstr("lite: compiled for the Edge TPU; plug one in"),
                    HasSubstr("hub: the operator edgetpu-custom-op is unknown")));
}

TEST_F(OpenVersionTest, AutoTakesAnAcceleratorThatRunsAllOfIt) {
  options_.device = "auto";
  ASSERT_TRUE(open().ok());
  EXPECT_THAT(devices(), ElementsAre("cpu"));
  world.gpu_runs_all = true;
  ASSERT_TRUE(open().ok());
  EXPECT_THAT(devices(), ElementsAre("nvidia:0"));
  EXPECT_THAT(report().reason, HasSubstr("the best device was asked for (auto)"));
}

TEST_F(OpenVersionTest, AutoLeavesADeviceThatIsNotAsGoodAsItsEngineSaid) {
  options_.device = "auto";
  world.gpu_says_all = true;
  ASSERT_TRUE(open().ok());
  EXPECT_THAT(devices(), ElementsAre("cpu"));
  EXPECT_THAT(world.sessions, ElementsAre("1:0 pci:0", "1:1 pci:1", "0:0 cpu"));
  EXPECT_THAT(rejected("hub", "nvidia:1"),
              HasSubstr("(2 nodes: NonZero x2 (there is no kernel for it))"));
  EXPECT_THAT(report().warnings, IsEmpty());
  EXPECT_EQ(fallback_nodes(report()), 0U);
  world.gpu_fails_to_open = true;
  ASSERT_TRUE(open("instance_group { count: 2 }").ok());
  EXPECT_THAT(devices(), ElementsAre("cpu", "cpu"));
  EXPECT_THAT(rejected("hub", "nvidia:0"), HasSubstr("out of device memory"));
  options_.device = "nvidia:0";
  EXPECT_THAT(failure(), HasSubstr("out of device memory"));
}

TEST_F(OpenVersionTest, GroupsBecomeSessionsOnTheirDevices) {
  world.gpu_runs_all = true;
  ASSERT_TRUE(open("instance_group [ { kind: KIND_GPU count: 2 gpus: [ 0, 1 ] }, "
                   "{ name: 'rest' kind: KIND_CPU count: 1 } ]")
                  .ok());
  EXPECT_THAT(devices(), ElementsAre("nvidia:0", "nvidia:0", "nvidia:1", "nvidia:1", "cpu"));
  EXPECT_THAT(world.opened, ElementsAre("hub onnx -"));  // they share the model
  const auto& groups = version_->config().proto->instance_group();
  EXPECT_EQ(groups[0].kind(), inference::ModelInstanceGroup::KIND_GPU);
  EXPECT_THAT(groups[0].gpus(), ElementsAre(0, 1));
  EXPECT_EQ(groups[1].kind(), inference::ModelInstanceGroup::KIND_CPU);
  EXPECT_EQ(report().instances[1].first_session, 2U);
  EXPECT_EQ(report().instances[1].sessions, 2U);
  EXPECT_EQ(report().instances[2].group, "rest");
  EXPECT_THAT(failure("instance_group { kind: KIND_GPU gpus: 5 }"),
              HasSubstr("there is no GPU number 5; there is: nvidia:0, nvidia:1"));
  EXPECT_THAT(failure("instance_group { kind: KIND_CPU gpus: 1 }"),
              HasSubstr("configuration of model 'm': instance_group 'm_0' names gpus"));
}

TEST_F(OpenVersionTest, OneSessionTakesAsManyRunsAsItsGroupMay) {
  options_.engine = "lite";  // four at once in a session
  ASSERT_TRUE(open("instance_group { kind: KIND_CPU count: 6 }").ok());
  EXPECT_THAT(devices(), ElementsAre("cpu", "cpu"));
  EXPECT_EQ(report().instances[0].limit, 6U);
}

TEST_F(OpenVersionTest, WhenADeviceIsLostTheOthersGoOn) {
  world.gpu_runs_all = true;
  ASSERT_TRUE(open("instance_group [ { kind: KIND_GPU gpus: 1 }, { kind: KIND_CPU } ]").ok());
  world.gpu_gone = 1;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(infer().ok());
  const auto instances = version_->scheduler().instances();
  EXPECT_THAT(instances[0].lost, HasSubstr("the device is gone"));
  EXPECT_EQ(instances[1].lost, "");
  EXPECT_EQ(version_->scheduler().figures().moved, 1U);
}

TEST_F(OpenVersionTest, TheNextExplicitLoadOpensAnewWhatLostItsDevice) {
  namespace fs = std::filesystem;
  const fs::path folder =
      fs::temp_directory_path() / base::str_cat("supernova-lost-", std::to_string(::getpid()));
  fs::create_directories(folder / "m" / "1");
  std::ofstream(folder / "m" / "1" / "model.lite") << "lite";
  world.gpu_runs_all = true;
  ModelManager manager(provider_, catalogue_, &list_);
  ManagerOptions options;
  options.control = ControlMode::kExplicit;
  options.repositories = {folder.string()};
  options.load_at_start = {"m"};
  options.load.device = "nvidia:0";
  const auto failures = manager.start(options);
  ASSERT_TRUE(failures.ok()) << failures.status();
  ASSERT_THAT(*failures, IsEmpty());
  const auto infer_now = [&] {
    const VersionHandle version = *manager.find("m", "");
    auto promise = std::make_shared<std::promise<base::Status>>();
    auto status = promise->get_future();
    version->scheduler().enqueue({}, [promise](base::Result<tensor::Response> result) {
      promise->set_value(result.status());
    });
    return status.get();
  };
  const auto load = [&] {
    auto promise = std::make_shared<std::promise<base::Status>>();
    auto status = promise->get_future();
    manager.load_explicitly("m", {}, [promise](base::Status done) { promise->set_value(done); });
    return status.get();
  };
  EXPECT_TRUE(load().ok());
  EXPECT_EQ(world.sessions.size(), 1U);  // nothing to do
  world.gpu_gone = 0;
  EXPECT_EQ(infer_now().code(), absl::StatusCode::kUnavailable);
  world.gpu_gone = -1;  // plugged in again
  const int looks = looks_;
  EXPECT_TRUE(load().ok());
  EXPECT_EQ(looks_, looks + 1);
  EXPECT_EQ(world.sessions.size(), 2U);
  EXPECT_TRUE(infer_now().ok());
  EXPECT_TRUE(load().ok());
  EXPECT_EQ(world.sessions.size(), 2U);
  manager.drain();
  fs::remove_all(folder);
}

TEST_F(OpenVersionTest, TheGpuThatIsNotThereIsTheCpuWhereThatIsAccepted) {
  machine_.resize(1);
  const std::string gpu = "instance_group { kind: KIND_GPU count: 2 }";
  EXPECT_THAT(failure(gpu), HasSubstr("there is no GPU here; write KIND_CPU"));
  ASSERT_TRUE(
      open(gpu + "parameters { key: 'allow_cpu_fallback' value { string_value: 'true' } }").ok());
  EXPECT_THAT(devices(), ElementsAre("cpu", "cpu"));
  EXPECT_THAT(report().warnings, ElementsAre(HasSubstr("asks for KIND_GPU and runs on the CPU")));
}

}  // namespace
}  // namespace supernova::model
