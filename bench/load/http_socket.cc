#include "load/http_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "load/request.h"

namespace supernova::bench {
namespace {

base::Status unreachable(const Target& target, std::string_view why) {
  return absl::UnavailableError(base::str_cat("can't connect to ", target.url(), ": ", why,
                                              "; is the server running there?"));
}

int milliseconds_until(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

// Waits for `events`; false when the time is over.
bool wait_for(int descriptor, short events, Clock::time_point deadline) {
  pollfd entry{descriptor, events, 0};
  while (true) {
    const int ready = poll(&entry, 1, milliseconds_until(deadline));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

int connect_one(const addrinfo& address, Clock::time_point deadline, Socket& out) {
  Socket socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.open()) return errno;
  const int on = 1;
  setsockopt(socket.descriptor(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (::connect(socket.descriptor(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return errno;
    if (!wait_for(socket.descriptor(), POLLOUT, deadline)) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(socket.descriptor(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return error;
  }
  out = std::move(socket);
  return 0;
}

base::Status send_all(int descriptor, std::string_view data, Clock::time_point deadline) {
  while (!data.empty()) {
    const ssize_t sent = send(descriptor, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      data.remove_prefix(static_cast<size_t>(sent));
    } else if (errno != EAGAIN || !wait_for(descriptor, POLLOUT, deadline)) {
      return absl::UnavailableError(std::strerror(errno));
    }
  }
  return {};
}

base::Status receive(int descriptor, HttpReply& reply, Clock::time_point deadline) {
  char chunk[65536];
  while (!reply.done()) {
    const ssize_t got = recv(descriptor, chunk, sizeof(chunk), 0);
    if (got > 0) {
      SN_TRY(reply.take({chunk, static_cast<size_t>(got)}).status());
    } else if (got == 0) {
      SN_TRY(reply.closed());
    } else if (errno != EAGAIN) {
      return absl::UnavailableError(std::strerror(errno));
    } else if (!wait_for(descriptor, POLLIN, deadline)) {
      return absl::DeadlineExceededError("no reply within 10 s");
    }
  }
  return {};
}

}  // namespace

Socket::Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

Socket::~Socket() {
  if (descriptor_ >= 0) close(descriptor_);
}

base::Result<Socket> connect_to(const Target& target, Clock::duration timeout) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(target.host.c_str(), target.port.c_str(), &hints, &found);
  if (failed != 0) return unreachable(target, gai_strerror(failed));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  const Clock::time_point deadline = Clock::now() + timeout;
  int error = 0;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    Socket socket;
    error = connect_one(*address, deadline, socket);
    if (error == 0) return socket;
  }
  return unreachable(target, std::strerror(error));
}

base::Result<HttpReply> exchange_on(const Socket& socket, std::string_view request) {
  const Clock::time_point deadline = Clock::now() + seconds(10);
  HttpReply reply(16 << 20);
  SN_TRY(send_all(socket.descriptor(), request, deadline));
  SN_TRY(receive(socket.descriptor(), reply, deadline));
  return reply;
}

base::Result<HttpReply> exchange_http(const Target& target, std::string_view request) {
  SN_ASSIGN(const Socket socket, connect_to(target, seconds(5)));
  auto reply = exchange_on(socket, request);
  if (!reply.ok()) return base::annotate(reply.status(), target.url());
  return reply;
}

base::Result<std::string> ask_http(const Target& target, std::string_view method,
                                   std::string_view path, std::string_view body) {
  SN_ASSIGN(const HttpReply reply,
            exchange_http(target, http_message(target, method, path, "", body)));
  if (reply.status() / 100 != 2) {
    return absl::FailedPreconditionError(
        base::str_cat(target.url(), path, ": ", reply.status(), " ", error_text(reply.body())));
  }
  return reply.body();
}

}  // namespace supernova::bench
