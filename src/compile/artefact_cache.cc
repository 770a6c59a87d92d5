#include "compile/artefact_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <random>
#include <thread>

#include "base/log.h"
#include "compile/cache_folder.h"
#include "compile/cache_sweep.h"
#include "compile/file_digests.h"

namespace supernova::compile {
namespace {

constexpr int kDraftAttempts = 16;
constexpr int kHoldAttempts = 200;
constexpr auto kHoldPause = std::chrono::milliseconds(5);

// What lies beside an entry: when it was last used (the time of the file), and what the file system
// said of the entry when its sums were last compared (the content).
std::string used_path(const std::string& entry) {
  return entry.substr(0, entry.size() - kEntrySuffix.size()) + std::string(kUsedSuffix);
}

void write_stamp(const std::string& entry, int file) {
  struct stat info {};
  const base::File stamp(::open(used_path(entry).c_str(),
                                O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                                S_IRUSR | S_IWUSR));
  // Without it the sums are compared again.
  if (!stamp.is_open() || ::fstat(file, &info) != 0) return;
  const base::Status ignored = base::write_all(stamp.get(), to_text(identity_of(info)));
  (void)ignored;
}

bool stamp_says(const std::string& entry, int file) {
  struct stat info {};
  const base::File stamp(::open(used_path(entry).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!stamp.is_open() || ::fstat(file, &info) != 0) return false;
  const base::Result<std::string> text = base::read_all(stamp.get(), 256);
  return text.ok() && *text == to_text(identity_of(info));
}

base::Result<CacheEntry> open_entry(int file, const EntryHeader& header) {
  CacheEntry entry;
  entry.digest = header.payload_digest;
  SN_ASSIGN(entry.record, read_entry_record(file, header));
  SN_ASSIGN(entry.payload, map_entry_payload(file, header));
  return entry;
}

// From then on others may hold it, too.
bool share_lock(int file) { return ::flock(file, LOCK_SH | LOCK_NB) == 0; }

std::string random_name() {
  std::random_device random;
  return base::str_cat(::getpid(), "-", random(), "-", random());
}

}  // namespace

Draft& Draft::operator=(Draft&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(path_, other.path_);
  return *this;
}

Draft::~Draft() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

bool ArtefactCache::ready() {
  const int state = state_.load(std::memory_order_acquire);
  if (state != 0) return state > 0;
  if (folder_.empty() || byte_size_ == 0) {
    state_.store(-1, std::memory_order_release);
    return false;
  }
  const base::Status status = prepare_cache_folder(folder_);
  int expected = 0;
  const bool first = state_.compare_exchange_strong(expected, status.ok() ? 1 : -1);
  if (!status.ok() && first) warn(status);
  return status.ok();
}

void ArtefactCache::warn(const base::Status& status) {
  SN_LOG(Warning, "artefact cache '{}': {}; going on without it (--cache-dir names another folder)",
         folder_, base::message(status));
}

std::string ArtefactCache::entry_path(const std::string& key) const {
  return base::str_cat(folder_, "/", key, kEntrySuffix);
}

base::Status ArtefactCache::check(int file, const EntryHeader& header,
                                  const std::string& key) const {
  if (stamp_says(entry_path(key), file)) return {};
  SN_TRY(verify_entry(file, header));
  write_stamp(entry_path(key), file);
  return {};
}

std::optional<CacheEntry> ArtefactCache::find(const std::string& key) {
  if (key.empty() || !ready()) return std::nullopt;
  const std::string path = entry_path(key);
  const base::File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.is_open()) {
    if (errno != ENOENT) warn(base::system_error(base::str_cat("entry ", key, " can't be opened")));
    misses_.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  const auto open_checked = [&]() -> base::Result<CacheEntry> {
    SN_ASSIGN(const EntryHeader header, read_entry_header(file.get()));
    SN_TRY(check(file.get(), header, key));
    return open_entry(file.get(), header);
  };
  base::Result<CacheEntry> entry = open_checked();
  if (entry.ok()) {
    ::utimensat(AT_FDCWD, used_path(path).c_str(), nullptr, 0);
    hits_.fetch_add(1, std::memory_order_relaxed);
    return *std::move(entry);
  }
  misses_.fetch_add(1, std::memory_order_relaxed);
  SN_LOG(Warning, "artefact cache '{}': entry {} {}; it is made again", folder_, key,
         base::message(entry.status()));
  if (entry.status().code() == absl::StatusCode::kDataLoss) {
    damaged_.fetch_add(1, std::memory_order_relaxed);
    ::unlink(path.c_str());
  }
  return std::nullopt;
}

base::Result<Draft> ArtefactCache::draft() {
  if (!ready() || read_only_.load(std::memory_order_relaxed)) return draft_in_memory();
  for (int attempt = 0; attempt < kDraftAttempts; ++attempt) {
    const std::string path = base::str_cat(folder_, "/", kDraftPrefix, random_name());
    base::File file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                           S_IRUSR | S_IWUSR));
    if (!file.is_open() && errno == EEXIST) continue;
    if (!file.is_open()) {
      if (!read_only_.exchange(true)) warn(base::system_error("can't be written to"));
      return draft_in_memory();
    }
    Draft draft(std::move(file), path);
    // The lock says that somebody is still writing; the sweep of another process may have come
    // before it.
    struct stat info {};
    if (::flock(draft.file(), LOCK_EX | LOCK_NB) == 0 && ::fstat(draft.file(), &info) == 0 &&
        info.st_nlink == 1) {
      return draft;
    }
  }
  return draft_in_memory();
}

base::Result<Draft> ArtefactCache::draft_in_memory() {
  base::File file(::memfd_create("supernova-artefact", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.is_open()) return base::system_error("no memory for an artefact");
  return Draft(std::move(file), "");
}

base::Status ArtefactCache::store(Draft& draft, const std::string& key) {
  struct stat info {};
  ::fchmod(draft.file(), S_IRUSR);
  if (::fsync(draft.file()) != 0 || ::fstat(draft.file(), &info) != 0) {
    return base::system_error("can't be written to");
  }
  const uint64_t size = stored_size(info);
  if (size > byte_size_) {
    SN_LOG(Info,
           "artefact cache '{}': an artefact of {} bytes is more than it may hold "
           "(--cache-byte-size)",
           folder_, size);
    return {};
  }
  const CacheLock lock(folder_);
  SN_ASSIGN(const size_t evicted, sweep_cache(folder_, byte_size_ - size, key));
  evictions_.fetch_add(evicted, std::memory_order_relaxed);
  const std::string path = entry_path(key);
  if (std::rename(draft.path().c_str(), path.c_str()) != 0) {
    return base::system_error("can't be written to");
  }
  draft.renamed();
  share_lock(draft.file());
  write_stamp(path, draft.file());
  return {};
}

base::Result<CacheEntry> ArtefactCache::open(const Draft& draft) {
  if (draft.in_memory()) {
    ::fcntl(draft.file(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  }
  SN_ASSIGN(const EntryHeader header, read_entry_header(draft.file()));
  return open_entry(draft.file(), header);
}

std::shared_ptr<const void> ArtefactCache::hold(const std::string& key) const {
  auto file = std::make_shared<base::File>(
      ::open(entry_path(key).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file->is_open()) return nullptr;
  // Whoever has it alone is about to remove it, or to say what it is.
  for (int attempt = 0; attempt < kHoldAttempts && !share_lock(file->get()); ++attempt) {
    std::this_thread::sleep_for(kHoldPause);
  }
  struct stat info {};
  const bool there = ::fstat(file->get(), &info) == 0 && info.st_nlink > 0;
  return there ? file : nullptr;
}

void ArtefactCache::keep(Draft& draft, const std::string& key) {
  if (draft.in_memory() || key.empty()) return;
  const base::Status whole = read_entry_header(draft.file()).status();
  const base::Status status = whole.ok() ? store(draft, key) : whole;
  if (!status.ok()) warn(status);
}

ArtefactCache::Counters ArtefactCache::counters() const {
  const auto get = [](const std::atomic<uint64_t>& counter) {
    return counter.load(std::memory_order_relaxed);
  };
  return {get(hits_), get(misses_), get(evictions_), get(damaged_)};
}

}  // namespace supernova::compile
