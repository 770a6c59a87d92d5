// Answers that were given before, in memory of bounded size; what was not asked for longest goes
// first. One serves all models. Thread-safe.
#pragma once

#include <array>
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
    uint64_t evictions = 0;
    uint64_t entries = 0;
    uint64_t bytes = 0;
  };

  explicit ResponseCache(size_t max_bytes);
  ~ResponseCache();
  ResponseCache(const ResponseCache&) = delete;
  ResponseCache& operator=(const ResponseCache&) = delete;

  // The outputs share the cache's memory, which stays valid after they are evicted.
  std::optional<std::vector<tensor::Tensor>> find(const CacheKey& key);
  // Copies the outputs. Nothing is kept of an answer larger than a shard.
  void insert(const CacheKey& key, uint64_t owner, const std::vector<tensor::Tensor>& outputs);
  // Drops what a version answered.
  void erase(uint64_t owner);
  Figures figures() const;

 private:
  struct Shard;
  Shard& shard_of(const CacheKey& key) const;
  size_t shard_bytes_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace supernova::schedule
