// TLS on one accepted, non-blocking socket. Not thread-safe; never blocks, never raises SIGPIPE.
// The socket belongs to the caller and must outlive the session.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "protocol/tls/openssl.h"

namespace supernova::protocol::tls {

// Who the client's verified certificate says it is; empty without one.
struct PeerIdentity {
  std::string common_name;
  std::string alternative_name;  // first URI, else first DNS name, of the subject alternative names
};

class Session {
 public:
  enum class Outcome { kDone, kWantsRead, kWantsWrite, kClosed, kFailed };
  struct Transfer {
    Outcome outcome = Outcome::kFailed;
    size_t size = 0;  // > 0 exactly when kDone
  };

  // Null when there is no memory.
  static std::unique_ptr<Session> accept(ContextPtr context, int socket);

  Outcome handshake();
  Transfer read(void* data, size_t size);
  Transfer write(const void* data, size_t size);
  Outcome peek();  // kDone: something can be read
  // Says farewell, once, if the state of the connection allows it.
  void close_notify();
  // Of the last kFailed.
  const std::string& error() const { return error_; }
  PeerIdentity peer() const;

 private:
  Session(ContextPtr context, SslPtr ssl) : context_(std::move(context)), ssl_(std::move(ssl)) {}
  Outcome outcome_of(int result);

  const ContextPtr context_;
  const SslPtr ssl_;
  bool established_ = false;
  std::string error_;
};

}  // namespace supernova::protocol::tls
