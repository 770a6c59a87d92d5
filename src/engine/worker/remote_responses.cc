// RemoteRuns: what workers answer, checked, and made what the ABI promises.
#include <cstdlib>
#include <cstring>

#include "engine/abi_calls.h"
#include "engine/handles.h"
#include "engine/worker/remote_runs.h"

namespace supernova::engine::worker {
namespace {

using Clock = std::chrono::steady_clock;

// Outputs from this size on stay in the slot until the host gives them back.
constexpr size_t kInPlace = size_t{64} << 10U;

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
  const bool is_last = message.type == kRunDone || response.final;
  Failed failed;
  {
    std::lock_guard lock(mutex_);
    const auto found = in_flight_.find(message.id);
    if (found != in_flight_.end()) {
      run = found->second;
      run->delivering = !is_last;
    }
    if (is_last) failed = forget(message.id);
  }
  fail_all(failed);
  if (run == nullptr) return;
  if (message.type == kRunDone) {
    deliver_from_slot(run);
    return;
  }
  if (!understood) return fail(run, SN_INTERNAL, "the worker's response makes no sense");
  deliver(run, response, message.files);
  if (is_last) return;
  std::lock_guard lock(mutex_);
  run->delivering = false;
  watch(*run);  // its deadline may have come meanwhile
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

void RemoteRuns::deliver(const RemoteRunPtr& run, const ResponseRecord& response,
                         std::vector<base::File>& files) {
  const auto failed = [&](int32_t code, std::string_view message) {
    return response.final ? fail(run, code, message) : give_up(run, code, message);
  };
  if (response.code != SN_OK) return failed(response.code, response.message);
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
    return failed(static_cast<int32_t>(status.code()), base::message(status));
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
  answer_failure(*run->run, code, message);
}

// Of one that the worker goes on with.
void RemoteRuns::give_up(const RemoteRunPtr& run, int32_t code, std::string_view message) {
  const sn_run& given = *run->run;
  {
    std::lock_guard lock(mutex_);
    if (in_flight_.erase(run->id) > 0) abandon(run);
    tell_if_idle();
  }
  answer_failure(given, code, message);
}

void RemoteRuns::answer_failure(const sn_run& run, int32_t code, std::string_view message) {
  sn_error error;
  error.size = sizeof(error);
  fill_error(&error, code != SN_OK ? code : int32_t{SN_INTERNAL}, message);
  sn_response response{};
  response.size = sizeof(response);
  response.error = &error;
  response.final = 1;
  run.on_response(run.ctx, &response);
}

}  // namespace supernova::engine::worker
