#include "protocol/grpc/server_call.h"

#include <grpc/grpc_security.h>

#include <array>
#include <utility>

namespace supernova::protocol::grpc {
namespace {

grpc_op make_op(grpc_op_type type) {
  grpc_op op{};
  op.op = type;
  return op;
}

grpc_op initial_metadata(grpc_compression_level level) {
  grpc_op op = make_op(GRPC_OP_SEND_INITIAL_METADATA);
  auto& maybe = op.data.send_initial_metadata.maybe_compression_level;
  maybe.is_set = level == GRPC_COMPRESS_LEVEL_NONE ? 0 : 1;
  maybe.level = level;
  return op;
}

grpc_op message_op(const Message& message) {
  grpc_op op = make_op(GRPC_OP_SEND_MESSAGE);
  op.data.send_message.send_message = message.get();
  return op;
}

grpc_op close_op(int& cancelled) {
  grpc_op op = make_op(GRPC_OP_RECV_CLOSE_ON_SERVER);
  op.data.recv_close_on_server.cancelled = &cancelled;
  return op;
}

// Messages travel in the trailers, percent-encoded, where clients take 8 KiB at most.
grpc_slice details_of(const base::Status& status) {
  constexpr size_t kMaxMessage = 2000;
  constexpr std::string_view kCut = " ...";
  const std::string_view message = base::message(status);
  if (message.size() <= kMaxMessage) {
    return grpc_slice_from_copied_buffer(message.data(), message.size());
  }
  const std::string cut = base::str_cat(message.substr(0, kMaxMessage), kCut);
  return grpc_slice_from_copied_buffer(cut.data(), cut.size());
}

std::string first_property(const grpc_auth_context* peer, const char* name) {
  grpc_auth_property_iterator at = grpc_auth_context_find_properties_by_name(peer, name);
  const grpc_auth_property* const found = grpc_auth_property_iterator_next(&at);
  return found == nullptr ? "" : std::string(found->value, found->value_length);
}

}  // namespace

void ServerCall::swap(ServerCall& other) {
  std::swap(call_, other.call_);
  std::swap(metadata_, other.metadata_);
  std::swap(deadline_, other.deadline_);
}

void ServerCall::reset() {
  if (call_ != nullptr) grpc_call_unref(std::exchange(call_, nullptr));
  metadata_.count = 0;  // what it holds was the call's
}

const grpc_metadata* ServerCall::find_metadata(std::string_view key) const {
  for (const grpc_metadata& entry : metadata()) {
    if (view(entry.key) == key) return &entry;
  }
  return nullptr;
}

std::string_view ServerCall::metadata_value(std::string_view key) const {
  const grpc_metadata* const found = find_metadata(key);
  return found == nullptr ? std::string_view() : view(found->value);
}

std::optional<std::chrono::steady_clock::time_point> ServerCall::deadline() const {
  if (gpr_time_cmp(deadline_, gpr_inf_future(deadline_.clock_type)) == 0) return std::nullopt;
  const gpr_timespec left = gpr_time_sub(deadline_, gpr_now(deadline_.clock_type));
  constexpr int64_t kYear = 365 * 24 * 3600;
  if (left.tv_sec > kYear) return std::nullopt;  // as good as none; sums can't overflow
  const auto now = std::chrono::steady_clock::now();
  if (left.tv_sec < 0) return now;
  return now + std::chrono::seconds(left.tv_sec) + std::chrono::nanoseconds(left.tv_nsec);
}

std::string ServerCall::certificate_identity() const {
  grpc_auth_context* const peer = grpc_call_auth_context(call_);
  std::string identity;
  if (peer != nullptr && grpc_auth_context_peer_is_authenticated(peer) != 0) {
    for (const char* property :
         {GRPC_PEER_URI_PROPERTY_NAME, GRPC_PEER_DNS_PROPERTY_NAME, GRPC_X509_CN_PROPERTY_NAME}) {
      if (identity.empty()) identity = first_property(peer, property);
    }
  }
  grpc_auth_context_release(peer);
  return identity;
}

void ServerCall::start(std::span<const grpc_op> operations, Operation& over) {
  // Refused are only operations that don't go together.
  SN_CHECK(grpc_call_start_batch(call_, operations.data(), operations.size(), &over, nullptr) ==
           GRPC_CALL_OK);
}

void ServerCall::receive(Message& into, Operation& over) {
  grpc_op op = make_op(GRPC_OP_RECV_MESSAGE);
  op.data.recv_message.recv_message = into.place();
  start(std::span(&op, 1), over);
}

void ServerCall::watch(int& cancelled, Operation& over) {
  const grpc_op op = close_op(cancelled);
  start(std::span(&op, 1), over);
}

void ServerCall::send(const Message& message, bool with_initial_metadata,
                      grpc_compression_level level, Operation& over) {
  const std::array<grpc_op, 2> ops{initial_metadata(level), message_op(message)};
  start(std::span(ops).subspan(with_initial_metadata ? 0 : 1), over);
}

void ServerCall::finish(const Message& message, const Ending& ending, grpc_compression_level level,
                        Operation& over) {
  std::array<grpc_op, 4> ops;
  size_t count = 0;
  if (ending.with_initial_metadata) ops[count++] = initial_metadata(level);
  if (message) ops[count++] = message_op(message);
  grpc_op& status = ops[count++] = make_op(GRPC_OP_SEND_STATUS_FROM_SERVER);
  grpc_slice details = details_of(ending.status);
  // The codes are the same on both sides.
  status.data.send_status_from_server.status = static_cast<grpc_status_code>(ending.status.code());
  status.data.send_status_from_server.status_details = ending.status.ok() ? nullptr : &details;
  if (ending.cancelled != nullptr) ops[count++] = close_op(*ending.cancelled);
  start(std::span(ops).first(count), over);
  grpc_slice_unref(details);
}

}  // namespace supernova::protocol::grpc
