// Answers that were given before, in memory of bounded size; what was not asked for longest goes
// first. One serves all models. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "tensor/request.h"

namespace supernova::schedule {

// A digest of everything an answer depends on: that two questions share it can't be brought about.
using CacheKey = std::array<unsigned char, 32>;

// None for a request whose answer depends on others before it (a sequence). `owner` names the one
// loaded version that answers.
std::optional<CacheKey> cache_key(uint64_t owner, const tensor::Request& request);

class ResponseCache {
 public:
  struct Figures {
    uint64_t hits = 0;
    uint64_t misses = 0;
    uint64_t evictions = 0;  // for want of room
    uint64_t entries = 0;
    uint64_t bytes = 0;
    uint64_t max_bytes = 0;
    std::chrono::nanoseconds lookups{0};     // all of them together, with making the key
    std::chrono::nanoseconds insertions{0};  // with copying
  };

  explicit ResponseCache(size_t max_bytes);
  ~ResponseCache();
  ResponseCache(const ResponseCache&) = delete;
  ResponseCache& operator=(const ResponseCache&) = delete;

  // The outputs share the cache's memory, which stays valid after they are evicted.
  std::optional<std::vector<tensor::Tensor>> find(const CacheKey& key);
  // Copies the outputs. Nothing is kept of an answer larger than a shard.
  void insert(const CacheKey& key, uint64_t owner, const std::vector<tensor::Tensor>& outputs);
  // What a lookup, or an insertion, took. The caller makes the key, and so takes the time.
  void count_lookup(std::chrono::nanoseconds took);
  void count_insertion(std::chrono::nanoseconds took);
  // Drops what a version answered.
  void erase(uint64_t owner);
  Figures figures() const;

 private:
  struct Shard;
  Shard& shard_of(const CacheKey& key) const;
  size_t shard_bytes_;
  std::atomic<int64_t> lookups_ns_{0};
  std::atomic<int64_t> insertions_ns_{0};
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace supernova::schedule
