#include "compile/cache_sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <memory>
#include <thread>
#include <vector>

namespace supernova::compile {
namespace {

constexpr auto kLockPatience = std::chrono::seconds(10);
constexpr auto kLockPause = std::chrono::milliseconds(5);
constexpr size_t kMaxSources = 4096;

using Time = std::pair<int64_t, int64_t>;  // seconds, nanoseconds

struct Found {
  Time used;
  uint64_t size = 0;
  std::string name;
};

struct Contents {
  std::vector<Found> entries;
  std::map<std::string, Time> used;  // by the name of the entry
  std::vector<Found> sources;
  std::vector<std::string> drafts;
};

Time time_of(const struct stat& info) { return {info.st_mtim.tv_sec, info.st_mtim.tv_nsec}; }

base::Result<Contents> look_into(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir(folder.c_str()), &::closedir);
  if (!opened) return base::system_error("can't be listed");
  Contents contents;
  while (const dirent* at = ::readdir(opened.get())) {
    const std::string name = at->d_name;
    struct stat info {};
    if (::fstatat(::dirfd(opened.get()), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(info.st_mode)) {
      continue;
    }
    if (name.ends_with(kEntrySuffix)) {
      contents.entries.push_back({time_of(info), stored_size(info), name});
    } else if (name.ends_with(kUsedSuffix)) {
      const std::string stem = name.substr(0, name.size() - kUsedSuffix.size());
      contents.used[stem + std::string(kEntrySuffix)] = time_of(info);
    } else if (name.ends_with(kSourceSuffix)) {
      contents.sources.push_back({time_of(info), 0, name});
    } else if (name.starts_with(kDraftPrefix)) {
      contents.drafts.push_back(name);
    }
  }
  return contents;
}

class Sweeper {
 public:
  explicit Sweeper(const std::string& folder) : folder_(folder) {}

  // Drafts whose writer lives are locked by it.
  void remove_dead_drafts(const std::vector<std::string>& drafts) const {
    for (const std::string& name : drafts) {
      const base::File file(::open(path(name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
      if (file.is_open() && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0) remove(name);
    }
  }

  void remove_orphans(const Contents& contents) const {
    for (const auto& [entry, time] : contents.used) {
      const bool alive = std::any_of(contents.entries.begin(), contents.entries.end(),
                                     [&, &name = entry](const Found& f) { return f.name == name; });
      if (!alive) remove(used_name(entry));
    }
  }

  void forget_sources(std::vector<Found> sources) const {
    if (sources.size() <= kMaxSources) return;
    std::sort(sources.begin(), sources.end(),
              [](const Found& a, const Found& b) { return a.used > b.used; });
    for (size_t i = kMaxSources; i < sources.size(); ++i) remove(sources[i].name);
  }

  size_t evict(Contents& contents, uint64_t byte_size, const std::string& spared) const {
    uint64_t total = 0;
    std::vector<Found> candidates;
    for (Found& entry : contents.entries) {
      if (entry.name == spared) continue;
      const auto used = contents.used.find(entry.name);
      if (used != contents.used.end()) entry.used = std::max(entry.used, used->second);
      total += entry.size;
      candidates.push_back(entry);
    }
    std::sort(candidates.begin(), candidates.end(), [](const Found& a, const Found& b) {
      return std::tie(a.used, a.name) < std::tie(b.used, b.name);
    });
    size_t evicted = 0;
    for (const Found& entry : candidates) {
      if (total <= byte_size) break;
      const base::File file(::open(path(entry.name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
      if (file.is_open() && ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) continue;  // it is held
      remove(entry.name);
      remove(used_name(entry.name));
      total -= entry.size;
      ++evicted;
    }
    return evicted;
  }

 private:
  static std::string used_name(const std::string& entry) {
    return entry.substr(0, entry.size() - kEntrySuffix.size()) + std::string(kUsedSuffix);
  }
  std::string path(const std::string& name) const { return base::str_cat(folder_, "/", name); }
  void remove(const std::string& name) const { ::unlink(path(name).c_str()); }

  const std::string& folder_;
};

}  // namespace

uint64_t stored_size(const struct stat& info) {
  constexpr uint64_t kBlock = 512;  // of stat, whatever the file system's are
  return std::min(static_cast<uint64_t>(info.st_size),
                  static_cast<uint64_t>(info.st_blocks) * kBlock);
}

CacheLock::CacheLock(const std::string& folder)
    : file_(::open(base::str_cat(folder, "/lock").c_str(),
                   O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR)) {
  const auto deadline = std::chrono::steady_clock::now() + kLockPatience;
  while (file_.is_open() && ::flock(file_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kLockPause);
  }
}

base::Result<size_t> sweep_cache(const std::string& folder, uint64_t byte_size,
                                 const std::string& key) {
  SN_ASSIGN(Contents contents, look_into(folder));
  const Sweeper sweeper(folder);
  sweeper.remove_dead_drafts(contents.drafts);
  sweeper.remove_orphans(contents);
  sweeper.forget_sources(std::move(contents.sources));
  return sweeper.evict(contents, byte_size, base::str_cat(key, kEntrySuffix));
}

}  // namespace supernova::compile
