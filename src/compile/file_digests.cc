#include "compile/file_digests.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>

#include "base/file.h"
#include "base/sha256.h"
#include "compile/key.h"

namespace supernova::compile {
namespace {

namespace fs = std::filesystem;

// Smaller files are read faster than remembered.
constexpr uint64_t kRememberFrom = uint64_t{1} << 20U;
constexpr size_t kPiece = size_t{1} << 18U;
constexpr size_t kMaxFiles = 4096;
constexpr int kMaxDepth = 8;
constexpr size_t kMaxRecord = 4096;

int64_t nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// The lines of a memory: the identity, the digest, and the sum of both, which a file that a crash
// left half written does not have.
std::string memory_text(const FileIdentity& identity, const std::string& digest) {
  const std::string text = base::str_cat(to_text(identity), "\n", digest, "\n");
  return base::str_cat(text, KeyBuilder().add(text).finish(), "\n");
}

base::Result<std::vector<fs::path>> files_under(const std::string& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code ignored;
    if (it->is_regular_file(ignored)) files.push_back(it->path());
    if (files.size() > kMaxFiles || it.depth() > kMaxDepth) {
      return absl::OutOfRangeError(base::str_cat("folder '", folder, "' holds too much"));
    }
  }
  if (error) {
    return absl::PermissionDeniedError(
        base::str_cat("folder '", folder, "' can't be read: ", error.message()));
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

FileIdentity identity_of(const struct stat& info) {
  return {info.st_dev, info.st_ino, static_cast<uint64_t>(info.st_size), nanoseconds(info.st_mtim),
          nanoseconds(info.st_ctim)};
}

base::Result<FileIdentity> identify(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    return base::system_error(base::str_cat("file '", path, "'"));
  return identity_of(info);
}

std::string to_text(const FileIdentity& identity) {
  return base::str_cat(identity.device, " ", identity.inode, " ", identity.size, " ",
                       identity.modified_ns, " ", identity.changed_ns);
}

bool FileDigests::is_settled(const FileIdentity& identity, int64_t at_ns) const {
  return std::max(identity.modified_ns, identity.changed_ns) <= at_ns - settling_.count();
}

int64_t FileDigests::now_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return nanoseconds(now);
}

base::Result<DigestedFile> FileDigests::digest(const std::string& path) const {
  const base::File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!file.is_open() || ::fstat(file.get(), &info) != 0) {
    return base::system_error(base::str_cat("file '", path, "'"));
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(base::str_cat("'", path, "' is not a regular file"));
  }
  DigestedFile digested{path, identity_of(info), "", false};
  digested.settled = is_settled(digested.identity);
  digested.digest = recall(path, digested.identity);
  if (!digested.digest.empty()) return digested;
  base::Sha256Sum sum;
  std::vector<std::byte> piece(kPiece);
  for (uint64_t at = 0;;) {
    SN_ASSIGN(const size_t got, base::read_at(file.get(), at, piece));
    sum.add(piece.data(), got);
    at += got;
    if (got < piece.size()) break;
  }
  if (::fstat(file.get(), &info) != 0 || identity_of(info) != digested.identity) {
    return absl::FailedPreconditionError(
        base::str_cat("file '", path, "' changed while it was read"));
  }
  digested.digest = sum.finish_hex();
  if (digested.digest.empty()) return absl::InternalError("OpenSSL computes no SHA-256 here");
  remember(digested);
  return digested;
}

base::Result<std::vector<DigestedFile>> FileDigests::digest_all(const std::string& path) const {
  std::vector<DigestedFile> digested;
  std::error_code error;
  std::vector<fs::path> files{path};
  if (fs::is_directory(path, error)) {
    SN_ASSIGN(files, files_under(path));
  }
  for (const fs::path& file : files) {
    SN_ASSIGN(auto one, digest(file.string()));
    digested.push_back(std::move(one));
  }
  return digested;
}

base::Result<std::string> FileDigests::list(const std::string& folder) const {
  SN_ASSIGN(const auto files, files_under(folder));
  std::string text;
  for (const fs::path& file : files) {
    SN_ASSIGN(const FileIdentity identity, identify(file.string()));
    if (!is_settled(identity)) {
      return absl::FailedPreconditionError(base::str_cat("'", file.string(), "' has just changed"));
    }
    text += base::str_cat(file.lexically_relative(folder).string(), "\n", to_text(identity), "\n");
  }
  return text;
}

base::Status FileDigests::check_unchanged(const std::vector<DigestedFile>& files) const {
  for (const DigestedFile& file : files) {
    const base::Result<FileIdentity> now = identify(file.path);
    bool same = now.ok() && *now == file.identity;
    if (same && !file.settled) {
      const base::Result<DigestedFile> again = digest(file.path);
      same = again.ok() && again->digest == file.digest;
    }
    if (!same) {
      return absl::FailedPreconditionError(
          base::str_cat("file '", file.path, "' changed while it was used"));
    }
  }
  return {};
}

std::string FileDigests::place_of(const std::string& path) const {
  std::error_code error;
  const fs::path whole = fs::absolute(path, error);
  if (folder_.empty() || error) return "";
  return base::str_cat(folder_, "/", KeyBuilder().add(whole.string()).finish(), ".source");
}

std::string FileDigests::recall(const std::string& path, const FileIdentity& identity) const {
  if (identity.size < kRememberFrom || !is_settled(identity)) return "";
  const base::File file(::open(place_of(path).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.is_open()) return "";
  const base::Result<std::string> text = base::read_all(file.get(), kMaxRecord);
  const size_t start = to_text(identity).size() + 1;
  if (!text.ok() || text->size() < start + 64) return "";
  std::string digest = text->substr(start, 64);
  if (*text != memory_text(identity, digest)) return "";
  ::futimens(file.get(), nullptr);  // the oldest are forgotten
  return digest;
}

void FileDigests::remember(const DigestedFile& file) const {
  if (file.identity.size < kRememberFrom || !file.settled) return;
  const std::string place = place_of(file.path);
  if (place.empty()) return;
  std::string name = base::str_cat(folder_, "/draft-XXXXXX");
  const base::File draft(::mkostemp(name.data(), O_CLOEXEC));
  if (!draft.is_open()) return;  // then the next start reads the file again
  const bool written = base::write_all(draft.get(), memory_text(file.identity, file.digest)).ok();
  if (!written || std::rename(name.c_str(), place.c_str()) != 0) ::unlink(name.c_str());
}

}  // namespace supernova::compile
