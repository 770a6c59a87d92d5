#include "protocol/grpc/port_check.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "base/net.h"

namespace supernova::protocol::grpc {
namespace {

// The error number of binding to `address`; 0 = it went well.
int try_bind(const addrinfo& address) {
  const int descriptor =
      socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC, address.ai_protocol);
  if (descriptor < 0) return errno;
  const int on = 1;
  // As gRPC does: a port whose last connections are still closing is free.
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const bool bound =
      bind(descriptor, address.ai_addr, address.ai_addrlen) == 0 && (listen(descriptor, 1) == 0);
  const int error = bound ? 0 : errno;
  close(descriptor);
  return error;
}

}  // namespace

base::Status port_in_use(const std::string& host, uint16_t port) {
  return absl::UnavailableError(
      base::str_cat("gRPC port ", base::host_and_port(host, port),
                    " is already in use; choose another with --grpc-port"));
}

base::Status check_port(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
      error != 0) {
    return absl::InvalidArgumentError(
        base::str_cat("can't listen for gRPC on '", host, "': ", gai_strerror(error),
                      "; give an address of this machine with --host"));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);
  int last_error = 0;
  bool bound = false;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    const int error = try_bind(*at);
    if (error == EADDRINUSE) return port_in_use(host, port);
    bound = bound || error == 0;
    if (error != 0) last_error = error;
  }
  if (bound) return {};
  const std::string what =
      base::str_cat("can't listen for gRPC on ", base::host_and_port(host, port), ": ",
                    std::strerror(last_error));
  if (last_error == EACCES) {
    return absl::PermissionDeniedError(base::str_cat(what, "; choose another with --grpc-port"));
  }
  return absl::InvalidArgumentError(
      base::str_cat(what, "; give an address of this machine with --host"));
}

}  // namespace supernova::protocol::grpc
