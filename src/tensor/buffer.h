// A reference-counted piece of memory, or a part of one. Copies share it; the last one frees it.
// The content is written by whoever makes the buffer and read-only once it is shared. Host memory
// only until an engine with device memory exists; `device` says where it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

namespace supernova::tensor {

struct DeviceId {
  int32_t kind = 0;  // sn_device_kind
  int32_t ordinal = 0;
  bool operator==(const DeviceId&) const = default;
};

class Buffer {
 public:
  static constexpr size_t kAlignment = 64;
  // Readable (undefined) bytes after the end of every allocated buffer, for parsers that read
  // ahead.
  static constexpr size_t kPadding = 64;

  Buffer() = default;
  // Uninitialised memory; data() is 64-byte aligned. Null data() with size() 0 when there is no
  // memory.
  static Buffer allocate(size_t size);
  // As above, but data() + `offset` is the aligned address.
  static Buffer allocate_aligned_at(size_t size, size_t offset);
  static Buffer copy_of(std::span<const std::byte> bytes);
  static Buffer copy_of(std::string_view bytes);
  // Memory of somebody else, given back with `release` by the last holder (any thread).
  static Buffer adopt(void* data, size_t size, std::function<void()> release);

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view view() const { return {reinterpret_cast<const char*>(data_), size_}; }
  DeviceId device() const { return device_; }

  // The part [offset, offset + size), which must lie inside; it shares the memory.
  Buffer slice(size_t offset, size_t size) const;

 private:
  std::shared_ptr<void> owner_;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  DeviceId device_;
};

}  // namespace supernova::tensor
