#include "device/library_child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

#include "base/file.h"
#include "base/spawn.h"
#include "base/text.h"
#include "device/system_tree.h"

namespace supernova::device {
namespace {

using Clock = std::chrono::steady_clock;
using Outcome = LibraryAnswer::Outcome;
using std::chrono::milliseconds;

constexpr std::string_view kCommand = "ask-library";
constexpr size_t kMaxAnswer = size_t{1} << 20;
// A child whose parent is gone ends by itself.
constexpr unsigned kLongestSeconds = 120;
constexpr char kField = '\x1f';
constexpr std::string_view kEnd = "end";

std::atomic<bool> can_answer{false};

struct OutcomeName {
  Outcome outcome;
  std::string_view name;
};
constexpr OutcomeName kOutcomes[] = {
    {Outcome::kAnswered, "answered"}, {Outcome::kAbsent, "absent"}, {Outcome::kRefused, "refused"}};

LibraryAnswer failed(Outcome outcome, std::string reason) {
  return {outcome, std::move(reason), {}};
}

// With `out` as its output.
base::Result<pid_t> start(const std::vector<std::string>& command, int out) {
  base::Spawn spawn;
  SN_TRY(spawn.lend(out, STDOUT_FILENO));
  return spawn.start(command.front(), command);
}

// Reads to the end; false when the deadline comes first.
bool read_all(int file, Clock::time_point deadline, std::string& text) {
  while (text.size() < kMaxAnswer) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd watched{file, POLLIN, 0};
    const int ready = ::poll(&watched, 1, static_cast<int>(std::min<int64_t>(left, 60'000)));
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    char piece[4096];
    const ssize_t got = ready < 0 ? -1 : ::read(file, piece, sizeof(piece));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    text.append(piece, static_cast<size_t>(got));
  }
  return true;
}

// Waits for a process that ends or was killed. One that a driver keeps in the kernel can't be
// waited for: it is left to a thread of its own.
bool reap(pid_t pid, Clock::time_point deadline, int& status) {
  while (true) {
    const pid_t done = ::waitpid(pid, &status, WNOHANG);
    if (done == pid) return true;
    if (done < 0 && errno != EINTR) return false;
    if (Clock::now() >= deadline) break;
    std::this_thread::sleep_for(milliseconds(1));
  }
  try {
    std::thread([pid] {
      int ignored = 0;
      while (::waitpid(pid, &ignored, 0) < 0 && errno == EINTR) {
      }
    }).detach();
  } catch (const std::exception&) {
    // It stays a zombie until this process ends.
  }
  return false;
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) {
    const char* name = ::sigabbrev_np(WTERMSIG(status));
    return base::str_cat("crashed (", name == nullptr ? "signal" : "SIG",
                         name == nullptr ? "" : name, ")");
  }
  return base::str_cat("ended without an answer (exit code ", WEXITSTATUS(status), ")");
}

int answer_for(std::string_view name) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::alarm(kLongestSeconds);
  const struct rlimit no_core {};
  ::setrlimit(RLIMIT_CORE, &no_core);
  // Drivers print: what they say must not get between the lines of the answer.
  const int out = ::dup(1);
  ::dup2(2, 1);
  std::vector<Probe> probes;
  list_probes(probes);
  for (const Probe& probe : probes) {
    if (probe.name != name || probe.ask_library == nullptr) continue;
    const std::string text = write_answer(probe.ask_library());
    for (size_t done = 0; done < text.size();) {
      const ssize_t wrote = ::write(out, text.data() + done, text.size() - done);
      if (wrote < 0 && errno != EINTR) return 1;
      done += static_cast<size_t>(std::max<ssize_t>(wrote, 0));
    }
    // Not exit(): libraries' own clean-up is where many of them crash.
    ::_exit(0);
  }
  return 2;
}

}  // namespace

std::optional<int> library_child_main(int argc, char** argv) {
  if (argc == 3 && argv[1] == kCommand) return answer_for(argv[2]);
  can_answer.store(true);
  return std::nullopt;
}

std::vector<std::string> this_program_as_child() {
  if (!can_answer.load()) return {};
  return {"/proc/self/exe", std::string(kCommand)};
}

LibraryAnswer ask_in_child(const std::vector<std::string>& command, std::string_view probe,
                           milliseconds limit) {
  if (command.empty()) return {};
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return failed(Outcome::kRefused, base::str_cat("no pipe to ask it: ", std::strerror(errno)));
  }
  base::File in(ends[0]);
  base::File out(ends[1]);
  const auto deadline = Clock::now() + limit;
  std::vector<std::string> words = command;
  words.emplace_back(probe);
  const auto started = start(words, out.get());
  if (!started.ok()) {
    return failed(Outcome::kRefused,
                  base::str_cat("no process to ask it: ", base::message(started.status())));
  }
  const pid_t pid = *started;
  out.close();
  std::string text;
  bool in_time = read_all(in.get(), deadline, text);
  in.close();  // one that goes on writing ends by that
  int status = 0;
  // A closed pipe is nearly always followed by the end.
  if (in_time) in_time = reap(pid, std::max(deadline, Clock::now() + milliseconds(100)), status);
  if (!in_time) {
    ::kill(-pid, SIGKILL);
    reap(pid, Clock::now() + milliseconds(500), status);
    return failed(Outcome::kTimedOut,
                  base::str_cat("did not answer within ", limit.count() / 1000.0, " s"));
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return failed(Outcome::kCrashed, how_it_ended(status));
  }
  return read_answer(text);
}

std::string write_answer(const LibraryAnswer& answer) {
  std::string text;
  for (const OutcomeName& known : kOutcomes) {
    if (known.outcome == answer.outcome) text = known.name;
  }
  text += kField + printable(answer.reason) + '\n';
  for (const Record& record : answer.records) {
    for (const auto& [key, value] : record) {
      text += printable(key) + kField + printable(value) + kField;
    }
    text += '\n';
  }
  return text + std::string(kEnd) + '\n';
}

LibraryAnswer read_answer(std::string_view text) {
  const LibraryAnswer unreadable = failed(Outcome::kCrashed, "gave an answer that can't be read");
  const auto take = [](std::string_view& from, char end) {
    const size_t at = std::min(from.find(end), from.size());
    const std::string_view part = from.substr(0, at);
    from.remove_prefix(std::min(at + 1, from.size()));
    return part;
  };
  std::string_view first = take(text, '\n');
  const std::string_view outcome = take(first, kField);
  LibraryAnswer answer;
  for (const OutcomeName& known : kOutcomes) {
    if (known.name == outcome) answer.outcome = known.outcome;
  }
  if (answer.outcome == Outcome::kNotAsked) return unreadable;
  answer.reason = printable(first);
  while (!text.empty()) {
    std::string_view line = take(text, '\n');
    if (line == kEnd) return answer;
    Record record;
    while (!line.empty()) {
      const std::string_view key = take(line, kField);
      record.emplace(printable(key), printable(take(line, kField)));
    }
    answer.records.push_back(std::move(record));
  }
  return unreadable;
}

}  // namespace supernova::device
