// Runs and their responses as bytes. Tensors lie in the run's slot, at places that the request
// names; what an engine brings goes into the slot's room, or, where that is too small, comes as a
// sealed file.
#pragma once

#include <absl/container/inlined_vector.h>
#include <supernova/engine.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "engine/worker/messages.h"
#include "engine/worker/wire.h"

namespace supernova::engine::worker {

template <typename T>
using Few = absl::InlinedVector<T, 2>;

// Places of tensors are multiples of this.
inline constexpr size_t kTensorAlignment = 64;
inline size_t aligned(size_t size) {
  return (size + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
}

// --- The server's side.

// Appends what the worker needs to know; returns how many bytes inputs and lent outputs take.
base::Result<size_t> write_request(const sn_run& run, uint64_t instance, uint64_t state,
                                   std::string& out);
// To the places that write_request gave them. `data` has as many bytes as that returned.
void copy_inputs(const sn_run& run, std::byte* data);
// Where output `index` is lent, if it is.
size_t lent_offset(const sn_run& run, size_t index);
// Of the inputs' names, shapes and content.
uint64_t digest_of_request(const sn_run& run);

enum class OutputPlace : uint64_t { kNowhere = 0, kLent = 1, kRoom = 2, kFile = 3 };

// What a worker says of an output; nothing of it has been checked.
struct OutputRecord {
  const char* name = nullptr;
  int32_t dtype = 0;
  std::span<const int64_t> dims;
  OutputPlace place = OutputPlace::kNowhere;
  uint64_t byte_size = 0;
  uint64_t where = 0;  // index of the output lent, offset in the room, or index of the file
};

struct ResponseRecord {
  bool refused = false;  // run() itself failed
  int32_t code = SN_OK;
  std::string_view message;
  bool final = false;
  Few<OutputRecord> outputs;
};

// Points into `body`. False where it makes no sense.
bool read_response(std::string_view body, ResponseRecord& response);

// --- The worker's side.

std::string_view text_of(const sn_error& error);

// A request as the ABI has it. Can't be moved.
class RequestView {
 public:
  RequestView() = default;
  RequestView(const RequestView&) = delete;
  RequestView& operator=(const RequestView&) = delete;
  // `request` and `data` (of that size) must stay.
  bool read(std::string_view request, std::byte* data, size_t data_size);

  uint64_t instance = 0;
  uint64_t state = 0;
  sn_run run{};

 private:
  bool read_inputs(Reader& in, std::byte* data, size_t data_size);
  bool read_outputs(Reader& in, std::byte* data, size_t data_size);

  Few<sn_tensor> inputs_;
  Few<sn_tensor> outputs_;
  Few<sn_option> parameters_;
  sn_options list_{};
};

// The room of a slot, handed out once.
class Room {
 public:
  Room() = default;
  Room(std::byte* data, size_t size) : data_(data), size_(size) {}
  // Null where there is not enough left.
  std::byte* take(size_t size);
  uint64_t offset_of(const std::byte* place) const { return static_cast<uint64_t>(place - data_); }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  size_t used_ = 0;
};

// Takes over the outputs, gives back what the engine brought, and appends the record.
base::Status write_response(const sn_response& response, const sn_run& run, Room& room,
                            std::string& out, std::vector<base::File>& files);
void write_refusal(int32_t code, std::string_view message, std::string& out);
void write_failure(int32_t code, std::string_view message, std::string& out);

}  // namespace supernova::engine::worker
