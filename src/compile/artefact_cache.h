// Artefacts on disk, by content: what was imported or prepared once is found again by the next
// start, on any path, by any process of this user. Safe at any moment for any number of processes:
// an entry appears whole or not at all (written aside, synced, renamed), is checked when it is
// opened and removed when it is damaged, and stays valid for who has it mapped when it is removed.
// What was used longest ago goes when there is no room. Where the folder can't be used, one line
// says so and everything works without it. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/file.h"
#include "base/status.h"
#include "compile/entry_file.h"
#include "tensor/buffer.h"

namespace supernova::compile {

struct CacheEntry {
  tensor::Buffer payload;  // mapped; empty = none
  std::string record;
  std::string digest;  // of the payload
};

// An entry being written; nobody else removes it meanwhile. What becomes of it: keep(), or nothing
// when it is destroyed.
class Draft {
 public:
  Draft() = default;
  Draft(base::File file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  Draft(Draft&& other) noexcept = default;
  Draft& operator=(Draft&& other) noexcept;
  ~Draft();
  int file() const { return file_.get(); }
  bool in_memory() const { return path_.empty(); }
  const std::string& path() const { return path_; }
  void renamed() { path_.clear(); }

 private:
  base::File file_;
  std::string path_;  // "" = it has no name
};

class ArtefactCache {
 public:
  // No cache: `folder` "" or `byte_size` 0. Does nothing on disk yet.
  ArtefactCache(std::string folder, uint64_t byte_size)
      : folder_(std::move(folder)), byte_size_(byte_size) {}

  // Whether there is a cache to look into; makes the folder.
  bool ready();
  const std::string& folder() const { return folder_; }

  std::optional<CacheEntry> find(const std::string& key);
  // In the cache's folder; in memory where that can't be written to.
  base::Result<Draft> draft();
  static base::Result<Draft> draft_in_memory();
  // What EntryWriter has made of a draft.
  static base::Result<CacheEntry> open(const Draft& draft);
  // Keeps a finished draft under `key`, if it has a name. It has none of its own from then on, but
  // is held as by hold(). That it can't be kept is no error, only a line in the log.
  void keep(Draft& draft, const std::string& key);
  // Where an entry lies for who has to open it by its name; it is not removed to make room as long
  // as the holder lives. Null = it is not there any more.
  std::string entry_path(const std::string& key) const;
  std::shared_ptr<const void> hold(const std::string& key) const;
  // A line in the log: why something is not in the cache.
  void warn(const base::Status& status);

  struct Counters {
    uint64_t hits = 0;
    uint64_t misses = 0;
    uint64_t evictions = 0;
    uint64_t damaged = 0;
  };
  Counters counters() const;

 private:
  base::Status check(int file, const EntryHeader& header, const std::string& key) const;
  base::Status store(Draft& draft, const std::string& key);

  const std::string folder_;
  const uint64_t byte_size_;
  std::atomic<int> state_{0};  // 0 = not looked at yet, 1 = there is a cache, -1 = there is none
  std::atomic<bool> read_only_{false};
  std::atomic<uint64_t> hits_{0};
  std::atomic<uint64_t> misses_{0};
  std::atomic<uint64_t> evictions_{0};
  std::atomic<uint64_t> damaged_{0};
};

}  // namespace supernova::compile
