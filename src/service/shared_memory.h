// Regions of POSIX shared memory that clients register, to hand over tensors without sending them.
// Who writes a region can also change and shrink it at any moment, so the server never computes in
// it: bytes are copied out before they are looked at and copied in when they are final, both by the
// kernel, which answers an error where a touch of the mapping would be a SIGBUS
// (docs/adr/0006-shared-memory.md). Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/buffer.h"

namespace supernova::service {

struct SharedMemoryRegion {
  std::string name;
  std::string key;  // of shm_open, with or without the leading '/'
  uint64_t offset = 0;
  uint64_t byte_size = 0;
};

class SharedMemory {
 public:
  // Each holds a descriptor, which connections need as well.
  static constexpr size_t kMaxRegions = 1024;
  static constexpr uint64_t kMaxPartBytes = uint64_t{1} << 30;

  // One part (the bytes of one tensor) may have that many bytes: objects can be sparse and cost
  // their maker nothing.
  explicit SharedMemory(uint64_t max_part_bytes = kMaxPartBytes)
      : max_part_bytes_(max_part_bytes) {}

  // ALREADY_EXISTS for a name in use; INVALID_ARGUMENT for a key that names no shared memory
  // object, or an object that does not hold the region; RESOURCE_EXHAUSTED beyond kMaxRegions.
  base::Status add(const SharedMemoryRegion& region);
  // "" = all. A name that is not registered is no error. Parts that are in use stay usable.
  void remove(std::string_view name);
  // By name; `name` "" = all. NOT_FOUND for a name that is not registered.
  base::Result<std::vector<SharedMemoryRegion>> list(std::string_view name) const;

  // The bytes [offset, offset + byte_size) of a region, in place: only to be handed on to the two
  // functions below. The region stays mapped while the buffer (or a slice of it) lives.
  base::Result<tensor::Buffer> part(std::string_view name, uint64_t offset,
                                    uint64_t byte_size) const;
  // Whether the buffer is a part of a region, or a slice of one.
  bool holds(const tensor::Buffer& buffer) const;
  // A private, aligned copy. INVALID_ARGUMENT when the object has become too small.
  base::Result<tensor::Buffer> read(const tensor::Buffer& part) const;
  // Copies `bytes` to the start of `part`, which has room for them.
  base::Status write(const tensor::Buffer& part, std::span<const std::byte> bytes) const;

 private:
  struct Mapping;
  std::shared_ptr<const Mapping> find(const tensor::Buffer& buffer) const;

  const uint64_t max_part_bytes_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Mapping>, std::less<>> regions_;
  // Every mapping that is or was registered and may have parts in use, by its address.
  mutable std::map<const std::byte*, std::weak_ptr<const Mapping>> mappings_;
};

}  // namespace supernova::service
