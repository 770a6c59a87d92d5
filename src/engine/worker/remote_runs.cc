#include "engine/worker/remote_runs.h"

#include <sched.h>

#include <cstdlib>
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
// The worker is woken before so much is copied, not after.
constexpr size_t kLongCopy = size_t{64} << 10U;
// Outputs from this size on stay in the slot until the host gives them back.
constexpr size_t kInPlace = size_t{64} << 10U;

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
  if (in_flight_.size() >= Board::kRing) {
    return absl::ResourceExhaustedError(
        base::str_cat("more than ", Board::kRing, " runs are in the worker"));
  }
  if (run->id == 0) run->id = next_id_++;
  SlotHead& head = run->head();
  head.request_size = run->request_size;
  head.response_offset = run->response_offset;
  head.response_capacity = run->response_capacity;
  head.data_offset = run->data_offset;
  head.room_offset = run->room_offset;
  head.room_size = run->room_size;
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
  board.ring[tail % Board::kRing] = {run->id, run->slot.segment, run->slot.offset};
  board.tail.store(tail + 1);
  if (board.looking.load() == 0) futex_wake(board.tail, 1);
  return {};
}

int32_t RemoteRuns::run(RemoteInstance& instance, const sn_run& given, sn_error* error) {
  const auto failed = [&](const base::Status& status) { return engine::fail(status, error); };
  auto prepared = prepare(instance, given);
  if (!prepared.ok()) return failed(prepared.status());
  const RemoteRunPtr& run = *prepared;
  if (run->room_offset - run->data_offset >= kLongCopy) wake_early();
  copy_inputs(given, run->data());
  const bool is_long = instance.typical_ns.load(std::memory_order_relaxed) > kLongNs;
  const bool waits = !is_long && !hears_workers();
  {
    std::lock_guard lock(mutex_);
    if (!refusal_.ok()) return failed(refusal_);
    if (worker_ == nullptr) {
      if (is_cancelled(given)) return failed(absl::CancelledError("cancelled"));
      waiting_.push_back(run);
      return SN_OK;
    }
    const base::Status status = submit(run, *worker_, waits ? kWaited : kHanded);
    if (!status.ok()) return failed(status);
  }
  return waits ? wait(run, error) : int32_t{SN_OK};
}

// Until the answer is there, somebody else takes care of it, or it has taken too long for that.
int32_t RemoteRuns::wait(const RemoteRunPtr& run, sn_error* error) {
  std::atomic<uint32_t>& state = run->head().state;
  const uint64_t typical = run->instance->typical_ns.load(std::memory_order_relaxed);
  if (looks_ && typical < kQuickNs) {
    const auto start = Clock::now();
    for (auto now = start; state.load() == kWaited && now < start + kLook; now = Clock::now()) {
      if (now > start + kLookAlone) ::sched_yield();
      for (int i = 0; i < 20; ++i) pause();
    }
  }
  uint32_t seen = kWaited;
  if (state.compare_exchange_strong(seen, kSleeping)) {
    const auto end = Clock::now() + std::max<Clock::duration>(
                                        kLeastPatience, std::chrono::nanoseconds(2 * typical));
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
  std::lock_guard lock(mutex_);
  const bool claimed = in_flight_.erase(run->id) > 0;
  if (claimed && in_flight_.empty()) idle_.notify_all();
  return claimed;
}

void RemoteRuns::on_message(Message& message) {
  RemoteRunPtr run;
  ResponseRecord response;
  bool understood = true;
  if (message.type == kResponse) {
    Reader in(message.body);
    in.number();
    understood = in.ok() && read_response(std::string_view(message.body).substr(8), response);
    response.final = response.final || !understood || response.refused;
  }
  {
    std::lock_guard lock(mutex_);
    const auto found = in_flight_.find(message.id);
    if (found == in_flight_.end()) return;
    run = found->second;
    if (message.type == kRunDone || response.final) {
      in_flight_.erase(found);
      if (in_flight_.empty()) idle_.notify_all();
    }
  }
  if (message.type == kRunDone) {
    deliver_from_slot(run);
    return;
  }
  if (!understood) return fail(run, SN_INTERNAL, "the worker's response makes no sense");
  deliver(run, response, message.files);
}

int32_t RemoteRuns::deliver_from_slot(const RemoteRunPtr& run, sn_error* refusal) {
  const uint64_t size = run->head().response_size.load(std::memory_order_acquire);
  // A copy: what is checked must be what is used.
  absl::InlinedVector<uint64_t, 64> body;
  ResponseRecord response;
  bool understood = size <= run->response_capacity;
  if (understood) {
    body.resize(size / sizeof(uint64_t) + 1);
    std::memcpy(body.data(), run->slot.data + run->response_offset, size);
    understood = read_response({reinterpret_cast<const char*>(body.data()), size}, response);
  }
  if (!understood) {
    fail(run, SN_INTERNAL, "the worker's response makes no sense");
    return SN_OK;
  }
  if (refusal != nullptr && response.refused && response.code != SN_OK) {
    fill_error(refusal, response.code, response.message);
    return response.code;
  }
  response.final = true;
  std::vector<base::File> none;
  deliver(run, response, none);
  return SN_OK;
}

namespace {

// An output in shared memory that the host has to give back.
struct Borrowed {
  RemoteRunPtr run;     // holds the slot
  SharedMemory memory;  // or a file of its own
};

void give_back(void* owner) { delete static_cast<Borrowed*>(owner); }

void lend_out(sn_buffer& buffer, const std::byte* data, std::unique_ptr<Borrowed> owner) {
  buffer.data = const_cast<std::byte*>(data);
  buffer.owner = owner.release();
  buffer.release = &give_back;
}

// Memory of the host's own, so that the slot is free at once.
bool copy_out(sn_buffer& buffer, const std::byte* data, size_t size) {
  buffer.data = std::malloc(std::max<size_t>(size, 1));
  if (buffer.data == nullptr) return false;
  if (size > 0) std::memcpy(buffer.data, data, size);
  buffer.owner = buffer.data;
  buffer.release = &std::free;
  return true;
}

// Where a worker says that an output is: checked, and made what the ABI promises.
base::Status take_output(const RemoteRunPtr& run, const OutputRecord& output,
                         std::vector<base::File>& files, sn_buffer& buffer) {
  const auto wrong = [&] {
    return absl::InternalError(base::str_cat("the worker's response has an output '",
                                             output.name != nullptr ? output.name : "",
                                             "' that can't be where it says"));
  };
  buffer.size = sizeof(buffer);
  buffer.device.size = sizeof(buffer.device);
  buffer.byte_size = output.byte_size;
  switch (output.place) {
    case OutputPlace::kNowhere:
      if (output.byte_size != 0) return wrong();
      return copy_out(buffer, nullptr, 0) ? base::Status() : absl::ResourceExhaustedError("memory");
    case OutputPlace::kLent: {
      if (output.where >= run->run->output_count) return wrong();
      const sn_buffer& lent = element(run->run->outputs, output.where)->buffer;
      const size_t capacity = lent.capacity != 0 ? lent.capacity : lent.byte_size;
      if (lent.data == nullptr || output.byte_size > capacity) return wrong();
      const std::byte* const from = run->data() + lent_offset(*run->run, output.where);
      if (output.byte_size > 0) std::memcpy(lent.data, from, output.byte_size);
      buffer.data = lent.data;
      buffer.capacity = lent.capacity;
      return {};
    }
    case OutputPlace::kRoom: {
      if (output.where > run->room_size || output.byte_size > run->room_size - output.where) {
        return wrong();
      }
      const std::byte* const from = run->slot.data + run->room_offset + output.where;
      // Texts are read by their lengths, which must not change under the reader.
      if (output.byte_size >= kInPlace && output.dtype != SN_BYTES) {
        lend_out(buffer, from, std::make_unique<Borrowed>(Borrowed{run, {}}));
        return {};
      }
      return copy_out(buffer, from, output.byte_size) ? base::Status()
                                                      : absl::ResourceExhaustedError("memory");
    }
    case OutputPlace::kFile: {
      if (output.where >= files.size() || !files[output.where].is_open()) return wrong();
      SN_ASSIGN(SharedMemory memory,
                SharedMemory::map_sealed(std::move(files[output.where]), output.byte_size));
      const std::byte* const from = memory.data();
      lend_out(buffer, from, std::make_unique<Borrowed>(Borrowed{nullptr, std::move(memory)}));
      return {};
    }
  }
  return wrong();
}

// What the next run of this instance is to be prepared for.
void remember(RemoteInstance& instance, const ResponseRecord& response, uint64_t took_ns) {
  uint64_t brought = 0;
  for (const OutputRecord& output : response.outputs) {
    if (output.place == OutputPlace::kRoom || output.place == OutputPlace::kFile) {
      brought += aligned(output.byte_size);
    }
  }
  const uint64_t room = instance.room.load(std::memory_order_relaxed);
  if (brought > room) {
    instance.room.store(brought + brought / 8, std::memory_order_relaxed);
  } else if (brought < room / 4) {
    instance.room.store(room - room / 16, std::memory_order_relaxed);
  }
  const uint64_t before = instance.typical_ns.load(std::memory_order_relaxed);
  instance.typical_ns.store(before == 0 ? took_ns : before - before / 8 + took_ns / 8,
                            std::memory_order_relaxed);
}

}  // namespace

void RemoteRuns::deliver(const RemoteRunPtr& run, const ResponseRecord& response,
                         std::vector<base::File>& files) {
  if (response.code != SN_OK) return fail(run, response.code, response.message);
  Few<sn_tensor> outputs;
  base::Status status;
  for (const OutputRecord& output : response.outputs) {
    sn_tensor& tensor = outputs.emplace_back();
    tensor.size = sizeof(tensor);
    tensor.name = output.name;
    tensor.dtype = output.dtype;
    tensor.rank = static_cast<int32_t>(output.dims.size());
    tensor.dims = output.dims.data();
    status = take_output(run, output, files, tensor.buffer);
    if (!status.ok()) break;
  }
  if (!status.ok()) {
    outputs.pop_back();
    for (const sn_tensor& tensor : outputs) {
      if (tensor.buffer.release != nullptr) tensor.buffer.release(tensor.buffer.owner);
    }
    return fail(run, static_cast<int32_t>(status.code()), base::message(status));
  }
  const auto took = std::chrono::nanoseconds(Clock::now() - run->submitted).count();
  remember(*run->instance, response, static_cast<uint64_t>(std::max<int64_t>(took, 1)));
  run->has_answered = true;
  sn_response given{};
  given.size = sizeof(given);
  given.outputs = outputs.data();
  given.output_count = outputs.size();
  given.final = response.final ? 1 : 0;
  run->run->on_response(run->run->ctx, &given);
}

void RemoteRuns::fail(const RemoteRunPtr& run, int32_t code, std::string_view message) {
  sn_error error;
  error.size = sizeof(error);
  fill_error(&error, code != SN_OK ? code : int32_t{SN_INTERNAL}, message);
  sn_response response{};
  response.size = sizeof(response);
  response.error = &error;
  response.final = 1;
  run->run->on_response(run->run->ctx, &response);
}

void RemoteRuns::cancel(const sn_run& given) {
  RemoteRunPtr waited;
  std::shared_ptr<WorkerProcess> worker;
  uint64_t id = 0;
  {
    std::lock_guard lock(mutex_);
    for (auto it = waiting_.begin(); it != waiting_.end(); ++it) {
      if ((*it)->run != &given) continue;
      waited = *it;
      waiting_.erase(it);
      break;
    }
    for (const auto& [key, run] : in_flight_) {
      if (run->run != &given) continue;
      run->cancelled = true;
      run->head().cancelled.store(1);
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

void RemoteRuns::go_to(std::shared_ptr<WorkerProcess> worker) {
  std::vector<std::pair<RemoteRunPtr, base::Status>> failed;
  {
    std::lock_guard lock(mutex_);
    worker_ = std::move(worker);
    if (worker_ == nullptr) return;
    refusal_ = {};
    for (const RemoteRunPtr& run : waiting_) {
      const base::Status status = submit(run, *worker_, kHanded);
      if (!status.ok()) failed.emplace_back(run, status);
    }
    waiting_.clear();
  }
  for (const auto& [run, status] : failed) {
    fail(run, static_cast<int32_t>(status.code()), base::message(status));
  }
}

void RemoteRuns::refuse(const base::Status& status) {
  std::deque<RemoteRunPtr> refused;
  {
    std::lock_guard lock(mutex_);
    refusal_ = status;
    if (!status.ok()) refused.swap(waiting_);
  }
  for (const RemoteRunPtr& run : refused) {
    fail(run, static_cast<int32_t>(status.code()), base::message(status));
  }
}

RemoteRuns::Lost RemoteRuns::collect() {
  Lost lost;
  std::vector<RemoteRunPtr> done;
  {
    std::lock_guard lock(mutex_);
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
    idle_.notify_all();
  }
  for (const RemoteRunPtr& run : done) deliver_from_slot(run);
  return lost;
}

void RemoteRuns::submit_alone(const RemoteRunPtr& run, WorkerProcess& worker) {
  base::Status status;
  {
    std::lock_guard lock(mutex_);
    copy_inputs(*run->run, run->data());
    status = submit(run, worker, kHanded);
  }
  if (!status.ok()) fail(run, static_cast<int32_t>(status.code()), base::message(status));
}

void RemoteRuns::wait_again(const RemoteRunPtr& run) {
  std::lock_guard lock(mutex_);
  copy_inputs(*run->run, run->data());
  waiting_.push_front(run);
}

bool RemoteRuns::is_in_flight(const RemoteRunPtr& run) {
  std::lock_guard lock(mutex_);
  return in_flight_.contains(run->id);
}

bool RemoteRuns::wait_until_idle(std::chrono::milliseconds most) {
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, most, [&] { return in_flight_.empty(); });
}

bool RemoteRuns::mark_overdue(std::chrono::milliseconds timeout) {
  std::lock_guard lock(mutex_);
  bool any = false;
  const auto now = Clock::now();
  for (auto& [id, run] : in_flight_) {
    if (now - run->submitted < timeout || run->head().started.load() == 0) continue;
    run->overdue = true;
    any = true;
  }
  return any;
}

}  // namespace supernova::engine::worker
