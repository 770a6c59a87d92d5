// What tests of an engine in a worker share: models of words (tests/faulty_engine), and the worker
// seen from outside. For tests only.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <sstream>
#include <thread>

#include "engine/engine.h"
#include "engine/worker/worker_engine.h"
#include "engine/worker/worker_status.h"
#include "support/tensors.h"

namespace supernova::engine::worker {

using std::chrono::milliseconds;
using test::tensor_of;
using test::values_of;
using testing::ElementsAre;
using testing::HasSubstr;

using Answer = base::Result<tensor::Response>;

class WorkerEngine : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "supernova-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void open(Options options = {}) {
    options.try_emplace("worker.library", SUPERNOVA_FAULTY_ENGINE);
    options.try_emplace("worker.program", SUPERNOVA_WORKER_PROGRAM);
    options.try_emplace("worker.name", folder_.filename().string());
    auto engine = Engine::open(&worker_engine_entry, options);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }

  struct Opened {
    std::unique_ptr<Model> model;
    std::unique_ptr<Session> session;
  };
  base::Result<Opened> try_load(const std::string& words) {
    return try_load(words, base::str_cat("model", ++models_));
  }
  base::Result<Opened> try_load(const std::string& words, const std::string& name) {
    Artefact artefact;
    artefact.format = "faulty";
    artefact.path = folder_ / name;
    artefact.digest = artefact.path;
    std::ofstream(artefact.path) << words;
    Opened opened;
    SN_ASSIGN(opened.model, engine_->open_model(artefact, {}));
    const sn_device cpu{sizeof(sn_device), SN_DEVICE_CPU, 0, "cpu"};
    SN_ASSIGN(opened.session, opened.model->open_session(cpu, {}));
    return opened;
  }
  Opened load(const std::string& words) {
    auto opened = try_load(words);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? *std::move(opened) : Opened{};
  }

  static std::future<Answer> ask(Session& session, std::vector<float> values,
                                 milliseconds deadline = {}, Stop* stop = nullptr) {
    auto promise = std::make_shared<std::promise<Answer>>();
    tensor::Request request;
    if (deadline.count() > 0) request.deadline = std::chrono::steady_clock::now() + deadline;
    request.inputs.push_back(tensor_of("INPUT0", tensor::DataType::kFp32,
                                       {static_cast<int64_t>(values.size())}, values));
    auto answer = promise->get_future();
    session.run(
        request, [promise](Answer response) { promise->set_value(std::move(response)); }, stop);
    return answer;
  }
  static void expect_through(Session& session, std::vector<float> values) {
    const Answer answer = ask(session, values).get();
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(values_of<float>(answer->outputs[0]), values);
  }

  std::shared_ptr<const WorkerRecord> record() const {
    for (const auto& one : worker_records()) {
      if (one->name() == folder_.filename()) return one;
    }
    ADD_FAILURE() << "no record";
    return nullptr;
  }
  // Waits for what must come.
  template <typename Condition>
  static void wait_for(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end);
      std::this_thread::sleep_for(milliseconds(1));
    }
  }
  void kill_worker() {
    const auto known = record();
    wait_for([&] { return known->pid() != 0; });
    ::kill(known->pid(), SIGKILL);
  }
  // Whether the worker has a thread of that name, and how nice it is.
  std::optional<int> niceness(const std::string& thread) const {
    return niceness(thread, record()->pid());
  }
  static std::optional<int> niceness(const std::string& thread, pid_t process) {
    const auto tasks = base::str_cat("/proc/", process, "/task");
    std::error_code error;
    for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
      std::string text;
      std::getline(std::ifstream(task.path() / "stat"), text);
      const size_t name = text.find('(' + thread + ')');
      if (name == std::string::npos) continue;
      std::istringstream rest(text.substr(text.rfind(')') + 1));
      std::string field;
      for (int i = 3; i <= 19; ++i) rest >> field;  // proc(5)
      return std::stoi(field);
    }
    return std::nullopt;
  }
  std::string once() const { return (folder_ / "once").string(); }
  // The device is lost for as long as that file is there.
  std::string gone() const { return (folder_ / "gone").string(); }
  void lose_device() const { std::ofstream(gone()) << ""; }
  void give_device_back() const { std::filesystem::remove(gone()); }

  std::filesystem::path folder_;
  std::unique_ptr<Engine> engine_;
  int models_ = 0;
};

// With the word "values" the first of a run's values chooses its fault.
inline constexpr float kSegv = 1001;
inline constexpr float kHang = 1004;
inline constexpr float kAllocate = 1005;
inline constexpr float kCorrupt = 1007;
inline constexpr float kLost = 1009;
inline constexpr float kFade = 1010;
inline constexpr float kSink = 1011;
inline constexpr float kMeet = 1012;

// Within it a run is in the engine, whatever else the machine does.
inline constexpr milliseconds kTimeToBegin{400};

}  // namespace supernova::engine::worker
