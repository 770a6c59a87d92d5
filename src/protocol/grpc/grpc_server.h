// The Open Inference Protocol over gRPC (proto/inference.proto) and gRPC's health service.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "service/service.h"

namespace supernova::protocol::grpc {

struct GrpcServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8001;  // 0 = the system picks
};

class GrpcServer {
 public:
  // Binds and starts. UNAVAILABLE names host and port when the port is in use (two servers never
  // share one). `service` must outlive the server.
  static base::Result<std::unique_ptr<GrpcServer>> start(const GrpcServerOptions& options,
                                                         service::Service& service);
  virtual ~GrpcServer() = default;  // stops at once
  virtual uint16_t port() const = 0;
  virtual void drain(std::chrono::steady_clock::time_point deadline) = 0;
};

}  // namespace supernova::protocol::grpc
