#include "protocol/grpc/server_arguments.h"

#include <algorithm>
#include <chrono>
#include <limits>

namespace supernova::protocol::grpc {
namespace {

int milliseconds(std::chrono::milliseconds duration) {
  return static_cast<int>(
      std::clamp<int64_t>(duration.count(), 0, std::numeric_limits<int>::max()));
}

}  // namespace

ServerArguments::ServerArguments(const GrpcServerOptions& options, uint64_t memory_limit)
    : quota_(grpc_resource_quota_create("supernova")) {
  add(GRPC_ARG_ALLOW_REUSEPORT, 0);
  add(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_concurrent_streams);
  add(options.keepalive);
  add_memory(memory_limit);
  // As many as fit the type is no limit, and without one no call passes the filter that checks it.
  constexpr int kMost = std::numeric_limits<int>::max();
  add(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
      options.max_receive_bytes == kMost ? -1 : options.max_receive_bytes);
  add(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1);
  // Statistics of calls and sockets for a service that isn't offered here.
  add(GRPC_ARG_ENABLE_CHANNELZ, 0);
  arguments_ = {list_.size(), list_.data()};
}

ServerArguments::~ServerArguments() { grpc_resource_quota_unref(quota_); }

void ServerArguments::add(const char* key, int value) {
  grpc_arg argument{};
  argument.type = GRPC_ARG_INTEGER;
  argument.key = const_cast<char*>(key);
  argument.value.integer = value;
  list_.push_back(argument);
}

void ServerArguments::add(const GrpcKeepalive& keepalive) {
  add(GRPC_ARG_KEEPALIVE_TIME_MS, milliseconds(keepalive.time));
  add(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, milliseconds(keepalive.timeout));
  add(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, keepalive.permit_without_calls ? 1 : 0);
  add(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, keepalive.max_pings_without_data);
  add(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      milliseconds(keepalive.min_recv_ping_interval_without_data));
  add(GRPC_ARG_HTTP2_MAX_PING_STRIKES, keepalive.max_ping_strikes);
}

// Request memory counts whole messages. Those still arriving are in gRPC's memory, which is bounded
// too, but only as a last resort: beyond it gRPC resets calls, whichever they are.
void ServerArguments::add_memory(uint64_t memory_limit) {
  grpc_resource_quota_resize(quota_, 2 * memory_limit);
  grpc_arg argument{};
  argument.type = GRPC_ARG_POINTER;
  argument.key = const_cast<char*>(GRPC_ARG_RESOURCE_QUOTA);
  argument.value.pointer.p = quota_;
  argument.value.pointer.vtable = grpc_resource_quota_arg_vtable();
  list_.push_back(argument);
}

}  // namespace supernova::protocol::grpc
