#include "engine/worker/server.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <new>
#include <thread>

#include "base/sanitized.h"
#include "engine/worker/fatal_signals.h"
#include "engine/worker/low_priority.h"
#include "engine/worker/run_loop.h"

namespace supernova::engine::worker {
namespace {

constexpr bool kIsPlain = SUPERNOVA_SANITIZED == 0;

void limit(decltype(RLIMIT_CORE) what, uint64_t most) {
  struct rlimit now {};
  if (::getrlimit(what, &now) != 0) return;
  const rlim_t value = now.rlim_max == RLIM_INFINITY ? most : std::min<rlim_t>(most, now.rlim_max);
  const struct rlimit wanted { value, value };
  ::setrlimit(what, &wanted);
}

// When memory gets short, a worker goes before the server.
void be_first_to_go() {
  FILE* const file = std::fopen("/proc/self/oom_score_adj", "r+e");
  if (file == nullptr) return;
  int score = 0;
  if (std::fscanf(file, "%d", &score) == 1) {
    std::rewind(file);
    std::fprintf(file, "%d", std::min(score + 300, 1000));
  }
  std::fclose(file);
}

[[noreturn]] void end_badly() {
  try {
    if (const auto error = std::current_exception()) std::rethrow_exception(error);
    std::fputs("the engine called terminate\n", stderr);
  } catch (const std::bad_alloc&) {
    std::fputs("out of memory\n", stderr);
    lower_all_if_low();
    ::_exit(kOutOfMemoryExit);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "an exception left the engine: %s\n", error.what());
  } catch (...) {
    std::fputs("an exception left the engine\n", stderr);
  }
  std::abort();
}

class Server {
 public:
  explicit Server(std::span<const BuiltinEngine> builtin)
      : builtin_(builtin), socket_(base::File(kSocketFile)), engine_(&host_) {
    host_.size = sizeof(host_);
    host_.ctx = this;
    host_.log = &log;
    host_.allocate = &allocate;
    host_.deallocate = [](void*, void* memory, size_t) { std::free(memory); };
  }

  int serve();

 private:
  static void log(void* ctx, int32_t level, const char* message);
  static void* allocate(void*, size_t byte_size, size_t alignment);

  void handle(Message message);
  void add_segment(Message& message);
  // In the background: calls may take long, and must not hold each other up.
  void enqueue(Message message);
  void answer_calls();
  void answer(Message message);
  void be_idle();
  base::Status call(Message& message, Writer& out);
  base::Status call_carefully(Message& message);
  void undo(MessageType type, const std::string& body);
  base::Status start(Message& message, Writer& out);
  base::Status compile(Message& message);
  int32_t pass_on(uint64_t call, std::string_view name, std::span<const std::byte> content);

  const std::span<const BuiltinEngine> builtin_;
  PacketSocket socket_;
  sn_host host_{};
  std::atomic<int32_t> log_level_{1};
  HostedEngine engine_;
  SharedMemory board_;
  std::unique_ptr<RunLoop> runs_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Message> calls_;
  int idle_ = 0;
  std::map<uint64_t, int32_t> sink_answers_;
};

void Server::log(void* ctx, int32_t level, const char* message) {
  Server& self = *static_cast<Server*>(ctx);
  if (message == nullptr || level < self.log_level_.load(std::memory_order_relaxed)) return;
  std::string body;
  Writer out(body);
  out.number(static_cast<uint64_t>(level));
  out.text(std::string_view(message).substr(0, 4096));
  self.socket_.send(kLog, 0, body).IgnoreError();
}

void* Server::allocate(void*, size_t byte_size, size_t alignment) {
  const size_t wanted = std::max(alignment, sizeof(void*));
  if ((wanted & (wanted - 1)) != 0) return nullptr;
  void* memory = nullptr;
  return posix_memalign(&memory, wanted, std::max<size_t>(byte_size, 1)) == 0 ? memory : nullptr;
}

int Server::serve() {
  auto memory = SharedMemory::map(base::File(kBoardFile), sizeof(Board));
  if (!memory.ok()) {
    std::fprintf(stderr, "error: %s\n", std::string(base::message(memory.status())).c_str());
    return 2;
  }
  board_ = *std::move(memory);
  Board& board = *reinterpret_cast<Board*>(board_.data());
  if (kIsPlain) handle_fatal_signals(board.at_memory_limit);
  cpu_set_t cores;
  const bool several = ::sched_getaffinity(0, sizeof(cores), &cores) == 0 && CPU_COUNT(&cores) > 1;
  runs_ = std::make_unique<RunLoop>(engine_, socket_, board, several);
  while (true) {
    auto message = socket_.receive();
    if (!message.ok()) break;
    handle(*std::move(message));
  }
  // Runs and calls under way are nobody's any more. Devices want to be closed.
  if (runs_->is_idle()) {
    ::alarm(2);
    engine_.close();
  }
  return 0;
}

void Server::handle(Message message) {
  runs_->settle();
  switch (message.type) {
    case kSegment:
      return add_segment(message);
    case kDropSegment:
      return runs_->drop_segment(message.id);
    case kSinkAnswer: {
      Reader in(message.body);
      std::lock_guard lock(mutex_);
      sink_answers_[message.id] = in.small_number();
      changed_.notify_all();
      return;
    }
    default:
      return enqueue(std::move(message));
  }
}

void Server::add_segment(Message& message) {
  Reader in(message.body);
  const uint64_t size = in.number();
  if (message.files.empty()) return;
  auto memory = SharedMemory::map(std::move(message.files.front()), size);
  if (memory.ok()) return runs_->add_segment(message.id, *std::move(memory));
  log(this, 3, std::string(base::message(memory.status())).c_str());
}

void Server::enqueue(Message message) {
  std::lock_guard lock(mutex_);
  calls_.push_back(std::move(message));
  if (static_cast<size_t>(idle_) < calls_.size()) {
    ++idle_;
    std::thread([this] {
      ::pthread_setname_np(::pthread_self(), "call");
      answer_calls();
    }).detach();
  }
  changed_.notify_all();
}

void Server::answer_calls() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return !calls_.empty(); });
    Message message = std::move(calls_.front());
    calls_.pop_front();
    --idle_;
    lock.unlock();
    answer(std::move(message));
    lock.lock();
  }
}

void Server::answer(Message message) {
  if (message.type == kCancel) {
    runs_->cancel(message.id);
    return be_idle();
  }
  const uint64_t id = message.id;
  std::string reply;
  Writer out(reply);
  out.number(SN_OK);
  const bool careful = (message.type & kCarefully) != 0;
  message.type &= ~kCarefully;
  base::Status status;
  if (careful) status = call_carefully(message);
  if (status.ok() && !(careful && message.type == kCompile)) status = call(message, out);
  if (!status.ok()) {
    reply.clear();
    write_error(out, static_cast<int32_t>(status.code()), base::message(status));
  }
  runs_->settle();
  be_idle();
  socket_.send(kReply, id, reply).IgnoreError();
}

// Before it is heard of, or the next call finds nobody there and gets one more thread, whose stack
// is memory of the worker's for good.
void Server::be_idle() {
  std::lock_guard lock(mutex_);
  ++idle_;
}

base::Status Server::call(Message& message, Writer& out) {
  Reader in(message.body);
  switch (message.type) {
    case kStart:
      return start(message, out);
    case kCanRun:
      return engine_.can_run(in, message.files, out);
    case kCompile:
      return compile(message);
    case kModelOpen:
      return engine_.open_model(in, message.files, out);
    case kModelClose:
      return engine_.close_model(in);
    case kInstanceOpen:
      return engine_.open_instance(in);
    case kInstanceClose:
      return engine_.close_instance(in, [&](uint64_t key) { runs_->wait_for_instance(key); });
    case kInstanceInfo:
      return engine_.instance_info(in, out);
    case kStateOpen:
      return engine_.open_state(in);
    case kStateClose:
      return engine_.close_state(in, [&](uint64_t key) { runs_->wait_for_state(key); });
    default:
      return absl::UnimplementedError(
          base::str_cat("the worker knows no message of type ", message.type));
  }
}

// At low priority, on a thread that ends with it. What threads the engine starts meanwhile keep
// that priority, so what was opened is closed again: if it does not take too much, it is opened
// once more as usual.
base::Status Server::call_carefully(Message& message) {
  Message rehearsal;
  rehearsal.type = message.type;
  rehearsal.id = message.id;
  rehearsal.body = message.body;
  for (const base::File& file : message.files) {
    rehearsal.files.emplace_back(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
  }
  base::Status status;
  std::thread([&] {
    const LowPriority low("careful-call");
    std::string reply;
    Writer out(reply);
    status = call(rehearsal, out);
    if (status.ok()) undo(static_cast<MessageType>(message.type), message.body);
  }).join();
  return status;
}

void Server::undo(MessageType type, const std::string& body) {
  Reader in(body);
  if (type == kModelOpen) engine_.close_model(in).IgnoreError();
  if (type != kInstanceOpen) return;
  in.number();  // the model's
  engine_.close_instance(in, [](uint64_t) {}).IgnoreError();
}

base::Status Server::start(Message& message, Writer& out) {
  Reader in(message.body);
  const StartOrder order = read_start(in);
  if (!in.complete()) {
    return absl::FailedPreconditionError(
        "the worker program is of another build than the server; install both anew");
  }
  log_level_ = order.log_level;
  host_.thread_budget = order.thread_budget;
  if (kIsPlain && order.memory_byte_size > 0) limit(RLIMIT_DATA, order.memory_byte_size);
  SN_TRY(engine_.start(order, builtin_, out));
  runs_->start();
  return {};
}

base::Status Server::compile(Message& message) {
  Reader in(message.body);
  return engine_.compile(in, message.files,
                         [&](std::string_view name, std::span<const std::byte> content) {
                           return pass_on(message.id, name, content);
                         });
}

int32_t Server::pass_on(uint64_t call, std::string_view name, std::span<const std::byte> content) {
  const auto file = sealed_copy("supernova-compiled", content);
  if (!file.ok()) return static_cast<int32_t>(file.status().code());
  std::string body;
  Writer out(body);
  out.text(name);
  out.number(content.size());
  if (!socket_.send(kSinkFile, call, body, {file->get()}).ok()) return SN_UNAVAILABLE;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return sink_answers_.contains(call); });
  const int32_t code = sink_answers_[call];
  sink_answers_.erase(call);
  return code;
}

}  // namespace

int serve(std::span<const BuiltinEngine> builtin) {
  // With the server goes its worker.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::signal(SIGPIPE, SIG_IGN);
  limit(RLIMIT_CORE, 0);
  be_first_to_go();
  std::set_terminate(&end_badly);
  for (const int file : {kSocketFile, kBoardFile}) ::fcntl(file, F_SETFD, FD_CLOEXEC);
  // Never destroyed: its threads don't end.
  auto* const server = new Server(builtin);
  return server->serve();
}

}  // namespace supernova::engine::worker
