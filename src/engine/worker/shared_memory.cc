#include "engine/worker/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <utility>

namespace supernova::engine::worker {
namespace {

constexpr int kFixedSize = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
constexpr int kFixedContent = kFixedSize | F_SEAL_WRITE;

}  // namespace

SharedMemory::SharedMemory(SharedMemory&& other) noexcept { *this = std::move(other); }

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

SharedMemory::~SharedMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

base::Result<SharedMemory> SharedMemory::create(const char* name, size_t size) {
  base::File file(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.is_open() || ::ftruncate(file.get(), static_cast<off_t>(size)) != 0 ||
      ::fcntl(file.get(), F_ADD_SEALS, kFixedSize) != 0) {
    return base::system_error("no memory to share with a worker");
  }
  return map(std::move(file), size, PROT_READ | PROT_WRITE, kFixedSize);
}

base::Result<SharedMemory> SharedMemory::map(base::File file, size_t size) {
  return map(std::move(file), size, PROT_READ | PROT_WRITE, kFixedSize);
}

base::Result<SharedMemory> SharedMemory::map_sealed(base::File file, size_t size) {
  SN_ASSIGN(SharedMemory memory, map(std::move(file), size, PROT_READ, kFixedContent));
  memory.file_.close();
  return memory;
}

base::Result<SharedMemory> SharedMemory::map(base::File file, size_t size, int protection,
                                             int seals) {
  struct stat info {};
  const int found = ::fcntl(file.get(), F_GET_SEALS);
  if (found < 0 || (found & seals) != seals || ::fstat(file.get(), &info) != 0 ||
      static_cast<uint64_t>(info.st_size) != size) {
    return absl::InternalError("shared memory is not of the kind or size that was said");
  }
  SharedMemory memory;
  if (size > 0) {
    void* const data = ::mmap(nullptr, size, protection, MAP_SHARED, file.get(), 0);
    if (data == MAP_FAILED) return base::system_error("shared memory can't be mapped");
    memory.data_ = static_cast<std::byte*>(data);
  }
  memory.size_ = size;
  memory.file_ = std::move(file);
  return memory;
}

base::Result<base::File> sealed_copy(const char* name, std::span<const std::byte> content) {
  base::File file(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.is_open()) return base::system_error("no memory to share");
  SN_TRY(base::write_all(file.get(), content));
  if (::fcntl(file.get(), F_ADD_SEALS, kFixedContent) != 0) {
    return base::system_error("shared memory can't be sealed");
  }
  return file;
}

}  // namespace supernova::engine::worker
