#include "front_ends.h"

#include <netdb.h>
#include <sys/socket.h>

#include "base/net.h"
#include "protocol/kserve_v1/routes.h"
#include "service/access_exposure.h"
#include "service/header_forward.h"

namespace supernova::apps {
namespace {

// What a host name means here, as numbers; empty where it means nothing.
std::vector<std::string> resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::vector<std::string> addresses;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    char text[NI_MAXHOST];
    if (getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof(text), nullptr, 0,
                    NI_NUMERICHOST) == 0) {
      addresses.emplace_back(text);
    }
  }
  freeaddrinfo(found);
  return addresses;
}

base::Status check_exposures(const ServeOptions& options) {
  const std::vector<std::string> addresses = resolve(options.host);
  const bool access_on = !options.access.access_file.empty();
  // Metrics are read over the listener of HTTP's kind.
  for (const bool tls_on : {options.http.tls.has_value(), options.grpc.tls.has_value()}) {
    SN_TRY(service::check_exposure(options.host, addresses, tls_on, access_on,
                                   options.allow_insecure));
  }
  return {};
}

base::Result<protocol::grpc::GrpcServerOptions> grpc_options(const ServeOptions& options) {
  protocol::grpc::GrpcServerOptions grpc = options.grpc;
  SN_ASSIGN(const auto forward,
            service::HeaderForward::compile(options.grpc_forward, "--grpc-header-forward-pattern"));
  if (forward.enabled()) {
    grpc.forward_header = [forward](std::string_view key, std::string_view value,
                                    tensor::Parameters& parameters) {
      return forward.forward(key, value, parameters);
    };
  }
  return grpc;
}

}  // namespace

base::Result<std::unique_ptr<FrontEnds>> FrontEnds::open(const ServeOptions& options,
                                                         service::Service& service,
                                                         std::vector<Collector> collectors) {
  SN_TRY(check_exposures(options));
  protocol::oip::HandlerOptions rest;
  rest.more.push_back(protocol::kserve_v1::routes());
  SN_ASSIGN(auto forward,
            service::HeaderForward::compile(options.http_forward, "--http-header-forward-pattern"));
  rest.forward = protocol::oip::forward_headers(std::move(forward));
  SN_ASSIGN(const auto grpc, grpc_options(options));

  std::unique_ptr<FrontEnds> front_ends(new FrontEnds(service, rest));
  front_ends->host_ = options.host;
  for (Collector& collector : collectors) {
    front_ends->metrics_.add_collector(std::move(collector));
  }
  SN_ASSIGN(front_ends->http_server_,
            protocol::http::HttpServer::start(options.http, front_ends->rest_));
  SN_ASSIGN(front_ends->grpc_server_, protocol::grpc::GrpcServer::start(grpc, service));
  if (options.allow_metrics) {
    protocol::http::HttpServerOptions metrics;
    metrics.name = "metrics";
    metrics.flag = "--metrics-port";
    metrics.host = options.host;
    metrics.port = options.metrics_port;
    metrics.tls = options.http.tls;
    metrics.max_connections = 256;
    metrics.max_body_bytes = 64 * 1024;
    SN_ASSIGN(front_ends->metrics_server_,
              protocol::http::HttpServer::start(metrics, front_ends->metrics_));
  }
  return front_ends;
}

std::string FrontEnds::addresses() const {
  std::string text = base::str_cat("http=", base::host_and_port(host_, http_server_->port()),
                                   " grpc=", base::host_and_port(host_, grpc_server_->port()));
  if (metrics_server_ != nullptr) {
    text += base::str_cat(" metrics=", base::host_and_port(host_, metrics_server_->port()));
  }
  return text;
}

void FrontEnds::drain(std::chrono::steady_clock::time_point deadline) {
  http_server_->drain(deadline);
  grpc_server_->drain(deadline);
  if (metrics_server_ != nullptr) metrics_server_->drain(deadline);
}

}  // namespace supernova::apps
