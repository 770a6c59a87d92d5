#include "import/wire/model_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace supernova::import::wire {
namespace {

base::Status file_error(const std::string& path, const char* what) {
  return absl::InvalidArgumentError(
      base::str_cat(path, ": can't be ", what, ": ", std::strerror(errno)));
}

}  // namespace

base::Result<ModelFile> ModelFile::open(const std::string& path, Mode mode) {
  // Opening a pipe must not wait for its other end; what is not a regular file is refused below.
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return file_error(path, "opened");
  ModelFile out;
  const base::Status status = out.fill(file, path, mode);
  ::close(file);
  if (!status.ok()) return status;
  return out;
}

base::Status ModelFile::fill(int file, const std::string& path, Mode mode) {
  struct stat info {};
  if (::fstat(file, &info) != 0) return file_error(path, "examined");
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(base::str_cat(path, ": is not a regular file"));
  }
  size_ = static_cast<size_t>(info.st_size);
  if (size_ == 0) return absl::OkStatus();
  if (mode == Mode::kMap || size_ >= kReadBelow) {
    void* map = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
    if (map == MAP_FAILED) return file_error(path, "mapped");
    map_ = map;
    return absl::OkStatus();
  }
  read_.resize(size_);
  size_t at = 0;
  while (at < size_) {
    const ssize_t got = ::read(file, read_.data() + at, size_ - at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error(path, "read");
    if (got == 0) break;  // cut meanwhile: the parser says where
    at += static_cast<size_t>(got);
  }
  read_.resize(at);
  return absl::OkStatus();
}

ModelFile::ModelFile(ModelFile&& other) noexcept
    : map_(std::exchange(other.map_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      read_(std::move(other.read_)) {}

ModelFile& ModelFile::operator=(ModelFile&& other) noexcept {
  std::swap(map_, other.map_);
  std::swap(size_, other.size_);
  std::swap(read_, other.read_);
  return *this;
}

ModelFile::~ModelFile() {
  if (map_ != nullptr) ::munmap(map_, size_);
}

}  // namespace supernova::import::wire
