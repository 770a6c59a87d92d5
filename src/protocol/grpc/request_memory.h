// How many bytes of requests are held: a bound on what clients can make the server keep.
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/status.h"

namespace supernova::protocol::grpc {

class RequestMemory {
 public:
  explicit RequestMemory(uint64_t limit) : limit_(limit) {}

  // Takes over `message` and counts its bytes until the last holder lets go; the memory's owner
  // must be a shared_ptr, because a request may outlive the server. RESOURCE_EXHAUSTED beyond the
  // limit.
  template <typename Message>
  static base::Result<std::shared_ptr<Message>> hold(const std::shared_ptr<RequestMemory>& memory,
                                                     Message& message) {
    struct Held {
      Held(std::shared_ptr<RequestMemory> from, uint64_t size)
          : memory(std::move(from)), bytes(size) {
        before = memory->held_.fetch_add(bytes);
      }
      ~Held() { memory->held_.fetch_sub(bytes); }
      const std::shared_ptr<RequestMemory> memory;
      const uint64_t bytes;
      uint64_t before = 0;
      Message message;
    };
    auto held = std::make_shared<Held>(memory, message.SpaceUsedLong());
    if (held->before + held->bytes > memory->limit_) {
      return memory->exhausted(held->bytes, held->before);
    }
    held->message.Swap(&message);
    Message* const inside = &held->message;
    return std::shared_ptr<Message>(std::move(held), inside);
  }

 private:
  base::Status exhausted(uint64_t bytes, uint64_t before) const {
    return absl::ResourceExhaustedError(
        base::str_cat("a request of ", bytes, " bytes finds ", before,
                      " bytes of other requests in memory and the server holds at most ", limit_,
                      "; try again later, or send less at a time"));
  }

  const uint64_t limit_;
  std::atomic<uint64_t> held_{0};
};

}  // namespace supernova::protocol::grpc
