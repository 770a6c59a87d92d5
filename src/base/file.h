// A file descriptor that closes itself, and whole reads and writes on one.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "base/status.h"

namespace supernova::base {

class File {
 public:
  File() = default;
  explicit File(int descriptor) : descriptor_(descriptor) {}
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~File() { close(); }
  void close();
  int get() const { return descriptor_; }
  bool is_open() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

// What the last system call says went wrong, with `what` in front.
Status system_error(std::string_view what);
Status system_error(std::string_view what, int error);

Status write_all(int file, std::span<const std::byte> bytes);
Status write_all(int file, std::string_view text);
// The same, but leaves blocks of zeros out: they read as zeros all the same, and take no room.
// Whoever is done must ftruncate() the file: it may end in some.
Status write_sparsely(int file, std::span<const std::byte> bytes);
// Fewer bytes than `bytes` has: the file ends before. An error otherwise.
Result<size_t> read_at(int file, uint64_t offset, std::span<std::byte> bytes);
// From the descriptor's place to its end; refuses more than `limit` bytes.
Result<std::string> read_all(int file, size_t limit);

}  // namespace supernova::base
