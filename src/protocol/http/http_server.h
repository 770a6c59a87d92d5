// The HTTP/1.1 listener: accepts, reads requests with their bodies straight into aligned memory,
// hands them to a handler and writes responses with gather writes; keep-alive and pipelining in
// order; TLS; gzip and deflate both ways. One acceptor, one I/O thread per configured thread.
// Bounds: connections, header size, body size, memory of all bodies, idle and header time, progress
// of bodies. Malformed requests get 400 and the connection is closed. Several listeners, with
// handlers of their own, live side by side in one program.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "protocol/http/http_handler.h"
#include "protocol/tls/tls_options.h"

namespace supernova::protocol::http {

struct HttpServerOptions {
  std::string name = "HTTP";         // of the port, in messages
  std::string flag = "--http-port";  // with which a user chooses another
  std::string host = "127.0.0.1";
  uint16_t port = 8000;  // 0 = the system picks
  int threads = 1;
  // With TLS only HTTPS is spoken. New connections get the newest certificate, open ones go on.
  std::optional<tls::TlsOptions> tls;

  // A connection beyond these is answered 503 (with TLS: closed, a handshake being dear).
  size_t max_connections = 16 * 1024;
  size_t max_header_bytes = 64 * 1024;
  uint64_t max_body_bytes = 2ull * 1024 * 1024 * 1024;  // decoded
  // Of the bodies of all requests that are being read or answered; beyond it 503.
  uint64_t max_body_memory = 4ull * 1024 * 1024 * 1024;

  std::chrono::seconds handshake_timeout{10};
  std::chrono::seconds header_timeout{30};  // from the first byte of a request to its last header
  std::chrono::seconds body_timeout{
      300};  // without any progress, reading a body or writing a response
  // A body or response may take this long, and a second more for each so many bytes that have
  // passed: who trickles can't hold memory for ever. 0 bytes = no such bound.
  std::chrono::seconds transfer_grace{30};
  size_t min_bytes_per_second = 1024;
  std::chrono::seconds idle_timeout{600};  // between requests
};

class HttpServer {
 public:
  // Binds and starts. UNAVAILABLE names host and port when the port is in use; errors of the TLS
  // files name the file. `handler` must outlive the server.
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
