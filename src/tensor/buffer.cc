#include "tensor/buffer.h"

#include <cstring>
#include <limits>
#include <new>

#include "base/status.h"

namespace supernova::tensor {

Buffer Buffer::allocate(size_t size) { return allocate_aligned_at(size, 0); }

Buffer Buffer::allocate_aligned_at(size_t size, size_t offset) {
  Buffer buffer;
  if (size > std::numeric_limits<ptrdiff_t>::max() - 2 * kAlignment - kPadding) return buffer;
  // One piece of memory with its count in front: for small ones a fraction of what aligned memory
  // costs.
  std::shared_ptr<std::byte[]> memory;
  try {
    memory = std::make_shared_for_overwrite<std::byte[]>(kAlignment + size + kPadding);
  } catch (const std::bad_alloc&) {
    return buffer;
  }
  const auto at = reinterpret_cast<uintptr_t>(memory.get()) + offset;
  buffer.data_ = memory.get() + (kAlignment - at % kAlignment) % kAlignment;
  buffer.size_ = size;
  buffer.owner_ = std::move(memory);
  return buffer;
}

Buffer Buffer::copy_of(std::span<const std::byte> bytes) {
  Buffer buffer = allocate(bytes.size());
  if (buffer.data_ != nullptr && !bytes.empty()) {
    std::memcpy(buffer.data_, bytes.data(), bytes.size());
  }
  return buffer;
}

Buffer Buffer::copy_of(std::string_view bytes) {
  return copy_of(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

Buffer Buffer::adopt(void* data, size_t size, std::function<void()> release) {
  Buffer buffer;
  buffer.owner_ = std::shared_ptr<void>(data, [release = std::move(release)](void*) {
    if (release) release();
  });
  buffer.data_ = static_cast<std::byte*>(data);
  buffer.size_ = size;
  return buffer;
}

Buffer Buffer::slice(size_t offset, size_t size) const {
  SN_CHECK(offset <= size_ && size <= size_ - offset);
  Buffer part = *this;
  part.data_ += offset;
  part.size_ = size;
  return part;
}

}  // namespace supernova::tensor
