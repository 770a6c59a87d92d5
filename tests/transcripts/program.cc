#include "program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "support/onnx_models.h"

namespace supernova::transcripts {
namespace {

namespace fs = std::filesystem;
using tensor::DataType;

void write(const fs::path& path, const std::string& content) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

// The word after `key` in `text`, up to a space or the end of the line.
std::string word_after(const std::string& text, std::string_view key) {
  const size_t at = text.find(key);
  if (at == std::string::npos) return "";
  const size_t begin = at + key.size();
  return text.substr(begin, text.find_first_of(" \n", begin) - begin);
}

}  // namespace

void write_repository(const fs::path& folder) {
  const auto model = [&](const std::string& name, const std::string& content,
                         const std::string& version = "1") {
    write(folder / name / version / "model.onnx", content);
  };
  model("add_sub", test::add_sub_model({"n"}));
  model("upper", test::upper_case_model());
  model("broken", test::add_sub_model({"n"}).substr(0, 40));
  model("two_versions", test::identity_model(DataType::kFp32, {"n"}), "1");
  model("two_versions", test::identity_model(DataType::kFp32, {"n"}), "3");
  write(folder / "two_versions" / "config.pbtxt", "version_policy { all {} }\n");
  model("labelled", test::identity_model(DataType::kFp32, {3}));
  write(
      folder / "labelled" / "config.pbtxt",
      "output { name: \"OUTPUT0\" data_type: TYPE_FP32 dims: 3 label_filename: \"labels.txt\" }\n");
  write(folder / "labelled" / "labels.txt", "cat\ndog\nbird\n");
  for (int type = 1; type <= static_cast<int>(DataType::kBf16); ++type) {
    const auto data_type = static_cast<DataType>(type);
    std::string name = "identity_";
    for (const char c : tensor::data_type_name(data_type)) {
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    model(name, test::identity_model(data_type, {"n"}));
  }
}

base::Result<std::unique_ptr<Program>> Program::start(const std::string& binary,
                                                      const fs::path& repository,
                                                      const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {binary,
                                    "serve",
                                    "--host",
                                    "127.0.0.1",
                                    "--http-port",
                                    "0",
                                    "--grpc-port",
                                    "0",
                                    "--metrics-port",
                                    "0",
                                    "--model-repository",
                                    repository.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return absl::InternalError(std::strerror(errno));
  std::unique_ptr<Program> program(new Program());
  program->output_ = ends[0];
  program->child_ = ::fork();
  if (program->child_ == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  if (program->child_ < 0) return absl::InternalError(std::strerror(errno));
  SN_TRY(program->wait_until_ready());
  return program;
}

base::Status Program::wait_until_ready() {
  std::string said;
  char piece[4096];
  // Every line it says starts the time anew.
  for (pollfd wait{output_, POLLIN, 0}; ::poll(&wait, 1, 60'000) > 0;) {
    const ssize_t size = ::read(output_, piece, sizeof(piece));
    if (size <= 0) break;
    said.append(piece, static_cast<size_t>(size));
    const size_t ready = said.find("ready http=");
    if (ready == std::string::npos || said.find('\n', ready) == std::string::npos) continue;
    http_ = word_after(said.substr(ready), "http=");
    grpc_ = word_after(said.substr(ready), "grpc=");
    return {};
  }
  return absl::UnavailableError("the server did not become ready; it said:\n" + said);
}

Program::~Program() {
  if (child_ > 0) {
    ::kill(child_, SIGTERM);
    // What it still says must not block it.
    char piece[4096];
    while (::read(output_, piece, sizeof(piece)) > 0) {
    }
    ::waitpid(child_, nullptr, 0);
  }
  if (output_ >= 0) ::close(output_);
}

}  // namespace supernova::transcripts
