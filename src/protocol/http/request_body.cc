#include "protocol/http/request_body.h"

#include <algorithm>
#include <cstring>

namespace supernova::protocol::http {
namespace {

constexpr size_t kTrustedBytes = 16 * 1024 * 1024;
constexpr size_t kFirstBytes = 1024 * 1024;
constexpr size_t kGrowth = 16;
constexpr size_t kFirstAppended = 16 * 1024;
constexpr size_t kDecodeStep = 256 * 1024;
constexpr uint64_t kChargeStep = 64 * 1024;

// How much memory a body of `length` bytes gets when `received` have come: little on a mere
// announcement, so that a Content-Length alone can't reserve gigabytes.
size_t capacity_for(size_t length, size_t received) {
  if (length <= kTrustedBytes) return length;
  const size_t earned = std::max(kFirstBytes, received);
  return earned >= length / kGrowth ? length : std::max(kFirstBytes, received * kGrowth);
}

}  // namespace

void RequestBody::begin(size_t aligned_offset, std::optional<uint64_t> length, Coding coding) {
  clear();
  aligned_offset_ = aligned_offset;
  length_ = length;
  if (coding != Coding::kIdentity) decoder_.emplace(coding);
}

void RequestBody::clear() {
  release();
  memory_ = {};
  size_ = 0;
  length_.reset();
  decoder_.reset();
  error_.clear();
}

void RequestBody::release() {
  if (charged_ > 0) budget_.give_back(charged_);
  charged_ = 0;
}

// One atomic operation for a small body, and few for a large one.
RequestBody::Refusal RequestBody::charge() {
  if (size_ <= charged_) return Refusal::kNone;
  const uint64_t wanted =
      size_ <= kChargeStep ? size_ : (size_ + kChargeStep - 1) / kChargeStep * kChargeStep;
  if (!budget_.take(wanted - charged_)) return Refusal::kBusy;
  charged_ = wanted;
  return Refusal::kNone;
}

RequestBody::Refusal RequestBody::grow(uint64_t capacity) {
  if (memory_.data() != nullptr && memory_.size() >= capacity) return Refusal::kNone;
  tensor::Buffer larger = tensor::Buffer::allocate_aligned_at(capacity, aligned_offset_);
  if (larger.data() == nullptr) return Refusal::kNoMemory;
  if (size_ > 0) std::memcpy(larger.data(), memory_.data(), size_);
  memory_ = std::move(larger);
  return Refusal::kNone;
}

RequestBody::Refusal RequestBody::prepare() {
  return size_ < memory_.size() ? Refusal::kNone : grow(capacity_for(*length_, size_));
}

RequestBody::Refusal RequestBody::commit(size_t size) {
  size_ += size;
  return charge();
}

// By doubling, so that memory follows what has arrived. One byte more than allowed shows that a
// body is too large.
RequestBody::Refusal RequestBody::append(std::string_view piece) {
  for (;;) {
    const uint64_t wanted = decoder_ ? size_ + 1 : size_ + piece.size();
    if (wanted > memory_.size() || memory_.data() == nullptr) {
      const uint64_t doubled = std::max<uint64_t>(memory_.size() * 2, kFirstAppended);
      const Refusal refusal = grow(std::max(wanted, std::min(doubled, max_bytes_ + 1)));
      if (refusal != Refusal::kNone) return refusal;
    }
    // In steps, so that the bounds are looked at before the next one.
    std::span<std::byte> room = this->room();
    if (decoder_) room = room.first(std::min(room.size(), kDecodeStep));
    const std::byte* const end = room.data() + room.size();
    auto outcome = Decoder::Outcome::kNeedsInput;
    if (decoder_) {
      outcome = decoder_->decode(piece, room);
    } else {
      if (!piece.empty()) std::memcpy(room.data(), piece.data(), piece.size());
      room = room.subspan(piece.size());
    }
    size_ = static_cast<size_t>(end - memory_.data()) - room.size();
    if (size_ > max_bytes_) return Refusal::kTooLarge;
    if (const Refusal refusal = charge(); refusal != Refusal::kNone) return refusal;
    if (outcome == Decoder::Outcome::kBroken) {
      error_ = decoder_->error();
      return Refusal::kBroken;
    }
    if (outcome == Decoder::Outcome::kNeedsInput) return Refusal::kNone;
  }
}

RequestBody::Refusal RequestBody::finish() {
  if (decoder_ && !decoder_->is_complete()) {
    error_ = "the compressed body ends before its data does";
    return Refusal::kBroken;
  }
  return Refusal::kNone;
}

tensor::Buffer RequestBody::take() {
  tensor::Buffer whole;
  if (size_ > 0) whole = memory_.size() == size_ ? std::move(memory_) : memory_.slice(0, size_);
  memory_ = {};
  decoder_.reset();
  return whole;
}

}  // namespace supernova::protocol::http
