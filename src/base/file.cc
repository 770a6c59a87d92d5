#include "base/file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace supernova::base {

void File::close() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

Status system_error(std::string_view what) { return system_error(what, errno); }

Status system_error(std::string_view what, int error) {
  const std::string message = str_cat(what, ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(message);
    default:
      return absl::UnavailableError(message);
  }
}

Status write_all(int file, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error("can't be written");
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

Status write_all(int file, std::string_view text) {
  return write_all(file, std::as_bytes(std::span(text.data(), text.size())));
}

Status write_sparsely(int file, std::span<const std::byte> bytes) {
  constexpr size_t kBlock = size_t{1} << 16U;
  while (!bytes.empty()) {
    const auto block = bytes.first(std::min(bytes.size(), kBlock));
    const bool zeros = block[0] == std::byte{0} &&
                       std::memcmp(block.data(), block.data() + 1, block.size() - 1) == 0;
    if (!zeros) {
      SN_TRY(write_all(file, block));
    } else if (::lseek(file, static_cast<off_t>(block.size()), SEEK_CUR) < 0) {
      return system_error("can't be written");
    }
    bytes = bytes.subspan(block.size());
  }
  return {};
}

Result<size_t> read_at(int file, uint64_t offset, std::span<std::byte> bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t got =
        ::pread(file, bytes.data() + at, bytes.size() - at, static_cast<off_t>(offset + at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("can't be read");
    if (got == 0) break;
    at += static_cast<size_t>(got);
  }
  return at;
}

Result<std::string> read_all(int file, size_t limit) {
  std::string text;
  char piece[1 << 16];
  while (true) {
    const ssize_t got = ::read(file, piece, sizeof(piece));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("can't be read");
    if (got == 0) return text;
    if (text.size() + static_cast<size_t>(got) > limit) {
      return absl::OutOfRangeError(str_cat("has more than ", limit, " bytes"));
    }
    text.append(piece, static_cast<size_t>(got));
  }
}

}  // namespace supernova::base
