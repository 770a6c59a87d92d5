#include "engine/worker/remote_runs.h"

#include <sched.h>

#include <algorithm>
#include <cstring>

#include "engine/abi_calls.h"
#include "engine/handles.h"
#include "engine/worker/remote_engine.h"

namespace supernova::engine::worker {
namespace {

using Clock = std::chrono::steady_clock;

// For the record of a response that has nothing unusual to say.
constexpr size_t kResponseBase = 128;
constexpr size_t kResponsePerOutput = 256;
constexpr size_t kErrorRoom = sizeof(sn_error);
// Who brings a run waits for it as it would if it ran here, but not for one that takes far longer
// than usual or very long: the threads that hear workers then take care of it.
constexpr uint64_t kLongNs = 50'000'000;
constexpr auto kLeastPatience = std::chrono::milliseconds(1);
// One that is usually shorter is looked for in memory, since to sleep and be woken takes as long.
constexpr uint64_t kQuickNs = 200'000;
constexpr auto kLook = std::chrono::microseconds(200);
constexpr auto kLookAlone = std::chrono::microseconds(20);  // then others may have the processor
constexpr auto kCancelPatience = std::chrono::seconds(10);
// A worker has processors for its first run by then.
constexpr auto kTakenWithin = std::chrono::milliseconds(5000);
// The worker is woken before so much is copied, not after.
constexpr size_t kLongCopy = size_t{64} << 10U;

thread_local bool this_thread_hears_workers = false;

bool several_cores() {
  cpu_set_t cores;
  return ::sched_getaffinity(0, sizeof(cores), &cores) == 0 && CPU_COUNT(&cores) > 1;
}

bool brings_outputs(const sn_run& run) {
  for (size_t i = 0; i < run.output_count; ++i) {
    if (element(run.outputs, i)->buffer.data == nullptr) return true;
  }
  return false;
}

}  // namespace

RemoteRuns::RemoteRuns() : looks_(several_cores()) {}

RemoteRuns::~RemoteRuns() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    earlier_.notify_all();
  }
  if (timekeeper_.joinable()) timekeeper_.join();
}

void RemoteRuns::set_hears_workers() { this_thread_hears_workers = true; }
bool RemoteRuns::hears_workers() { return this_thread_hears_workers; }

base::Result<RemoteRunPtr> RemoteRuns::prepare(RemoteInstance& instance, const sn_run& given) {
  thread_local std::string request;
  request.clear();
  const auto* state = reinterpret_cast<const RemoteState*>(given.state);
  SN_ASSIGN(const size_t data_size,
            write_request(given, instance.key, state != nullptr ? state->key : 0, request));
  auto run = std::make_shared<RemoteRun>();
  run->instance = &instance;
  run->run = &given;
  run->instance_key = instance.key;
  run->state_key = state != nullptr ? state->key : 0;
  run->deadline_ns = given.deadline_ns;
  run->keeps_state = state != nullptr;
  run->request_size = request.size();
  run->response_offset = aligned(sizeof(SlotHead) + request.size());
  run->response_capacity = kResponseBase + kErrorRoom + given.output_count * kResponsePerOutput;
  run->data_offset = aligned(run->response_offset + run->response_capacity);
  run->room_offset = run->data_offset + aligned(data_size);
  run->room_size = aligned(instance.room.load(std::memory_order_relaxed));
  if (run->room_size == 0 && brings_outputs(given)) run->room_size = 1024;
  SN_ASSIGN(run->slot, arena_->take(run->room_offset + run->room_size));
  run->arena = arena_;
  // What the rounding up left is room as well.
  run->room_size = run->slot.size - run->room_offset;
  std::memcpy(run->slot.data + sizeof(SlotHead), request.data(), request.size());
  return run;
}

// With the lock held. Fills in what a worker before may have written over.
base::Status RemoteRuns::submit(const RemoteRunPtr& run, WorkerProcess& worker, uint32_t state) {
  if (in_flight_.size() + abandoned_.size() >= Board::kRing) {
    return absl::ResourceExhaustedError(
        base::str_cat("more than ", Board::kRing, " runs are in the worker"));
  }
  if (run->instance->model->is_broken) {
    std::lock_guard model_lock(run->instance->model->mutex);
    return absl::UnavailableError(run->instance->model->broken);
  }
  if (run->id == 0) run->id = next_id_++;
  SlotHead& head = run->head();
  head.request_size = run->request_size;
  head.response_offset = run->response_offset;
  head.response_capacity = run->response_capacity;
  head.data_offset = run->data_offset;
  head.room_offset = run->room_offset;
  head.room_size = run->room_size;
  head.careful = run->careful ? 1 : 0;
  // A cancel that came before this found no run.
  run->cancelled = run->cancelled || is_cancelled(*run->run);
  head.cancelled.store(run->cancelled ? 1 : 0, std::memory_order_relaxed);
  head.started.store(0, std::memory_order_relaxed);
  head.response_size.store(0, std::memory_order_relaxed);
  head.state.store(state, std::memory_order_relaxed);
  run->submitted = Clock::now();
  in_flight_[run->id] = run;
  Board& board = worker.board();
  const uint32_t tail = board.tail.load(std::memory_order_relaxed);
  run->is_first = tail == 0;
  board.ring[tail % Board::kRing] = {run->id, run->slot.segment, run->slot.offset};
  board.tail.store(tail + 1);
  if (board.looking.load() == 0) futex_wake(board.tail, 1);
  return {};
}

int32_t RemoteRuns::run(RemoteInstance& instance, const sn_run& given, bool careful,
                        sn_error* error) {
  const auto failed = [&](const base::Status& status) { return engine::fail(status, error); };
  auto prepared = prepare(instance, given);
  if (!prepared.ok()) return failed(prepared.status());
  const RemoteRunPtr& run = *prepared;
  run->careful = careful;
  if (run->room_offset - run->data_offset >= kLongCopy) wake_early();
  copy_inputs(given, run->data());
  const uint64_t typical_ns = instance.typical_ns.load(std::memory_order_relaxed);
  const bool waits = typical_ns <= kLongNs && !hears_workers();
  {
    std::lock_guard lock(mutex_);
    if (!refusal_.ok()) return failed(refusal_);
    watch(*run);
    if (worker_ == nullptr || must_wait(*run)) {
      if (is_cancelled(given)) return failed(absl::CancelledError("cancelled"));
      waiting_.push_back(run);
      return SN_OK;
    }
    const base::Status status = submit(run, *worker_, waits ? kWaited : kHanded);
    if (!status.ok()) return failed(status);
  }
  return waits ? wait(run, typical_ns, error) : int32_t{SN_OK};
}

// Until the answer is there, somebody else takes care of it, or it has taken too long for that.
// Then the run may be over, and what it was given gone.
int32_t RemoteRuns::wait(const RemoteRunPtr& run, uint64_t typical_ns, sn_error* error) {
  std::atomic<uint32_t>& state = run->head().state;
  if (looks_ && typical_ns < kQuickNs) {
    const auto start = Clock::now();
    for (auto now = start; state.load() == kWaited && now < start + kLook; now = Clock::now()) {
      if (now > start + kLookAlone) ::sched_yield();
      for (int i = 0; i < 20; ++i) pause();
    }
  }
  uint32_t seen = kWaited;
  if (state.compare_exchange_strong(seen, kSleeping)) {
    const auto end = Clock::now() + std::max<Clock::duration>(
                                        kLeastPatience, std::chrono::nanoseconds(2 * typical_ns));
    seen = kSleeping;
    while (seen == kSleeping) {
      const auto left = end - Clock::now();
      if (left <= Clock::duration::zero()) {
        if (state.compare_exchange_strong(seen, kHanded)) break;
      } else {
        futex_wait(state, kSleeping, left);
        seen = state.load();
      }
    }
  }
  if (state.load() != kDone || !claim(run)) return SN_OK;
  return deliver_from_slot(run, error);
}

void RemoteRuns::wake_early() {
  std::lock_guard lock(mutex_);
  if (worker_ == nullptr || worker_->board().looking.load() != 0) return;
  futex_wake(worker_->board().tail, 1);
}

bool RemoteRuns::claim(const RemoteRunPtr& run) {
  Failed failed;
  bool claimed = false;
  {
    std::lock_guard lock(mutex_);
    claimed = in_flight_.contains(run->id);
    failed = forget(run->id);
  }
  fail_all(failed);
  return claimed;
}

// One that was abandoned, or had its place beside one, leaves it to those that wait for it.
RemoteRuns::Failed RemoteRuns::forget(uint64_t id) {
  if (in_flight_.erase(id) > 0) {
    tell_if_idle();
  } else if (abandoned_.erase(id) == 0) {
    return {};
  }
  return waiting_.empty() ? Failed() : submit_waiting();
}

void RemoteRuns::tell_if_idle() {
  if (in_flight_.empty()) idle_.notify_all();
}

void RemoteRuns::cancel(const sn_run& given) {
  RemoteRunPtr waited;
  std::shared_ptr<WorkerProcess> worker;
  uint64_t id = 0;
  {
    std::lock_guard lock(mutex_);
    const auto take = [&](auto& runs) {
      const auto found = std::find_if(runs.begin(), runs.end(),
                                      [&](const auto& run) { return run->run == &given; });
      if (found == runs.end()) return;
      waited = *found;
      runs.erase(found);
    };
    take(waiting_);
    take(suspects_);
    for (const auto& [key, run] : in_flight_) {
      if (run->run != &given) continue;
      run->cancelled = true;
      run->head().cancelled.store(1);
      // An engine that can't end it, or hangs, keeps its caller no longer than this.
      const auto latest = Clock::now().time_since_epoch() + kCancelPatience;
      const auto latest_ns = static_cast<uint64_t>(std::chrono::nanoseconds(latest).count());
      if (run->deadline_ns == 0 || run->deadline_ns > latest_ns) run->deadline_ns = latest_ns;
      watch(*run);
      worker = worker_;
      id = key;
    }
  }
  if (worker != nullptr) worker->tell(kCancel, id, {});
  if (waited) fail(waited, SN_CANCELLED, "cancelled");
}

void RemoteRuns::attach(const std::shared_ptr<WorkerProcess>& worker) {
  if (worker == nullptr) return arena_->attach({}, {});
  arena_->attach(
      [worker](uint64_t segment, const SharedMemory& memory) {
        std::string body;
        Writer(body).number(memory.size());
        worker->tell(kSegment, segment, body, {memory.file()});
      },
      [worker](uint64_t segment) { worker->tell(kDropSegment, segment, {}); });
}

RemoteRuns::Failed RemoteRuns::go_to(std::shared_ptr<WorkerProcess> worker) {
  std::lock_guard lock(mutex_);
  if (worker == nullptr && worker_ != nullptr) waits_since_ = Clock::now();
  worker_ = std::move(worker);
  if (worker_ == nullptr) return {};
  refusal_ = {};
  return submit_waiting();
}

RemoteRuns::Failed RemoteRuns::submit_waiting() {
  Failed failed;
  if (worker_ == nullptr) return failed;
  std::deque<RemoteRunPtr> waiting;
  waiting.swap(waiting_);
  for (RemoteRunPtr& run : waiting) {
    if (must_wait(*run)) {
      waiting_.push_back(std::move(run));
      continue;
    }
    base::Status status = submit(run, *worker_, kHanded);
    if (!status.ok()) failed.emplace_back(std::move(run), std::move(status));
  }
  return failed;
}

void RemoteRuns::fail_all(const Failed& failed) {
  for (const auto& [run, status] : failed) fail(run, status);
}

void RemoteRuns::refuse(const base::Status& status) {
  std::deque<RemoteRunPtr> refused;
  {
    std::lock_guard lock(mutex_);
    refusal_ = status;
    if (!status.ok()) {
      refused.swap(waiting_);
      refused.insert(refused.end(), suspects_.begin(), suspects_.end());
      suspects_.clear();
    }
  }
  for (const RemoteRunPtr& run : refused) fail(run, status);
}

RemoteRuns::Lost RemoteRuns::collect() {
  Lost lost;
  std::vector<RemoteRunPtr> done;
  {
    std::lock_guard lock(mutex_);
    if (worker_ != nullptr) waits_since_ = Clock::now();
    worker_ = nullptr;
    for (auto& [id, run] : in_flight_) {
      if (run->head().state.load() == kDone) {
        done.push_back(run);
        continue;
      }
      const bool started = run->head().started.load() != 0;
      run->head().state.store(kLost);
      futex_wake(run->head().state, 1);
      (started ? lost.started : lost.waiting).push_back(run);
    }
    in_flight_.clear();
    for (auto& [id, run] : abandoned_) {
      const bool is_under_way = run->head().state.load() != kDone;
      if (is_under_way && run->head().started.load() != 0) lost.started.push_back(run);
    }
    abandoned_.clear();
    idle_.notify_all();
  }
  for (const RemoteRunPtr& run : done) deliver_from_slot(run);
  return lost;
}

bool RemoteRuns::submit_suspect(WorkerProcess& worker) {
  RemoteRunPtr run;
  base::Status status;
  {
    std::lock_guard lock(mutex_);
    if (suspects_.empty()) return false;
    run = std::move(suspects_.back());
    suspects_.pop_back();
    copy_inputs(*run->run, run->data());
    watch(*run);
    status = submit(run, worker, kHanded);
  }
  if (!status.ok()) fail(run, status);
  return true;
}

void RemoteRuns::suspect(const RemoteRunPtr& run) {
  std::lock_guard lock(mutex_);
  suspects_.push_back(run);
  watch(*run);
}

void RemoteRuns::wait_again(const RemoteRunPtr& run) {
  std::lock_guard lock(mutex_);
  copy_inputs(*run->run, run->data());
  waiting_.push_front(run);
  watch(*run);
}

bool RemoteRuns::wait_until_idle(std::chrono::milliseconds most) {
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, most, [&] { return in_flight_.empty(); });
}

std::optional<Clock::time_point> RemoteRuns::waits_since() {
  std::lock_guard lock(mutex_);
  if (worker_ != nullptr) return std::nullopt;
  return waits_since_;
}

base::Status RemoteRuns::refusal() {
  std::lock_guard lock(mutex_);
  return refusal_;
}

bool RemoteRuns::mark_overdue(std::chrono::milliseconds timeout) {
  std::lock_guard lock(mutex_);
  bool any = false;
  bool none_started = true;
  bool waits_long = false;
  const auto now = Clock::now();
  for (const auto* runs : {&in_flight_, &abandoned_}) {
    for (const auto& [id, run] : *runs) {
      const bool started = run->head().started.load() != 0;
      none_started = none_started && !started;
      const auto most = std::max(timeout, started ? timeout : kTakenWithin) *
                        (run->careful ? kCarefulPatience : 1);
      if (now - run->submitted < most) continue;
      run->overdue = started;
      any = any || started;
      waits_long = waits_long || !started;
    }
  }
  // Runs wait for each other; where none has begun, the worker is stopped or stuck.
  return any || (none_started && waits_long);
}

}  // namespace supernova::engine::worker
