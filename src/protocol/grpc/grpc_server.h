// The Open Inference Protocol over gRPC (proto/inference.proto) and gRPC's health service.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "base/status.h"
#include "protocol/grpc/grpc_options.h"
#include "service/service.h"

namespace supernova::protocol::grpc {

class GrpcServer {
 public:
  // Binds and starts. UNAVAILABLE names host and port when the port is in use (two servers never
  // share one); TLS files that are of no use are named with the reason. `service` must outlive the
  // server.
  static base::Result<std::unique_ptr<GrpcServer>> start(const GrpcServerOptions& options,
                                                         service::Service& service);
  virtual ~GrpcServer() = default;  // stops at once
  virtual uint16_t port() const = 0;
  // Takes no more calls and ends streams after the answers they owe; what isn't finished by the
  // deadline is cancelled.
  virtual void drain(std::chrono::steady_clock::time_point deadline) = 0;
};

}  // namespace supernova::protocol::grpc
