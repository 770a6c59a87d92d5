// The ports of a server: HTTP, gRPC and metrics, in front of one Service.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "protocol/grpc/grpc_server.h"
#include "protocol/http/http_server.h"
#include "protocol/metrics/metrics_handler.h"
#include "protocol/oip/oip_handler.h"
#include "serve_options.h"
#include "service/service.h"

namespace supernova::apps {

class FrontEnds {
 public:
  using Collector = protocol::metrics::MetricsHandler::Collector;

  // Opens every port, or none: the error says which could not be had. FAILED_PRECONDITION where a
  // port would be open to others without protection. `service` must outlive it, as must what
  // `collectors` write metrics of.
  static base::Result<std::unique_ptr<FrontEnds>> open(const ServeOptions& options,
                                                       service::Service& service,
                                                       std::vector<Collector> collectors);
  // "http=127.0.0.1:8000 grpc=127.0.0.1:8001 metrics=127.0.0.1:8002"
  std::string addresses() const;
  // Takes nothing new, finishes what is in progress until the deadline.
  void drain(std::chrono::steady_clock::time_point deadline);

 private:
  FrontEnds(service::Service& service, const protocol::oip::HandlerOptions& options)
      : rest_(service, options), metrics_(service) {}

  protocol::oip::OipHandler rest_;
  protocol::metrics::MetricsHandler metrics_;
  std::string host_;
  std::unique_ptr<protocol::http::HttpServer> metrics_server_;
  std::unique_ptr<protocol::grpc::GrpcServer> grpc_server_;
  std::unique_ptr<protocol::http::HttpServer> http_server_;
};

}  // namespace supernova::apps
