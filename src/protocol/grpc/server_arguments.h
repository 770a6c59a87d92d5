// What a gRPC server is told before it starts.
#pragma once

#include <grpc/grpc.h>

#include <cstdint>
#include <vector>

#include "protocol/grpc/grpc_options.h"

namespace supernova::protocol::grpc {

class ServerArguments {
 public:
  // `memory_limit`: bytes of requests.
  ServerArguments(const GrpcServerOptions& options, uint64_t memory_limit);
  ~ServerArguments();
  ServerArguments(const ServerArguments&) = delete;
  ServerArguments& operator=(const ServerArguments&) = delete;

  const grpc_channel_args* get() const { return &arguments_; }

 private:
  void add(const char* key, int value);
  void add(const GrpcKeepalive& keepalive);
  void add_memory(uint64_t memory_limit);

  grpc_resource_quota* const quota_;
  std::vector<grpc_arg> list_;
  grpc_channel_args arguments_{};
};

}  // namespace supernova::protocol::grpc
