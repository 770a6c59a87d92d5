#include "engine/worker/run_loop.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "engine/handles.h"
#include "engine/worker/low_priority.h"
#include "engine/worker/server.h"

namespace supernova::engine::worker {
namespace {

constexpr int kMaxThreads = 64;
// How long a thread looks for the next run before it sleeps, where runs use to come as fast: about
// as long as being woken takes.
constexpr auto kLook = std::chrono::microseconds(150);
constexpr auto kLookAlone = std::chrono::microseconds(20);  // then others may have the processor

// Nothing runs on that device in this process any more. The server tries again in the next one what
// is under way.
[[noreturn]] void end_as_lost(std::string_view why) {
  static std::atomic_flag ends;
  while (ends.test_and_set()) ::pause();  // another thread says it
  std::string line(why);
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::fprintf(stderr, "%s\n", line.c_str());
  ::_exit(kDeviceLostExit);
}

// Whether a run that failed did because its device is lost, and what the engine says of that.
bool has_lost_device(const sn_engine_api& api, sn_instance* instance, int32_t code,
                     std::string& why) {
  if (code == SN_UNAVAILABLE) return true;
  if (api.instance_info == nullptr || (code != SN_INTERNAL && code != SN_UNKNOWN)) return false;
  sn_verdict verdict{};
  verdict.size = sizeof(verdict);
  ErrorSlot error;
  if (api.instance_info(instance, &verdict, error.get()) != SN_OK) return false;
  if (verdict.compatibility != SN_CAN_NOT_RUN) return false;
  if (verdict.reason != nullptr) why = verdict.reason;
  return true;
}

}  // namespace

struct RunLoop::Run {
  RunLoop* loop = nullptr;
  uint64_t id = 0;
  SlotHead* head = nullptr;
  Segment segment;
  RequestView request;
  Room room;
  // Responses of one run come one at a time, whatever the engine does, and none while it is
  // cancelled, except from within that call.
  std::recursive_mutex mutex;
  sn_instance* instance = nullptr;  // once it may be cancelled
  bool streams = false;
  bool finished = false;
};

RunLoop::RunLoop(HostedEngine& engine, PacketSocket& socket, Board& board, bool looks)
    : engine_(engine), socket_(socket), board_(board), looks_(looks) {}

void RunLoop::start() { add_thread(); }

void RunLoop::add_thread() {
  if (threads_.fetch_add(1) >= kMaxThreads) {
    threads_.fetch_sub(1);
    return;
  }
  idle_.fetch_add(1);
  std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "run");
    loop();
  }).detach();
}

void RunLoop::add_segment(uint64_t index, SharedMemory memory) {
  std::lock_guard lock(mutex_);
  segments_[index] = std::make_shared<SharedMemory>(std::move(memory));
}

void RunLoop::drop_segment(uint64_t index) {
  std::lock_guard lock(mutex_);
  segments_.erase(index);
}

RunLoop::Segment RunLoop::segment(uint64_t index) {
  // It is announced over the socket, which may be read a little later than the ring.
  for (int i = 0; i < 50000; ++i) {
    {
      std::lock_guard lock(mutex_);
      const auto found = segments_.find(index);
      if (found != segments_.end()) return found->second;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  return nullptr;
}

bool RunLoop::take(RingEntry& entry) {
  uint32_t head = board_.head.load();
  while (head != board_.tail.load()) {
    entry = board_.ring[head % Board::kRing];
    if (board_.head.compare_exchange_weak(head, head + 1)) return true;
  }
  return false;
}

void RunLoop::look() {
  board_.looking.fetch_add(1);
  const auto start = Clock::now();
  for (auto now = start; !is_work() && now < start + kLook; now = Clock::now()) {
    if (now > start + kLookAlone) ::sched_yield();
    for (int i = 0; i < 20; ++i) pause();
  }
  board_.looking.fetch_sub(1);
}

// `gap`: how long threads use to wait here.
void RunLoop::wait_for_work(Clock::duration& gap) {
  const auto start = Clock::now();
  if (looks_ && gap < kLook) look();
  // The server wakes one after it has moved the tail, unless somebody looks, and before it copies
  // much.
  bool woken = false;
  while (!is_work()) {
    if (woken && looks_) look();
    board_.sleeping.fetch_add(1);
    const uint32_t tail = board_.tail.load();
    if (!is_work()) futex_wait(board_.tail, tail, std::chrono::seconds(10));
    board_.sleeping.fetch_sub(1);
    woken = true;
  }
  gap += (std::min<Clock::duration>(Clock::now() - start, 4 * kLook) - gap) / 4;
}

void RunLoop::loop() {
  Clock::duration gap{0};
  while (true) {
    RingEntry entry{};
    if (!take(entry)) {
      wait_for_work(gap);
      continue;
    }
    // Somebody must be there for the next one.
    if (idle_.fetch_sub(1) == 1) {
      add_thread();
    } else if (board_.head.load() != board_.tail.load() && board_.looking.load() == 0) {
      futex_wake(board_.tail, 1);
    }
    execute(entry);
    idle_.fetch_add(1);
  }
}

void RunLoop::execute(const RingEntry& entry) {
  auto run = std::make_shared<Run>();
  run->segment = segment(entry.segment);
  if (run->segment == nullptr) {
    std::string lost;
    Writer(lost).number(1);
    write_refusal(SN_RESOURCE_EXHAUSTED, "the worker can't map the memory of the run", lost);
    socket_.send(kResponse, entry.run, lost).IgnoreError();
    return;
  }
  run->loop = this;
  run->head = reinterpret_cast<SlotHead*>(run->segment->data() + entry.offset);
  run->id = entry.run;
  run->head->started.store(1, std::memory_order_release);
  if (run->head->careful == 0) return perform(run);
  // A thread can't raise its priority again, so that one ends with the run.
  std::thread([this, run] {
    const LowPriority low("careful-run");
    perform(run);
  }).detach();
}

void RunLoop::perform(const std::shared_ptr<Run>& run) {
  std::string refusal = prepare(*run);
  if (!refusal.empty()) return finish(*run, refusal);
  {
    std::lock_guard lock(mutex_);
    runs_[run->id] = run;
  }
  // From here on who closes what it refers to waits for it.
  const auto refuse = [&](int32_t code, std::string_view why) {
    write_refusal(code, why, refusal);
    end_with(*run, refusal);
  };
  sn_instance* const instance = engine_.instance(run->request.instance);
  if (instance == nullptr) return refuse(SN_INTERNAL, "the worker has no such instance open");
  if (run->request.state != 0) {
    run->request.run.state = engine_.state(run->request.state);
    if (run->request.run.state == nullptr) {
      return refuse(SN_FAILED_PRECONDITION, "the state of the sequence is gone");
    }
  }
  {
    std::lock_guard lock(run->mutex);
    run->instance = instance;
  }
  // A cancel that came before that found no run.
  if (run->head->cancelled.load() != 0) {
    write_failure(SN_CANCELLED, "cancelled before it began", refusal);
    return end_with(*run, refusal);
  }
  ErrorSlot error;
  const int32_t code = engine_.api().run(instance, &run->request.run, error.get());
  if (code == SN_OK) return;
  std::string why(base::message(error.check(code, "the engine", "run")));
  if (has_lost_device(engine_.api(), instance, code, why)) end_as_lost(why);
  refuse(code, why);
}

void RunLoop::end_with(Run& run, std::string_view response) {
  std::lock_guard lock(run.mutex);
  if (!run.finished) finish(run, response);
  run.finished = true;
  end(run);
}

std::string RunLoop::prepare(Run& run) {
  std::byte* const slot = reinterpret_cast<std::byte*>(run.head);
  run.room = Room(slot + run.head->room_offset, run.head->room_size);
  const char* const request = reinterpret_cast<const char*>(slot + sizeof(SlotHead));
  std::string refusal;
  if (!run.request.read({request, run.head->request_size}, slot + run.head->data_offset,
                        run.head->room_offset - run.head->data_offset)) {
    write_refusal(SN_INTERNAL, "the worker does not understand the run", refusal);
  }
  run.request.run.ctx = &run;
  run.request.run.cancelled = reinterpret_cast<const uint32_t*>(&run.head->cancelled);
  run.request.run.on_response = [](void* ctx, const sn_response* response) {
    Run& of = *static_cast<Run*>(ctx);
    of.loop->respond(of, read_struct(response));
  };
  return refusal;
}

void RunLoop::respond(Run& run, const sn_response& response) {
  bool is_final = false;
  {
    std::lock_guard lock(run.mutex);
    if (run.finished) return;
    if (response.error != nullptr && response.error->code == SN_UNAVAILABLE) {
      end_as_lost(text_of(*response.error));
    }
    std::string body;
    std::vector<base::File> files;
    const base::Status status = write_response(response, run.request.run, run.room, body, files);
    if (!status.ok()) {
      body.clear();
      files.clear();
      write_failure(static_cast<int32_t>(status.code()), base::message(status), body);
    }
    is_final = response.final != 0 || !status.ok();
    run.finished = is_final;
    if (!is_final || run.streams || !files.empty() || body.size() > run.head->response_capacity) {
      send(run, body, files, is_final);
    } else {
      finish(run, body);
    }
  }
  if (is_final) end(run);
}

// Into the slot, whoever waits for it.
void RunLoop::finish(Run& run, std::string_view response) {
  SlotHead& head = *run.head;
  if (run.streams || response.size() > head.response_capacity) {
    return send(run, response, {}, true);
  }
  std::memcpy(reinterpret_cast<char*>(&head) + head.response_offset, response.data(),
              response.size());
  head.response_size.store(response.size(), std::memory_order_relaxed);
  settle();
  switch (head.state.exchange(kDone)) {
    case kSleeping:
      futex_wake(head.state, 1);
      break;
    case kHanded:
      socket_.send(kRunDone, run.id, {}).IgnoreError();
      break;
    default:
      break;
  }
}

void RunLoop::send(Run& run, std::string_view response, const std::vector<base::File>& files,
                   bool final) {
  if (!run.streams) {
    run.streams = true;
    if (run.head->state.exchange(kStreamed) == kSleeping) futex_wake(run.head->state, 1);
  }
  settle();
  std::vector<int> numbers;
  for (const base::File& file : files) numbers.push_back(file.get());
  std::string body;
  Writer(body).number(final ? 1 : 0);
  body.append(response);
  socket_.send(kResponse, run.id, body, numbers).IgnoreError();
}

void RunLoop::settle() { std::lock_guard lock(mutex_); }

void RunLoop::end(const Run& run) {
  std::shared_ptr<Run> last;  // of what it refers to itself
  std::lock_guard lock(mutex_);
  const auto found = runs_.find(run.id);
  if (found == runs_.end()) return;
  last = std::move(found->second);
  runs_.erase(found);
  ended_.notify_all();
}

template <typename Condition>
void RunLoop::wait_for_runs(Condition is_of) {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [&] {
    return cancels_ == 0 && std::none_of(runs_.begin(), runs_.end(), [&](const auto& entry) {
             return is_of(entry.second->request);
           });
  });
}

void RunLoop::wait_for_instance(uint64_t instance) {
  wait_for_runs([=](const RequestView& request) { return request.instance == instance; });
}

void RunLoop::wait_for_state(uint64_t state) {
  wait_for_runs([=](const RequestView& request) { return request.state == state; });
}

void RunLoop::cancel(uint64_t id) {
  std::shared_ptr<Run> run;
  {
    std::lock_guard lock(mutex_);
    const auto found = runs_.find(id);
    if (found == runs_.end()) return;
    run = found->second;
    ++cancels_;
  }
  {
    // The engine knows a run until its final response only.
    std::lock_guard lock(run->mutex);
    if (!run->finished && run->instance != nullptr && engine_.api().cancel != nullptr) {
      engine_.api().cancel(run->instance, &run->request.run);
    }
  }
  std::lock_guard lock(mutex_);
  --cancels_;
  ended_.notify_all();
}

bool RunLoop::is_idle() {
  std::lock_guard lock(mutex_);
  return runs_.empty();
}

}  // namespace supernova::engine::worker
