// TCP connections for load: connect with a clear error, and one plain question before the load.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "load/http_reply.h"
#include "load/plan.h"
#include "load/target.h"

namespace supernova::bench {

// A file descriptor, closed by its owner. Movable.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  ~Socket();

  int descriptor() const { return descriptor_; }
  bool open() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

// Connected, non-blocking, without Nagle's delay.
base::Result<Socket> connect_to(const Target& target, Clock::duration timeout);

// One request and its reply on a connection;  the reply's whole body is kept, up to 16 MB.
base::Result<HttpReply> exchange_on(const Socket& socket, std::string_view request);
// On a connection of its own.
base::Result<HttpReply> exchange_http(const Target& target, std::string_view request);

// The body of a reply with a 2xx status; anything else is an error that names the URL. `path`
// starts at /v2.
base::Result<std::string> ask_http(const Target& target, std::string_view method,
                                   std::string_view path, std::string_view body);

}  // namespace supernova::bench
