#include "server_process.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace supernova::bench {

void pin_to_core(int core) {
  if (core < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof(set), &set);
}

base::Result<ServerProcess> ServerProcess::start(const std::string& program,
                                                 const std::vector<std::string>& models, int core) {
  std::vector<std::string> words{program, "serve"};
  words.insert(words.end(), models.begin(), models.end());
  for (const char* word : {"--http-port", "0", "--grpc-port", "0"}) words.emplace_back(word);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  int ends[2];
  if (pipe(ends) != 0) return absl::InternalError(std::strerror(errno));
  const pid_t pid = fork();
  if (pid < 0) return absl::InternalError(std::strerror(errno));
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    pin_to_core(core);
    execv(program.c_str(), arguments.data());
    _exit(127);
  }
  close(ends[1]);
  ServerProcess server(pid, ends[0]);
  SN_TRY(server.read_ready_line());
  return server;
}

base::Status ServerProcess::read_ready_line() {
  std::string line;
  for (char c = 0; c != '\n';) {
    if (read(output_, &c, 1) != 1) {
      return absl::UnavailableError(
          "the server ended before it was ready; build it, or name it with --server");
    }
    line += c;
  }
  constexpr std::string_view kKey = "http=";
  const size_t begin = line.find(kKey);
  const size_t end = begin == std::string::npos ? begin : line.find_first_of(" \n", begin);
  const size_t colon = end == std::string::npos ? end : line.rfind(':', end);
  if (colon == std::string::npos ||
      !base::parse_whole(std::string_view(line).substr(colon + 1, end - colon - 1), http_port_)) {
    return absl::InternalError(base::str_cat("unexpected ready line: ", line));
  }
  return {};
}

ServerProcess::ServerProcess(ServerProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      output_(std::exchange(other.output_, -1)),
      http_port_(other.http_port_) {}

ServerProcess::~ServerProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  if (output_ >= 0) close(output_);
}

}  // namespace supernova::bench
