// The HTTP/1.1 listener: accepts, reads requests with their bodies straight into aligned memory,
// hands them to a handler and writes responses with gather writes; keep-alive and pipelining in
// order. One acceptor, one I/O thread per configured thread. Bounds: header size, body size,
// connections' idle and header time. Malformed requests get 400 and the connection is closed.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "protocol/http/http_handler.h"

namespace supernova::protocol::http {

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8000;  // 0 = the system picks
  int threads = 1;
  size_t max_header_bytes = 64 * 1024;
  uint64_t max_body_bytes = 2ull * 1024 * 1024 * 1024;
  std::chrono::seconds header_timeout{30};  // from the first byte of a request to its last header
  std::chrono::seconds body_timeout{
      300};  // without any progress, reading a body or writing a response
  std::chrono::seconds idle_timeout{600};  // between requests
};

class HttpServer {
 public:
  // Binds and starts. UNAVAILABLE names host and port when the port is in use. `handler` must
  // outlive the server.
  static base::Result<std::unique_ptr<HttpServer>> start(const HttpServerOptions& options,
                                                         HttpHandler& handler);
  virtual ~HttpServer() = default;  // stops at once
  virtual std::string host() const = 0;
  virtual uint16_t port() const = 0;  // as bound
  // Stops accepting, lets requests in progress finish (idle connections are closed) until the
  // deadline.
  virtual void drain(std::chrono::steady_clock::time_point deadline) = 0;
};

}  // namespace supernova::protocol::http
