#include "protocol/grpc/message.h"

#include <algorithm>

namespace supernova::protocol::grpc {

Message Message::copy_of(std::string_view bytes) {
  grpc_slice slice = grpc_slice_from_copied_buffer(bytes.data(), bytes.size());
  Message message(std::span(&slice, 1));
  grpc_slice_unref(slice);
  return message;
}

std::span<const grpc_slice> Message::slices() const {
  if (buffer_ == nullptr) return {};
  const grpc_slice_buffer& slices = buffer_->data.raw.slice_buffer;
  return {slices.slices, slices.count};
}

bool MessageStream::Next(const void** data, int* size) {
  if (backed_up_ == 0) {
    if (next_ == slices_.size()) return false;
    backed_up_ = view(slices_[next_]).size();
    ++next_;
  }
  const std::string_view bytes = view(slices_[next_ - 1]);
  *data = bytes.data() + bytes.size() - backed_up_;
  *size = static_cast<int>(backed_up_);  // messages have less than 2 GiB
  read_ += *size;
  backed_up_ = 0;
  return true;
}

void MessageStream::BackUp(int count) {
  backed_up_ = static_cast<size_t>(count);
  read_ -= count;
}

bool MessageStream::Skip(int count) {
  const void* data = nullptr;
  int size = 0;
  while (count > 0) {
    if (!Next(&data, &size)) return false;
    if (size > count) BackUp(size - count);
    count -= std::min(size, count);
  }
  return true;
}

base::Status parse(const Message& message, google::protobuf::MessageLite& into) {
  if (!message) return absl::InvalidArgumentError("the call brings no message");
  MessageStream stream(message);
  if (into.ParseFromZeroCopyStream(&stream)) return {};
  return absl::InvalidArgumentError(base::str_cat("the call's message is no ", into.GetTypeName()));
}

Message serialize(const google::protobuf::MessageLite& message) {
  const size_t size = message.ByteSizeLong();
  grpc_slice slice = grpc_slice_malloc(size);
  message.SerializeWithCachedSizesToArray(GRPC_SLICE_START_PTR(slice));
  Message made(std::span(&slice, 1));
  grpc_slice_unref(slice);
  return made;
}

}  // namespace supernova::protocol::grpc
