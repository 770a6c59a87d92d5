// The body of a request on its way in. Its memory is placed so that a given offset is aligned,
// grows in step with what has arrived (an announcement alone reserves little), and what has arrived
// is charged to the budget of all connections. A coded body is decoded as it comes. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "protocol/http/coding.h"
#include "protocol/http/memory_budget.h"
#include "tensor/buffer.h"

namespace supernova::protocol::http {

class RequestBody {
 public:
  // Why a body can't be taken.
  enum class Refusal {
    kNone,
    kTooLarge,
    kTooManyChunks,
    kNoMemory,  // the machine has none
    kBusy,      // the budget is used up
    kBroken,    // see error(): its coding is damaged
  };

  RequestBody(uint64_t max_bytes, MemoryBudget& budget) : max_bytes_(max_bytes), budget_(budget) {}
  ~RequestBody() { clear(); }
  RequestBody(const RequestBody&) = delete;

  // `length` is the exact number of bytes to come, when known and the body is not coded.
  void begin(size_t aligned_offset, std::optional<uint64_t> length, Coding coding);

  // Bytes of a body that is coded, or of unknown length.
  Refusal append(std::string_view piece);
  // A body of known length is received in place: prepare(), write to room(), commit().
  Refusal prepare();
  std::span<std::byte> room() { return {memory_.data() + size_, memory_.size() - size_}; }
  Refusal commit(size_t size);

  // After the last byte.
  Refusal finish();
  // The whole body. Its charge stays until release().
  tensor::Buffer take();
  void release();
  void clear();  // drops the memory and its charge

  size_t size() const { return size_; }
  const std::string& error() const { return error_; }

 private:
  Refusal grow(uint64_t capacity);
  Refusal charge();

  const uint64_t max_bytes_;
  MemoryBudget& budget_;
  uint64_t charged_ = 0;
  tensor::Buffer memory_;  // its size is the capacity so far
  size_t size_ = 0;
  size_t aligned_offset_ = 0;
  std::optional<uint64_t> length_;
  std::optional<Decoder> decoder_;
  std::string error_;
};

}  // namespace supernova::protocol::http
