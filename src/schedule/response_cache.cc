#include "schedule/response_cache.h"

#include <algorithm>
#include <cstring>
#include <list>
#include <mutex>
#include <unordered_map>

#include "base/sha256.h"
#include "schedule/join.h"

namespace supernova::schedule {
namespace {

using tensor::Tensor;

// SHA-256 over values that each say how long they are, so that no two questions read the same.
class Digest {
 public:
  void number(uint64_t value) { sum_.add(&value, sizeof(value)); }
  void text(std::string_view value) {
    number(value.size());
    sum_.add(value.data(), value.size());
  }
  std::optional<CacheKey> finish() { return sum_.finish(); }

 private:
  base::Sha256Sum sum_;
};

struct AddParameter {
  Digest& digest;
  void operator()(bool value) const { digest.number(value ? 1 : 0); }
  void operator()(int64_t value) const { digest.number(static_cast<uint64_t>(value)); }
  void operator()(uint64_t value) const { digest.number(value); }
  void operator()(double value) const {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    digest.number(bits);
  }
  void operator()(const std::string& value) const { digest.text(value); }
};

struct KeyHash {
  size_t operator()(const CacheKey& key) const {
    size_t hash = 0;
    std::memcpy(&hash, key.data(), sizeof(hash));
    return hash;
  }
};

// What an entry takes besides its tensors' content, about.
constexpr size_t kEntryBytes = 256;
constexpr size_t kTensorBytes = 192;

size_t size_of(const std::vector<Tensor>& outputs) {
  size_t size = kEntryBytes;
  for (const Tensor& output : outputs) {
    size += kTensorBytes + output.name.size() + output.buffer.size();
  }
  return size;
}

}  // namespace

std::optional<CacheKey> cache_key(uint64_t owner, const tensor::Request& request) {
  Digest digest;
  digest.number(owner);
  digest.number(request.inputs.size());
  for (const Tensor& input : request.inputs) {
    digest.text(input.name);
    digest.number(static_cast<uint64_t>(input.data_type));
    digest.number(input.shape.size());
    for (const int64_t size : input.shape) digest.number(static_cast<uint64_t>(size));
    digest.text(input.buffer.view());
  }
  digest.number(request.outputs.size());
  for (const tensor::RequestedOutput& output : request.outputs) digest.text(output.name);
  for (const auto& [name, value] : request.parameters) {
    if (is_queue_parameter(name)) continue;
    if (name.starts_with("sequence_")) return std::nullopt;
    digest.text(name);
    digest.number(value.index());
    std::visit(AddParameter{digest}, value);
  }
  return digest.finish();
}

struct ResponseCache::Shard {
  struct Entry {
    CacheKey key;
    uint64_t owner;
    size_t bytes;
    std::vector<Tensor> outputs;
  };
  using Entries = std::list<Entry>;

  // Moves one entry to `out`, to be freed without the lock.
  void remove(Entries::iterator entry, Entries& out) {
    figures.bytes -= entry->bytes;
    --figures.entries;
    index.erase(entry->key);
    out.splice(out.end(), entries, entry);
  }

  mutable std::mutex mutex;
  Entries entries;  // the latest asked for first
  std::unordered_map<CacheKey, Entries::iterator, KeyHash> index;
  Figures figures;
};

ResponseCache::ResponseCache(size_t max_bytes) {
  // Few shards where there is little room: one answer must fit into one.
  constexpr size_t kMostShards = 16;
  constexpr size_t kLeastShardBytes = size_t{4} << 20;
  const size_t count = std::clamp<size_t>(max_bytes / kLeastShardBytes, 1, kMostShards);
  shard_bytes_ = max_bytes / count;
  for (size_t i = 0; i < count; ++i) shards_.push_back(std::make_unique<Shard>());
}

ResponseCache::~ResponseCache() = default;

ResponseCache::Shard& ResponseCache::shard_of(const CacheKey& key) const {
  return *shards_[key.back() % shards_.size()];
}

std::optional<std::vector<Tensor>> ResponseCache::find(const CacheKey& key) {
  Shard& shard = shard_of(key);
  std::lock_guard lock(shard.mutex);
  const auto found = shard.index.find(key);
  if (found == shard.index.end()) {
    ++shard.figures.misses;
    return std::nullopt;
  }
  ++shard.figures.hits;
  shard.entries.splice(shard.entries.begin(), shard.entries, found->second);
  return found->second->outputs;
}

void ResponseCache::insert(const CacheKey& key, uint64_t owner,
                           const std::vector<Tensor>& outputs) {
  const size_t bytes = size_of(outputs);
  if (bytes > shard_bytes_) return;
  // A copy of its own: the outputs may be parts of a larger batch, or the engine's memory.
  Shard::Entries one;
  Shard::Entry& entry = one.emplace_back(Shard::Entry{key, owner, bytes, outputs});
  for (Tensor& output : entry.outputs) {
    const size_t size = output.buffer.size();
    output.buffer = tensor::Buffer::copy_of(output.buffer.bytes());
    if (output.buffer.size() != size) return;  // no memory
  }
  Shard::Entries freed;
  Shard& shard = shard_of(key);
  std::lock_guard lock(shard.mutex);
  if (shard.index.contains(key)) return;  // asked twice at the same time
  while (shard.figures.bytes + bytes > shard_bytes_) {
    ++shard.figures.evictions;
    shard.remove(std::prev(shard.entries.end()), freed);
  }
  shard.entries.splice(shard.entries.begin(), one);
  shard.index.emplace(key, shard.entries.begin());
  shard.figures.bytes += bytes;
  ++shard.figures.entries;
}

void ResponseCache::count_lookup(std::chrono::nanoseconds took) {
  lookups_ns_.fetch_add(took.count(), std::memory_order_relaxed);
}

void ResponseCache::count_insertion(std::chrono::nanoseconds took) {
  insertions_ns_.fetch_add(took.count(), std::memory_order_relaxed);
}

void ResponseCache::erase(uint64_t owner) {
  for (const auto& shard : shards_) {
    Shard::Entries freed;
    std::lock_guard lock(shard->mutex);
    for (auto at = shard->entries.begin(); at != shard->entries.end();) {
      const auto entry = at++;
      if (entry->owner == owner) shard->remove(entry, freed);
    }
  }
}

ResponseCache::Figures ResponseCache::figures() const {
  Figures sum;
  for (const auto& shard : shards_) {
    std::lock_guard lock(shard->mutex);
    sum.hits += shard->figures.hits;
    sum.misses += shard->figures.misses;
    sum.evictions += shard->figures.evictions;
    sum.entries += shard->figures.entries;
    sum.bytes += shard->figures.bytes;
  }
  sum.max_bytes = shard_bytes_ * shards_.size();
  sum.lookups = std::chrono::nanoseconds(lookups_ns_.load(std::memory_order_relaxed));
  sum.insertions = std::chrono::nanoseconds(insertions_ns_.load(std::memory_order_relaxed));
  return sum;
}

}  // namespace supernova::schedule
