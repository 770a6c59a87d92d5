// How many bytes of requests are held: a bound on what clients can make the server keep.
// Thread-safe.
#pragma once

#include <inference.pb.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/status.h"

namespace supernova::protocol::grpc {

// The bytes that a message takes, all that it owns included.
template <typename Message>
uint64_t space_of(const Message& message) {
  return message.SpaceUsedLong();
}

template <typename Message>
bool has_only_known_fields(const Message& message) {
  return message.GetReflection()->GetUnknownFields(message).empty();
}

// The general answer looks at every field by reflection. Here, the usual small request whose only
// large part is raw contents is summed up; each sum is at least what the general answer would be.
inline uint64_t space_of(const inference::ModelInferRequest& message) {
  constexpr int kFew = 16;
  constexpr uint64_t kEach = 512;  // of an input or output: its object, texts and shape
  bool plain = message.parameters().empty() && has_only_known_fields(message) &&
               message.inputs_size() <= kFew && message.outputs_size() <= kFew &&
               message.raw_input_contents_size() <= kFew;
  for (const auto& input : message.inputs()) {
    plain = plain && !input.has_contents() && input.parameters().empty() &&
            has_only_known_fields(input) && input.shape_size() <= kFew;
  }
  for (const auto& output : message.outputs()) {
    plain = plain && output.parameters().empty() && has_only_known_fields(output);
  }
  if (!plain) return message.SpaceUsedLong();
  uint64_t bytes =
      kEach * static_cast<uint64_t>(1 + message.inputs_size() + message.outputs_size() +
                                    message.raw_input_contents_size());
  bytes += message.model_name().capacity() + message.model_version().capacity() +
           message.id().capacity();
  for (const auto& input : message.inputs()) {
    bytes += input.name().capacity() + input.datatype().capacity();
  }
  for (const auto& output : message.outputs()) bytes += output.name().capacity();
  for (const auto& raw : message.raw_input_contents()) bytes += raw.capacity();
  return bytes;
}

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
    auto held = std::make_shared<Held>(memory, space_of(message));
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
