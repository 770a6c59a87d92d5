// How many bytes of requests are held: a bound on what clients can make the server keep.
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/status.h"

namespace supernova::protocol::grpc {

class RequestMemory {
 public:
  explicit RequestMemory(uint64_t limit) : limit_(limit) {}

  // What one request holds, until its end. It keeps the memory alive, because a request may outlive
  // the server.
  class Hold {
   public:
    explicit Hold(std::shared_ptr<RequestMemory> memory) : memory_(std::move(memory)) {}
    ~Hold() { memory_->held_.fetch_sub(bytes_, std::memory_order_relaxed); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

    // RESOURCE_EXHAUSTED beyond the limit.
    base::Status add(uint64_t bytes) {
      const uint64_t before = memory_->held_.fetch_add(bytes, std::memory_order_relaxed);
      bytes_ += bytes;
      if (before + bytes <= memory_->limit_) return {};
      return memory_->exhausted(bytes_, before + bytes - bytes_);
    }

   private:
    const std::shared_ptr<RequestMemory> memory_;
    uint64_t bytes_ = 0;
  };

 private:
  base::Status exhausted(uint64_t bytes, uint64_t others) const {
    return absl::ResourceExhaustedError(
        base::str_cat("a request of ", bytes, " bytes finds ", others,
                      " bytes of other requests in memory and the server holds at most ", limit_,
                      "; try again later, or send less at a time"));
  }

  const uint64_t limit_;
  std::atomic<uint64_t> held_{0};
};

}  // namespace supernova::protocol::grpc
