// The shared memory of a server's runs: slots of any size, taken and given back, in pooled
// segments. It outlives its workers; each new one is told of every segment. Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/worker/shared_memory.h"

namespace supernova::engine::worker {

class Arena {
 public:
  struct Slot {
    uint64_t segment = 0;
    uint64_t offset = 0;
    size_t size = 0;
    std::byte* data = nullptr;
  };

  // At least that much, 64-byte aligned. Told to `attach` first where a segment is new.
  base::Result<Slot> take(size_t size);
  void give_back(const Slot& slot);
  // Large segments that nobody uses go back to the system.
  void trim(size_t keep_bytes = 0);
  size_t byte_size() const;

  // Where news go: of each segment (all there are at once, new ones as they come, before a slot of
  // theirs is handed out) and of those dropped. One at a time; null functions = nobody.
  using Added = std::function<void(uint64_t segment, const SharedMemory& memory)>;
  using Dropped = std::function<void(uint64_t segment)>;
  void attach(Added added, Dropped dropped);

 private:
  struct Segment {
    SharedMemory memory;
    size_t slot_size = 0;
    bool large = false;
  };
  struct Free {
    uint64_t segment;
    uint64_t offset;
  };

  base::Status grow(size_t slot_size, bool large);

  mutable std::mutex mutex_;
  std::map<uint64_t, Segment> segments_;
  std::map<size_t, std::vector<Free>> free_;  // by slot size
  size_t idle_large_bytes_ = 0;
  uint64_t next_segment_ = 1;
  Added added_;
  Dropped dropped_;
};

}  // namespace supernova::engine::worker
