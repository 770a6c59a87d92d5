#include "engine/worker/worker_process.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "base/log.h"
#include "base/spawn.h"
#include "device/cpu_limits.h"
#include "engine/handles.h"
#include "engine/worker/server.h"

namespace supernova::engine::worker {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxLine = 1000;
constexpr size_t kMaxLastWords = 600;
// A worker whose socket is not read for so long hangs.
constexpr auto kSendTime = std::chrono::seconds(10);
// For closing its engine, then it is killed.
constexpr auto kStopTime = std::chrono::seconds(3);

// How many processes the kernel has killed for want of memory, in this control group and on the
// machine.
uint64_t count_oom_kills() {
  uint64_t sum = 0;
  const std::string group = device::cgroup_path("/", "");
  for (const std::string& path :
       {base::str_cat("/sys/fs/cgroup", group, "/memory.events"), std::string("/proc/vmstat")}) {
    std::ifstream file(path);
    std::string key;
    uint64_t value = 0;
    while (file >> key >> value) {
      if (key == "oom_kill") sum += value;
    }
  }
  return sum;
}

// Whether a process had used up most of what it may take: what it was refused then is why it ended,
// also where its library put it as a crash. The limit counts stacks and the like that are never
// touched, a few tens of MiB.
bool was_at_limit(uint64_t peak_bytes, uint64_t limit_bytes) {
  constexpr uint64_t kUntouched = uint64_t{64} << 20U;
  return limit_bytes > 0 && peak_bytes >= limit_bytes / 2 &&
         peak_bytes + std::max(kUntouched, limit_bytes / 4) >= limit_bytes;
}

}  // namespace

// Who waits for an answer.
struct WorkerProcess::Call {
  const Sink* sink = nullptr;
  base::Status sink_status;
  bool answered = false;
  std::string reply;
};

base::Result<std::shared_ptr<WorkerProcess>> WorkerProcess::start(const WorkerCommand& command,
                                                                  Handlers handlers) {
  std::shared_ptr<WorkerProcess> worker(new WorkerProcess);
  worker->command_ = command;
  worker->handlers_ = std::move(handlers);
  SN_ASSIGN(auto ends, PacketSocket::make_pair());
  SN_TRY(ends.first.limit_send_time(kSendTime));
  SN_ASSIGN(worker->board_, SharedMemory::create("supernova-board", sizeof(Board)));
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return base::system_error("no pipe for a worker");
  worker->said_ = base::File(pipe[0]);
  const base::File said(pipe[1]);
  ::fcntl(pipe[0], F_SETFL, O_NONBLOCK);
  base::Spawn spawn;
  SN_TRY(spawn.lend(said.get(), STDOUT_FILENO));
  SN_TRY(spawn.lend(said.get(), STDERR_FILENO));
  SN_TRY(spawn.lend(ends.second.descriptor(), kSocketFile));
  SN_TRY(spawn.lend(worker->board_.file(), kBoardFile));
  worker->oom_kills_ = count_oom_kills();
  worker->started_ = Clock::now();
  SN_ASSIGN(worker->pid_,
            spawn.start(command.program, {"supernova-worker", command.name}, command.environment));
  worker->process_ = base::File(static_cast<int>(::syscall(SYS_pidfd_open, worker->pid_, 0)));
  worker->socket_ = std::move(ends.first);
  worker->thread_ = std::thread([self = worker.get()] { self->serve(); });
  return worker;
}

WorkerProcess::~WorkerProcess() {
  if (pid_ == 0) return;
  stop();
  thread_.join();
}

void WorkerProcess::serve() {
  ::pthread_setname_np(::pthread_self(), "worker-messages");
  bool says = true;
  while (true) {
    pollfd watched[] = {{socket_.descriptor(), POLLIN, 0},
                        {process_.get(), POLLIN, 0},
                        {says ? said_.get() : -1, POLLIN, 0}};
    if (::poll(watched, 3, -1) < 0 && errno != EINTR) break;
    if (watched[2].revents != 0) says = read_said();
    if (watched[0].revents != 0 && !receive_all()) break;
    if (watched[1].revents != 0) {
      receive_all();
      break;
    }
  }
  reap();
}

// Every message that is there; false when no more will come.
bool WorkerProcess::receive_all() {
  while (true) {
    auto message = socket_.receive(false);
    if (message.ok()) {
      handle(*std::move(message));
      continue;
    }
    if (absl::IsNotFound(message.status())) return true;
    if (!absl::IsOutOfRange(message.status()) && !absl::IsUnavailable(message.status())) {
      SN_LOG(Error, "worker '{}': {}; it is ended", command_.name,
             std::string(base::message(message.status())));
    }
    return false;
  }
}

void WorkerProcess::handle(Message message) {
  switch (message.type) {
    case kReply: {
      std::lock_guard lock(mutex_);
      const auto found = calls_.find(message.id);
      if (found == calls_.end()) return;
      found->second->reply = std::move(message.body);
      found->second->answered = true;
      changed_.notify_all();
      return;
    }
    case kLog: {
      Reader in(message.body);
      const int32_t level = std::clamp(in.small_number(), 0, 3);
      const std::string_view text = in.text();
      if (in.complete() && handlers_.on_log) handlers_.on_log(level, text);
      return;
    }
    case kSinkFile:
      return take_file(message);
    case kRunDone:
    case kResponse:
      if (handlers_.on_message) handlers_.on_message(message);
      return;
    default:
      return;
  }
}

// The sink runs on this thread, while the worker and the caller wait.
void WorkerProcess::take_file(Message& message) {
  Reader in(message.body);
  const std::string_view name = in.text();
  const uint64_t size = in.number();
  Call* call = nullptr;
  {
    std::lock_guard lock(mutex_);
    const auto found = calls_.find(message.id);
    if (found == calls_.end() || found->second->sink == nullptr) return;
    call = found->second;  // it waits until this thread tells of an answer or of the end
  }
  base::Status status = absl::InternalError("the worker hands over a file that is none");
  if (in.complete() && message.files.size() == 1) {
    auto content = SharedMemory::map_sealed(std::move(message.files.front()), size);
    status =
        content.ok() ? (*call->sink)(name, {content->data(), content->size()}) : content.status();
  }
  if (call->sink_status.ok()) call->sink_status = status;
  std::string answer;
  Writer(answer).number(static_cast<uint64_t>(status.code()));
  tell(kSinkAnswer, message.id, answer);
}

base::Result<std::string> WorkerProcess::call(MessageType type, std::string_view body,
                                              const std::vector<int>& files,
                                              std::chrono::milliseconds timeout, bool* died,
                                              const Sink& sink) {
  Call call;
  if (sink) call.sink = &sink;
  std::unique_lock lock(mutex_);
  const uint64_t id = next_call_++;
  calls_[id] = &call;
  lock.unlock();
  const base::Status sent = send(type, id, body, files);
  lock.lock();
  const auto is_over = [&] { return call.answered || has_ended(); };
  if (sent.ok() && !changed_.wait_for(lock, timeout, is_over)) {
    lock.unlock();
    kill_as_timed_out(base::str_cat("an answer after ", timeout.count() / 1000.0, " s"));
    lock.lock();
  }
  // Where nothing could be sent, it is about to end, unless it was told too much.
  if (!absl::IsResourceExhausted(sent)) changed_.wait(lock, is_over);
  calls_.erase(id);
  lock.unlock();
  if (!call.sink_status.ok()) return call.sink_status;
  if (!call.answered) {
    if (died != nullptr) *died = has_ended();
    return has_ended() ? base::Status(absl::UnavailableError(end_.reason)) : sent;
  }
  Reader in(call.reply);
  const int32_t code = in.small_number();
  if (!in.ok()) return absl::InternalError("the worker's answer makes no sense");
  if (code == SN_OK) return call.reply.substr(sizeof(uint64_t));
  return to_status(code, in.text());
}

void WorkerProcess::tell(MessageType type, uint64_t id, std::string_view body,
                         const std::vector<int>& files) {
  send(type, id, body, files).IgnoreError();
}

base::Status WorkerProcess::send(MessageType type, uint64_t id, std::string_view body,
                                 const std::vector<int>& files) {
  const base::Status sent = socket_.send(type, id, body, files);
  if (absl::IsDeadlineExceeded(sent)) kill_as_timed_out("reading what it is told");
  return sent;
}

bool WorkerProcess::read_said() {
  char piece[4096];
  while (true) {
    const ssize_t got = ::read(said_.get(), piece, sizeof(piece));
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    said_line_.append(piece, static_cast<size_t>(got));
    flush_said(false);
  }
}

// Whole lines go to the log, the last ones are kept for the reason of its end.
void WorkerProcess::flush_said(bool all) {
  size_t from = 0;
  while (from < said_line_.size()) {
    size_t to = said_line_.find('\n', from);
    if (to == std::string::npos && (all || said_line_.size() - from > kMaxLine)) {
      to = std::min(said_line_.size(), from + kMaxLine);
    }
    if (to == std::string::npos) break;
    const std::string line = said_line_.substr(from, std::min(to - from, kMaxLine));
    from = to < said_line_.size() && said_line_[to] == '\n' ? to + 1 : to;
    if (line.empty()) continue;
    SN_LOG(Warning, "worker '{}' says: {}", command_.name, line);
    last_words_ += last_words_.empty() ? line : base::str_cat("; ", line);
    if (last_words_.size() > kMaxLastWords) {
      last_words_.erase(0, last_words_.size() - kMaxLastWords);
    }
  }
  said_line_.erase(0, from);
}

void WorkerProcess::reap() {
  // It has ended, or does not serve any more; what it left behind ends with it.
  ::kill(-pid_, SIGKILL);
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  read_said();
  flush_said(true);
  std::unique_lock lock(mutex_);
  // From here on its number may be another process's.
  int status = 0;
  struct rusage usage {};
  ::wait4(pid_, &status, 0, &usage);
  reaped_ = true;
  EndEvidence evidence;
  evidence.stopped = stopping_;
  evidence.timed_out = !timed_out_.empty();
  evidence.device_lost =
      !lost_.empty() || (WIFEXITED(status) && WEXITSTATUS(status) == kDeviceLostExit);
  evidence.out_of_memory =
      (WIFEXITED(status) && WEXITSTATUS(status) == kOutOfMemoryExit) ||
      board().at_memory_limit.load() != 0 ||
      (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && count_oom_kills() > oom_kills_) ||
      (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
       last_words_.find("std::bad_alloc") != std::string::npos) ||
      was_at_limit(static_cast<uint64_t>(usage.ru_maxrss) * 1024, command_.memory_byte_size);
  end_.wait_status = status;
  end_.cause = classify(status, evidence);
  end_.lived = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started_);
  end_.reason =
      base::str_cat("worker '", command_.name, "' ended: ", describe_end(status, end_.cause));
  if (end_.cause == EndCause::kOutOfMemory && command_.memory_byte_size > 0) {
    end_.reason += base::str_cat(", of which it may have ", command_.memory_byte_size >> 20U,
                                 " MiB (--worker-memory-byte-size)");
  }
  if (evidence.timed_out) end_.reason += base::str_cat(", without ", timed_out_);
  if (!lost_.empty()) end_.reason += base::str_cat(": ", lost_);
  if (!last_words_.empty()) end_.reason += base::str_cat(" (it said: ", last_words_, ")");
  lock.unlock();
  if (handlers_.on_end) handlers_.on_end(end_);
  lock.lock();
  ended_.store(true, std::memory_order_release);
  changed_.notify_all();
}

void WorkerProcess::kill_as_timed_out(std::string_view what) {
  std::lock_guard lock(mutex_);
  if (reaped_ || stopping_) return;
  timed_out_ = what;
  ::kill(-pid_, SIGKILL);
}

void WorkerProcess::end_as_lost(std::string_view why) {
  std::unique_lock lock(mutex_);
  if (!reaped_ && !stopping_ && timed_out_.empty() && lost_.empty()) {
    lost_ = why.empty() ? "it does not say why" : why;
    ::kill(-pid_, SIGKILL);
  }
  changed_.wait(lock, [&] { return has_ended(); });
}

void WorkerProcess::stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  if (has_ended()) return;
  ::shutdown(socket_.descriptor(), SHUT_WR);
  if (!changed_.wait_for(lock, kStopTime, [&] { return has_ended(); })) {
    if (!reaped_) ::kill(-pid_, SIGKILL);
    changed_.wait(lock, [&] { return has_ended(); });
  }
}

}  // namespace supernova::engine::worker
