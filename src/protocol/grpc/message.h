// Messages as gRPC's C interface has them: bytes in reference-counted slices.
#pragma once

#include <google/protobuf/io/zero_copy_stream.h>
#include <google/protobuf/message_lite.h>
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>

#include <span>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace supernova::protocol::grpc {

inline std::string_view view(const grpc_slice& slice) {
  return {reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)), GRPC_SLICE_LENGTH(slice)};
}

// Owns one message, or none.
class Message {
 public:
  Message() = default;
  explicit Message(grpc_byte_buffer* taken) : buffer_(taken) {}
  // The slices are shared.
  explicit Message(std::span<grpc_slice> slices)
      : buffer_(grpc_raw_byte_buffer_create(slices.data(), slices.size())) {}
  static Message copy_of(std::string_view bytes);
  ~Message() { reset(); }
  Message(Message&& other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)) {}
  Message& operator=(Message&& other) noexcept {
    std::swap(buffer_, other.buffer_);
    return *this;
  }

  void reset() {
    if (buffer_ != nullptr) grpc_byte_buffer_destroy(std::exchange(buffer_, nullptr));
  }
  explicit operator bool() const { return buffer_ != nullptr; }
  grpc_byte_buffer* get() const { return buffer_; }
  // Where an operation puts what it receives; empty before.
  grpc_byte_buffer** place() { return &buffer_; }

  // Of uncompressed messages, which all are that gRPC hands out.
  std::span<const grpc_slice> slices() const;
  size_t size() const { return buffer_ == nullptr ? 0 : grpc_byte_buffer_length(buffer_); }

 private:
  grpc_byte_buffer* buffer_ = nullptr;
};

// Reads slices one after the other. `message` outlives it and is not changed meanwhile.
class MessageStream final : public google::protobuf::io::ZeroCopyInputStream {
 public:
  explicit MessageStream(const Message& message) : slices_(message.slices()) {}
  bool Next(const void** data, int* size) override;
  void BackUp(int count) override;
  bool Skip(int count) override;
  int64_t ByteCount() const override { return read_; }

 private:
  std::span<const grpc_slice> slices_;
  size_t next_ = 0;       // slice
  size_t backed_up_ = 0;  // bytes at the end of the slice before it
  int64_t read_ = 0;
};

// INVALID_ARGUMENT when the bytes are no such message, or there are none.
base::Status parse(const Message& message, google::protobuf::MessageLite& into);
Message serialize(const google::protobuf::MessageLite& message);

}  // namespace supernova::protocol::grpc
