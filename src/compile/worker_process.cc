#include "compile/worker_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/spawn.h"
#include "compile/worker_job.h"

namespace supernova::compile {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxReply = size_t{1} << 20U;
constexpr size_t kMaxSaid = 2048;
// Between the end of its output and its own end; then it is killed.
constexpr auto kGrace = std::chrono::seconds(2);

struct Pipe {
  base::File read;
  base::File write;
};

base::Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return base::system_error("no pipe for a worker");
  // The worker writes as to any file.
  ::fcntl(ends[1], F_SETFL, 0);
  return Pipe{base::File(ends[0]), base::File(ends[1])};
}

// Appends what is there; false at the end.
bool drain(const base::File& from, std::string& text, size_t limit, bool keep_end) {
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
  const base::Status ignored =
      base::write_all(event_.get(), std::string_view("\1\0\0\0\0\0\0\0", 8));
  (void)ignored;  // it is raised already
}

base::Result<WorkerEnd> run_worker(const WorkerCommand& command, const std::vector<int>& lent,
                                   std::chrono::milliseconds timeout, const StopSignal& stop) {
  SN_ASSIGN(Pipe reply, make_pipe());
  SN_ASSIGN(Pipe said, make_pipe());
  const auto started = Clock::now();
  pid_t pid = 0;
  {
    base::Spawn setup;
    SN_TRY(setup.lend(said.write.get(), STDERR_FILENO));
    SN_TRY(setup.lend(reply.write.get(), kReplyPipe));
    constexpr int kPlaces[] = {kJobFile, kOutputFile, kInputFile};
    for (size_t i = 0; i < std::min(lent.size(), std::size(kPlaces)); ++i) {
      if (lent[i] >= 0) SN_TRY(setup.lend(lent[i], kPlaces[i]));
    }
    SN_ASSIGN(pid, setup.start(command.program, command.arguments));
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
