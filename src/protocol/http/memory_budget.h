// How much memory the bodies of all requests may take together. Thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace supernova::protocol::http {

class MemoryBudget {
 public:
  explicit MemoryBudget(uint64_t limit) : limit_(limit) {}

  bool take(uint64_t bytes) {
    if (in_use_.fetch_add(bytes, std::memory_order_relaxed) <= limit_ - std::min(bytes, limit_) &&
        bytes <= limit_) {
      return true;
    }
    give_back(bytes);
    return false;
  }
  void give_back(uint64_t bytes) { in_use_.fetch_sub(bytes, std::memory_order_relaxed); }
  uint64_t in_use() const { return in_use_.load(std::memory_order_relaxed); }
  uint64_t limit() const { return limit_; }

 private:
  const uint64_t limit_;
  std::atomic<uint64_t> in_use_{0};
};

}  // namespace supernova::protocol::http
