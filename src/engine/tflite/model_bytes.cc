#include "engine/tflite/model_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace supernova::engine::tflite {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kReadBelow = size_t{64} << 20U;

char* allocate(size_t size) {
  const size_t rounded = (std::max<size_t>(size, 1) + kAlignment - 1) / kAlignment * kAlignment;
  return static_cast<char*>(std::aligned_alloc(kAlignment, rounded));
}

base::Status failed(const char* path, int error) {
  const std::string text = base::str_cat("model file '", path, "': ", std::strerror(error));
  if (error == ENOENT) return absl::NotFoundError(text);
  return absl::FailedPreconditionError(text);
}

struct OpenFile {
  explicit OpenFile(const char* path) : number(::open(path, O_RDONLY | O_CLOEXEC)) {}
  ~OpenFile() {
    if (number >= 0) ::close(number);
  }
  int number;
};

}  // namespace

base::Result<std::unique_ptr<ModelBytes>> ModelBytes::open(const sn_artefact& artefact) {
  std::unique_ptr<ModelBytes> bytes(new ModelBytes);
  if (artefact.data != nullptr) {
    const auto* data = static_cast<const char*>(artefact.data);
    if (reinterpret_cast<uintptr_t>(data) % kAlignment == 0) {
      bytes->data_ = data;
      bytes->size_ = artefact.data_size;
    } else {
      SN_TRY(bytes->take_copy(data, artefact.data_size));
    }
  } else if (artefact.path != nullptr) {
    SN_TRY(bytes->read_file(artefact.path));
  } else {
    return absl::InvalidArgumentError("the artefact names neither a file nor bytes");
  }
  return bytes;
}

ModelBytes::~ModelBytes() {
  if (mapped_) {
    ::munmap(own_, size_);
  } else {
    std::free(own_);
  }
}

base::Status ModelBytes::take_copy(const char* from, size_t size) {
  char* copy = allocate(size);
  if (copy == nullptr) return absl::ResourceExhaustedError("no memory for the model");
  std::memcpy(copy, from, size);
  own_ = copy;
  data_ = copy;
  size_ = size;
  return {};
}

base::Result<char*> ModelBytes::writable() {
  if (own_ == nullptr) SN_TRY(take_copy(data_, size_));
  return own_;
}

base::Status ModelBytes::map(int file) {
  // Private: what is written stays here.
  void* at = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  if (at == MAP_FAILED) {
    return absl::ResourceExhaustedError(base::str_cat("can't be mapped: ", std::strerror(errno)));
  }
  own_ = static_cast<char*>(at);
  data_ = own_;
  mapped_ = true;
  return {};
}

base::Status ModelBytes::read_file(const char* path) {
  const OpenFile file(path);
  struct stat info {};
  if (file.number < 0 || ::fstat(file.number, &info) != 0) return failed(path, errno);
  if (S_ISDIR(info.st_mode)) {
    return absl::InvalidArgumentError(
        base::str_cat("'", path, "' is a folder; name the .tflite file in it"));
  }
  const auto size = static_cast<size_t>(std::max<off_t>(info.st_size, 0));
  if (size == 0) {
    return absl::InvalidArgumentError(base::str_cat("model file '", path, "' is empty"));
  }
  if (size >= kReadBelow) {
    size_ = size;
    const base::Status mapped = map(file.number);
    return mapped.ok() ? mapped : base::annotate(mapped, base::str_cat("model file '", path, "'"));
  }
  own_ = allocate(size);
  if (own_ == nullptr) return absl::ResourceExhaustedError("no memory for the model");
  data_ = own_;
  while (size_ < size) {
    const ssize_t got = ::read(file.number, own_ + size_, size - size_);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path, errno);
    if (got == 0) break;  // it became shorter
    size_ += static_cast<size_t>(got);
  }
  return {};
}

}  // namespace supernova::engine::tflite
