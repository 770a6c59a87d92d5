// What tests of the manager share: an engine whose models are one-line files, and folders to put
// them in. For tests only.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>

#include "model/model_manager.h"
#include "support/fake_engine.h"

namespace supernova::model::testing {

namespace fs = std::filesystem;

// A model file says "value N" and perhaps "bad-run" (runs fail) or "slow" (runs on a thread of
// their own that waits for the gate). Anything else can't be opened. A run answers VALUE = N.
struct FakeModel {
  int64_t value = 0;
  bool bad_run = false;
  bool slow = false;
};

inline std::atomic<int> open_models{0};
inline std::atomic<int> most_open_models{0};
inline std::atomic<int> waiting_runs{0};
inline std::atomic<int> all_runs{0};
inline std::atomic<int> open_nice{0};  // of the thread that last opened a model, ran one
inline std::atomic<int> run_nice{0};
inline std::thread::id closed_on;  // read it after the model is known to be closed
inline std::mutex gate_mutex;
inline std::condition_variable gate_wake;
inline bool gate_open = false;
inline std::atomic<bool> models_are_sick{false};  // those that are open can't run; until then

inline int own_nice() {
  return ::getpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)));
}

inline void set_gate(bool open) {
  std::lock_guard lock(gate_mutex);
  gate_open = open;
  gate_wake.notify_all();
}

inline int32_t open_fake(sn_engine*, const sn_artefact* artefact, const sn_options*, sn_model** out,
                         sn_error* error) {
  open_nice = own_nice();
  models_are_sick = false;  // a model that is opened anew is well
  fs::path path = artefact->path;
  if (fs::is_directory(path)) path /= "model.fake";
  std::ifstream stream(path);
  std::string word;
  auto model = std::make_unique<FakeModel>();
  if (!(stream >> word >> model->value) || word != "value") {
    error->code = SN_INVALID_ARGUMENT;
    std::strcpy(error->message, "not a fake model");
    return SN_INVALID_ARGUMENT;
  }
  while (stream >> word) {
    model->bad_run |= word == "bad-run";
    model->slow |= word == "slow";
  }
  most_open_models = std::max(most_open_models.load(), ++open_models);
  *out = reinterpret_cast<sn_model*>(model.release());
  return SN_OK;
}

inline void close_fake(sn_model* model) {
  closed_on = std::this_thread::get_id();
  delete reinterpret_cast<FakeModel*>(model);
  --open_models;
}

inline const sn_model_info* fake_info(sn_model*) {
  static const int64_t one[] = {1};
  static const sn_tensor_info input = {sizeof(input), "X", SN_FP32, 1, one, nullptr, 0, 0};
  static const sn_tensor_info output = {sizeof(output), "VALUE", SN_INT64, 1, one, nullptr, 0, 0};
  static const sn_signature signature = {sizeof(signature), "", &input, 1, &output, 1};
  static const sn_model_info info = {sizeof(info), &signature, 1};
  return &info;
}

inline void answer(const sn_run* run, int64_t value) {
  sn_tensor output = run->outputs[0];
  std::memcpy(output.buffer.data, &value, sizeof(value));
  output.buffer.byte_size = sizeof(value);
  const sn_response response = {sizeof(response), &output, 1, nullptr, 1};
  run->on_response(run->ctx, &response);
}

inline int32_t run_fake(sn_instance* instance, const sn_run* run, sn_error* error) {
  const FakeModel& model = *reinterpret_cast<const FakeModel*>(instance);
  run_nice = own_nice();
  ++all_runs;
  if (model.bad_run) {
    error->code = SN_INTERNAL;
    std::strcpy(error->message, "this model can't run");
    return SN_INTERNAL;
  }
  if (model.slow) {
    ++waiting_runs;
    std::unique_lock lock(gate_mutex);
    gate_wake.wait(lock, [] { return gate_open; });
    --waiting_runs;
  }
  answer(run, model.value);
  return SN_OK;
}

inline const sn_engine_api* fake_entry(uint32_t) {
  static const sn_engine_api api = [] {
    sn_engine_api table = testing_support::fake_engine_table(&fake_info, &run_fake);
    table.model_open = &open_fake;
    table.model_close = &close_fake;
    table.instance_info = [](sn_instance*, sn_verdict* verdict, sn_error*) -> int32_t {
      verdict->compatibility = models_are_sick ? SN_CAN_NOT_RUN : SN_CAN_RUN;
      verdict->reason = "its device is lost";
      return SN_OK;
    };
    table.instance_open = [](sn_model* model, const sn_device*, const sn_options*,
                             sn_instance** out, sn_error*) -> int32_t {
      return *out = reinterpret_cast<sn_instance*>(model), SN_OK;
    };
    return table;
  }();
  return &api;
}

// Recognises *.fake files and folders that hold model.fake.
class FakeProvider : public tensor::ArtefactProvider {
 public:
  bool recognises(const std::string& path) const override {
    return path.ends_with(".fake") || fs::exists(fs::path(path) / "model.fake");
  }
  base::Result<tensor::ImportedModel> provide(const std::string&, const tensor::Options&) override {
    return absl::UnimplementedError("no importer");
  }
};

class ManagerFixture : public ::testing::Test {
 protected:
  ManagerFixture() {
    catalogue_.add_builtin("fake", &fake_entry);
    folder_ = fs::temp_directory_path() /
              ("supernova-manager-" + std::to_string(::getpid()) + "-" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_ / "repository");
    options_.repositories = {(folder_ / "repository").string()};
    options_.load.engine = "fake";
    options_.load.warm_up = true;
    options_.poll_interval = std::chrono::milliseconds(2);
    set_gate(true);
    most_open_models = open_models.load();
  }
  ~ManagerFixture() override {
    set_gate(true);
    manager_.reset();
    EXPECT_EQ(open_models, 0);
    fs::remove_all(folder_);
  }

  // Replaces the file in one step, as a careful operator does.
  void put(const std::string& path, const std::string& content) {
    const fs::path to = folder_ / "repository" / path;
    fs::create_directories(to.parent_path());
    const fs::path beside = folder_ / "new";
    std::ofstream(beside) << content;
    fs::rename(beside, to);
  }
  void remove(const std::string& path) { fs::remove_all(folder_ / "repository" / path); }

  std::vector<std::string> start(ControlMode control) {
    options_.control = control;
    manager_ = std::make_unique<ModelManager>(provider_, catalogue_);
    auto failures = manager_->start(options_);
    EXPECT_TRUE(failures.ok()) << failures.status();
    return failures.ok() ? *failures : std::vector<std::string>{};
  }
  static base::Result<int64_t> infer_on(const VersionHandle& version) {
    tensor::Request request;
    request.model_name = version->name();
    request.outputs = {"VALUE"};
    tensor::Tensor input{"X", tensor::DataType::kFp32, {1}, tensor::Buffer::allocate(4)};
    std::memset(input.buffer.data(), 0, 4);
    request.inputs.push_back(std::move(input));
    auto done = std::make_shared<std::promise<base::Result<int64_t>>>();
    auto value = done->get_future();
    version->scheduler().enqueue(
        std::move(request), [done, version](base::Result<tensor::Response> result) {
          if (!result.ok()) return done->set_value(result.status());
          int64_t number = 0;
          std::memcpy(&number, result->outputs[0].buffer.data(), sizeof(number));
          done->set_value(number);
        });
    return value.get();
  }
  base::Result<int64_t> infer(const std::string& model, const std::string& version = "") {
    SN_ASSIGN(const VersionHandle handle, manager_->find(model, version));
    return infer_on(handle);
  }
  base::Status load(const std::string& name, LoadRequest request = {}) {
    auto done = std::make_shared<std::promise<base::Status>>();
    manager_->load_explicitly(name, std::move(request),
                              [done](const base::Status& status) { done->set_value(status); });
    return done->get_future().get();
  }
  base::Status unload(const std::string& name) {
    auto done = std::make_shared<std::promise<base::Status>>();
    manager_->unload_explicitly(name, false,
                                [done](const base::Status& status) { done->set_value(status); });
    return done->get_future().get();
  }
  // "NAME/VERSION STATE REASON" of each line of the index.
  std::vector<std::string> index() {
    std::vector<std::string> lines;
    for (const IndexEntry& entry : manager_->index(false)) {
      lines.push_back(
          base::str_cat(entry.name, "/", entry.version, " ", entry.state, " ", entry.reason));
    }
    return lines;
  }
  template <typename Condition>
  static bool eventually(const Condition& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  FakeProvider provider_;
  engine::Catalogue catalogue_;
  fs::path folder_;
  ManagerOptions options_;
  std::unique_ptr<ModelManager> manager_;
};

}  // namespace supernova::model::testing
