#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

namespace supernova::bench {
namespace {

// The number behind `field` in a file of /proc; 0 where it is not there.
uint64_t proc_number(const std::string& path, std::string_view field) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(field)) return std::strtoull(line.c_str() + field.size(), nullptr, 10);
  }
  return 0;
}

std::string word_after(const std::string& line, std::string_view key) {
  const size_t at = line.find(key);
  if (at == std::string::npos) return "";
  const size_t begin = at + key.size();
  return line.substr(begin, line.find_first_of(" \n", begin) - begin);
}

[[noreturn]] void become(std::vector<std::string>& words, int core, int output,
                         const std::map<std::string, std::string>& variables) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  dup2(output, STDOUT_FILENO);
  pin_to_core(core);
  for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
  execv(arguments[0], arguments.data());
  _exit(127);
}

}  // namespace

Cores choose_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0 || CPU_COUNT(&set) < 2) return {};
  Cores cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &set)) continue;
    if (cores.server < 0) cores.server = core;
    cores.client = core;
  }
  return cores;
}

void pin_to_core(int core) {
  if (core < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof(set), &set);
}

uint64_t raise_file_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

base::Result<Process> Process::start(std::vector<std::string> words, int core,
                                     const std::map<std::string, std::string>& variables) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::InternalError(std::strerror(errno));
  const auto before = std::chrono::steady_clock::now();
  const pid_t pid = fork();
  if (pid < 0) return absl::InternalError(std::strerror(errno));
  if (pid == 0) become(words, core, ends[1], variables);
  close(ends[1]);
  Process process(pid, ends[0]);
  SN_TRY(process.read_ready_line(words[0]));
  process.ready_seconds_ =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
  return process;
}

base::Status Process::read_ready_line(const std::string& program) {
  std::string line;
  for (char c = 0; c != '\n';) {
    pollfd entry{output_, POLLIN, 0};
    if (poll(&entry, 1, 60000) != 1 || read(output_, &c, 1) != 1) {
      return absl::UnavailableError(
          base::str_cat(program, " did not become ready; build it, or see what it says above"));
    }
    line += c;
  }
  http_ = word_after(line, "http=");
  grpc_ = word_after(line, "grpc=");
  if (line.starts_with("ready ")) return {};
  return absl::InternalError(base::str_cat("unexpected ready line of ", program, ": ", line));
}

double Process::cpu_seconds() const {
  clockid_t clock = 0;
  timespec time{};
  if (clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

uint64_t Process::resident_bytes() const {
  return 1024 * proc_number(base::str_cat("/proc/", pid_, "/status"), "VmRSS:");
}

uint64_t Process::voluntary_switches() const {
  uint64_t all = 0;
  std::error_code ignored;
  for (const auto& thread :
       std::filesystem::directory_iterator(base::str_cat("/proc/", pid_, "/task"), ignored)) {
    all += proc_number((thread.path() / "status").string(), "voluntary_ctxt_switches:");
  }
  return all;
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      output_(std::exchange(other.output_, -1)),
      http_(std::move(other.http_)),
      grpc_(std::move(other.grpc_)),
      ready_seconds_(other.ready_seconds_) {}

Process::~Process() {
  if (pid_ > 0) {
    kill(pid_, SIGTERM);
    for (int i = 0; i < 3000 && waitpid(pid_, nullptr, WNOHANG) == 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      if (i == 2999) {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
      }
    }
  }
  if (output_ >= 0) close(output_);
}

}  // namespace supernova::bench
