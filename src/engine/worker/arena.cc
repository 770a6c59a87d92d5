#include "engine/worker/arena.h"

#include <algorithm>
#include <bit>

namespace supernova::engine::worker {
namespace {

constexpr size_t kSmallest = size_t{4} << 10U;
// Slots up to this size share segments of kShared bytes; larger ones have one each.
constexpr size_t kLargestShared = size_t{64} << 10U;
constexpr size_t kShared = size_t{512} << 10U;
constexpr size_t kMaxIdleLarge = size_t{32} << 20U;
constexpr size_t kMaxSlot = size_t{1} << 40U;

// Rounded up, so that runs of nearly the same size use the same slots: by at most an eighth.
size_t slot_size_of(size_t size) {
  if (size <= kLargestShared) return std::max(kSmallest, std::bit_ceil(size));
  const size_t step = std::max(std::bit_floor(size) / 8, kSmallest);
  return (size + step - 1) / step * step;
}

}  // namespace

base::Result<Arena::Slot> Arena::take(size_t size) {
  if (size > kMaxSlot) return absl::ResourceExhaustedError("a run's tensors are too large");
  const size_t slot_size = slot_size_of(size);
  const bool large = slot_size > kLargestShared;
  std::lock_guard lock(mutex_);
  std::vector<Free>& free = free_[slot_size];
  if (free.empty()) SN_TRY(grow(slot_size, large));
  const Free chosen = free.back();
  free.pop_back();
  if (large) idle_large_bytes_ -= slot_size;
  const Segment& segment = segments_.at(chosen.segment);
  return Slot{chosen.segment, chosen.offset, slot_size, segment.memory.data() + chosen.offset};
}

base::Status Arena::grow(size_t slot_size, bool large) {
  const size_t size = large ? slot_size : kShared;
  SN_ASSIGN(SharedMemory memory, SharedMemory::create("supernova-runs", size));
  const uint64_t index = next_segment_++;
  Segment& segment = segments_[index] = Segment{std::move(memory), slot_size, large};
  if (added_) added_(index, segment.memory);
  for (size_t offset = 0; offset + slot_size <= size; offset += slot_size) {
    free_[slot_size].push_back({index, offset});
  }
  if (large) idle_large_bytes_ += slot_size;
  return {};
}

void Arena::give_back(const Slot& slot) {
  bool too_many = false;
  {
    std::lock_guard lock(mutex_);
    free_[slot.size].push_back({slot.segment, slot.offset});
    if (slot.size > kLargestShared) idle_large_bytes_ += slot.size;
    too_many = idle_large_bytes_ > kMaxIdleLarge && free_[slot.size].size() > 1;
  }
  if (too_many) trim(kMaxIdleLarge / 2);
}

void Arena::trim(size_t keep_bytes) {
  std::lock_guard lock(mutex_);
  for (auto it = free_.rbegin(); it != free_.rend() && it->first > kLargestShared; ++it) {
    while (!it->second.empty() && idle_large_bytes_ > keep_bytes) {
      const uint64_t segment = it->second.front().segment;
      it->second.erase(it->second.begin());
      idle_large_bytes_ -= it->first;
      segments_.erase(segment);
      if (dropped_) dropped_(segment);
    }
  }
}

size_t Arena::byte_size() const {
  std::lock_guard lock(mutex_);
  size_t size = 0;
  for (const auto& [index, segment] : segments_) size += segment.memory.size();
  return size;
}

void Arena::attach(Added added, Dropped dropped) {
  std::lock_guard lock(mutex_);
  // What listened before ends without the lock: it may hold a worker.
  added_.swap(added);
  dropped_.swap(dropped);
  if (!added_) return;
  for (const auto& [index, segment] : segments_) added_(index, segment.memory);
}

}  // namespace supernova::engine::worker
