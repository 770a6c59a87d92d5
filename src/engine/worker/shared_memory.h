// Memory that server and worker both see. What the server maps can't shrink under it (seals), so
// that nothing a worker does raises SIGBUS there.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/file.h"
#include "base/status.h"

namespace supernova::engine::worker {

class SharedMemory {
 public:
  SharedMemory() = default;
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  ~SharedMemory();

  // New, zeroed, of a fixed size, readable and writable by whoever gets the file.
  static base::Result<SharedMemory> create(const char* name, size_t size);
  // That of the other side; the file is kept. Refuses another size and a file that could shrink.
  static base::Result<SharedMemory> map(base::File file, size_t size);
  // Made by sealed_copy on the other side: nobody can change it any more. The file is closed.
  static base::Result<SharedMemory> map_sealed(base::File file, size_t size);

  std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  int file() const { return file_.get(); }

 private:
  static base::Result<SharedMemory> map(base::File file, size_t size, int protection, int seals);

  base::File file_;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// A file in memory with that content, which nobody can change any more.
base::Result<base::File> sealed_copy(const char* name, std::span<const std::byte> content);

}  // namespace supernova::engine::worker
