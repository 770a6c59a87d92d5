// Proves that the runtime reports to nobody: loading it and running a model leaves no file, no
// thread and no socket behind. In a child process, because the runtime stays loaded.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "engine/engine.h"
#include "support/onnx_models.h"

namespace supernova::engine::onnxruntime {
const sn_engine_api* entry(uint32_t host_abi_version);
}

namespace supernova::engine {
namespace {

namespace fs = std::filesystem;

// What telemetry left behind was there within half a second when it was on.
constexpr auto kWatch = std::chrono::milliseconds(1500);

fs::path make_folder() {
  std::string name = (fs::temp_directory_path() / "supernova-telemetry-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  return name;
}

// Every place where a program may keep files of its own, below `root`.
void redirect_folders(const fs::path& root) {
  for (const char* name : {"HOME", "TMPDIR", "TMP", "TEMP", "XDG_CONFIG_HOME", "XDG_CACHE_HOME",
                           "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"}) {
    const fs::path folder = root / name;
    fs::create_directory(folder);
    setenv(name, folder.c_str(), 1);
  }
  fs::create_directory(root / "cwd");
  fs::current_path(root / "cwd");
}

std::vector<std::string> entries(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

base::Status run_a_model() {
  SN_ASSIGN(const auto engine, Engine::open(&onnxruntime::entry, {}));
  tensor::Artefact artefact;
  artefact.format = "onnx";
  artefact.bytes = tensor::Buffer::copy_of(test::mlp_model());
  SN_ASSIGN(const auto model, engine->open_model(artefact, {}));
  sn_device device{};
  device.size = sizeof(device);
  SN_ASSIGN(const auto session, model->open_session(device, {}));
  tensor::Request request;
  tensor::Tensor input;
  input.name = "input";
  input.data_type = tensor::DataType::kFp32;
  input.shape = {1, 16};
  input.buffer = tensor::Buffer::copy_of(std::string(64, '\0'));
  request.inputs.push_back(std::move(input));
  base::Status status = absl::InternalError("no answer");
  session->run(request, [&](const auto& response) { status = response.status(); });
  return status;
}

// What there is that should not be, as text; runs in the child.
std::string findings(const fs::path& root) {
  redirect_folders(root);
  const size_t threads_before = entries("/proc/self/task").size();
  const base::Status status = run_a_model();
  if (!status.ok()) return "the model did not run: " + status.ToString();
  std::this_thread::sleep_for(kWatch);
  std::string found;
  const size_t threads = entries("/proc/self/task").size();
  if (threads != threads_before) {
    found += "threads: " + std::to_string(threads_before) + " -> " + std::to_string(threads) + "\n";
  }
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_directory()) found += "file: " + entry.path().string() + "\n";
  }
  for (const std::string& name : entries("/proc/self/fd")) {
    std::error_code error;
    const std::string target = fs::read_symlink("/proc/self/fd/" + name, error).string();
    if (target.rfind("socket:", 0) == 0) found += "socket: " + target + "\n";
  }
  return found;
}

TEST(Telemetry, LeavesNoFileThreadOrSocket) {
  const fs::path root = make_folder();
  int channel[2];
  ASSERT_EQ(pipe(channel), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    close(channel[0]);
    // Sockets that this test was started with are not the runtime's.
    for (int fd = 3; fd < 1024; ++fd) {
      if (fd != channel[1]) close(fd);
    }
    for (int fd = 0; fd < 3; ++fd) dup2(channel[1], fd);
    std::string found;
    try {
      found = findings(root);
    } catch (const std::exception& e) {
      found = std::string("exception: ") + e.what();
    }
    found += "end";
    const bool written = write(channel[1], found.data(), found.size()) > 0;
    _exit(written ? 0 : 1);
  }
  close(channel[1]);
  std::string found;
  char chunk[4096];
  for (ssize_t n; (n = read(channel[0], chunk, sizeof(chunk))) > 0;) {
    found.append(chunk, static_cast<size_t>(n));
  }
  close(channel[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  fs::remove_all(root);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(found, "end");
}

}  // namespace
}  // namespace supernova::engine
