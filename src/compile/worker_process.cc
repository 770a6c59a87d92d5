#include "compile/worker_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "compile/worker_job.h"

extern char** environ;  // NOLINT: POSIX wants it declared by who uses it

namespace supernova::compile {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxReply = size_t{1} << 20U;
constexpr size_t kMaxSaid = 2048;
// Above every number that a worker's descriptors get, so that none is overwritten before it is
// copied.
constexpr int kAbove = 16;
// Between the end of its output and its own end; then it is killed.
constexpr auto kGrace = std::chrono::seconds(2);

struct Pipe {
  File read;
  File write;
};

base::Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return system_error("no pipe for a worker");
  // The worker writes as to any file.
  ::fcntl(ends[1], F_SETFL, 0);
  return Pipe{File(ends[0]), File(ends[1])};
}

// What posix_spawn is told, freed again.
class SpawnSetup {
 public:
  SpawnSetup() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    // A group of its own: Ctrl-C is for the server, which ends its workers.
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions_, 1, "/dev/null", O_WRONLY, 0);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  base::Status lend(int file, int as) {
    copies_.emplace_back(::fcntl(file, F_DUPFD_CLOEXEC, kAbove));
    if (!copies_.back().is_open()) return system_error("no descriptor for a worker");
    posix_spawn_file_actions_adddup2(&actions_, copies_.back().get(), as);
    return {};
  }

  base::Result<pid_t> start(const WorkerCommand& command) {
    posix_spawn_file_actions_addclosefrom_np(&actions_, kInputFile + 1);
    std::vector<char*> arguments;
    for (const std::string& argument : command.arguments) {
      arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, command.program.c_str(), &actions_, &attributes_,
                                    arguments.data(), environ);
    if (error != 0) {
      return system_error(base::str_cat("worker '", command.program, "' can't be started"), error);
    }
    return pid;
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  std::vector<File> copies_;
};

// Appends what is there; false at the end.
bool drain(const File& from, std::string& text, size_t limit, bool keep_end) {
  char piece[4096];
  while (true) {
    const ssize_t got = ::read(from.get(), piece, sizeof(piece));
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    text.append(piece, static_cast<size_t>(got));
    if (text.size() <= limit) continue;
    if (!keep_end) return false;
    text.erase(0, text.size() - limit);
  }
}

int milliseconds_until(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 3'600'000));
}

// Reads both pipes until the reply's ends, the time is over or all is to stop.
void listen(const Pipe& reply, const Pipe& said, const StopSignal& stop, Clock::time_point deadline,
            WorkerEnd& end) {
  bool talking = true;
  while (true) {
    pollfd watched[] = {{reply.read.get(), POLLIN, 0},
                        {stop.descriptor(), POLLIN, 0},
                        {talking ? said.read.get() : -1, POLLIN, 0}};
    const int ready = ::poll(watched, 3, milliseconds_until(deadline));
    if (ready < 0 && errno != EINTR) return;
    if (watched[1].revents != 0) {
      end.how = WorkerEnd::How::kStopped;
      return;
    }
    if (talking && watched[2].revents != 0) talking = drain(said.read, end.said, kMaxSaid, true);
    if (watched[0].revents != 0 && !drain(reply.read, end.reply, kMaxReply, false)) return;
    if (Clock::now() >= deadline) {
      end.how = WorkerEnd::How::kTimedOut;
      return;
    }
  }
}

void reap(pid_t pid, WorkerEnd& end) {
  const auto deadline = Clock::now() + kGrace;
  if (end.how != WorkerEnd::How::kExited) ::kill(-pid, SIGKILL);
  int status = 0;
  struct rusage usage {};
  bool killed = false;
  while (true) {
    const pid_t done = ::wait4(pid, &status, killed ? 0 : WNOHANG, &usage);
    if (done == pid) break;
    if (done < 0 && errno != EINTR) return;  // somebody else has waited for it
    if (Clock::now() >= deadline) {
      ::kill(-pid, SIGKILL);
      killed = true;
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  end.peak_memory_bytes = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
  if (end.how != WorkerEnd::How::kExited) return;
  if (WIFSIGNALED(status)) {
    end.how = WorkerEnd::How::kSignalled;
    end.code = WTERMSIG(status);
  } else {
    end.code = WEXITSTATUS(status);
  }
}

}  // namespace

StopSignal::StopSignal() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void StopSignal::raise() {
  const base::Status ignored = write_all(event_.get(), std::string_view("\1\0\0\0\0\0\0\0", 8));
  (void)ignored;  // it is raised already
}

base::Result<WorkerEnd> run_worker(const WorkerCommand& command, const std::vector<int>& lent,
                                   std::chrono::milliseconds timeout, const StopSignal& stop) {
  SN_ASSIGN(Pipe reply, make_pipe());
  SN_ASSIGN(Pipe said, make_pipe());
  const auto started = Clock::now();
  pid_t pid = 0;
  {
    SpawnSetup setup;
    SN_TRY(setup.lend(said.write.get(), STDERR_FILENO));
    SN_TRY(setup.lend(reply.write.get(), kReplyPipe));
    constexpr int kPlaces[] = {kJobFile, kOutputFile, kInputFile};
    for (size_t i = 0; i < std::min(lent.size(), std::size(kPlaces)); ++i) {
      if (lent[i] >= 0) SN_TRY(setup.lend(lent[i], kPlaces[i]));
    }
    SN_ASSIGN(pid, setup.start(command));
  }
  reply.write.close();
  said.write.close();
  WorkerEnd end;
  listen(reply, said, stop, started + timeout, end);
  reap(pid, end);
  drain(said.read, end.said, kMaxSaid, true);
  end.duration = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started);
  return end;
}

}  // namespace supernova::compile
