// What the tests of the listener share: a client over a real socket, a handler, a server.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/http/http_server.h"

namespace supernova::protocol::http {

// A client that says exactly what a test wants said.
class Client {
 public:
  Client() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval timeout{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  }
  explicit Client(uint16_t port) : Client() { connect(port); }
  ~Client() { close(); }
  Client(const Client&) = delete;

  // From here on everything is said through TLS. False when the server would not have it.
  bool start_tls(SSL_CTX* context) {
    tls_ = SSL_new(context);
    SSL_set_fd(tls_, fd_);
    return SSL_connect(tls_) == 1;
  }
  SSL* tls() { return tls_; }

  bool connect(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    return connected_;
  }
  bool connected() const { return connected_; }
  void close() {
    if (tls_ != nullptr) {
      SSL_shutdown(tls_);
      SSL_free(tls_);
      tls_ = nullptr;
    }
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void half_close() { ::shutdown(fd_, SHUT_WR); }

  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = tls_ != nullptr
                               ? SSL_write(tls_, text.data(), static_cast<int>(text.size()))
                               : ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // The next response, whole: head, empty line, body.
  std::string receive(bool has_body = true) {
    size_t head_end = 0;
    while ((head_end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive_more()) return take(received_.size());
    }
    head_end += 4;
    const size_t at = received_.find("\r\nContent-Length: ");
    size_t length = 0;
    if (has_body && at < head_end) length = std::stoul(received_.substr(at + 18));
    while (received_.size() < head_end + length) {
      if (!receive_more()) break;
    }
    return take(std::min(received_.size(), head_end + length));
  }

  // Everything until the server closes.
  std::string receive_all() {
    while (receive_more()) {
    }
    return take(received_.size());
  }
  // The server has closed, and nothing is left.
  bool closed() { return !receive_more() && !timed_out_ && received_.empty(); }

 private:
  bool receive_more() {
    char block[64 * 1024];
    const ssize_t got = tls_ != nullptr ? SSL_read(tls_, block, sizeof(block))
                                        : ::recv(fd_, block, sizeof(block), 0);
    timed_out_ = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (got <= 0) return false;
    received_.append(block, static_cast<size_t>(got));
    return true;
  }
  std::string take(size_t size) {
    std::string out = received_.substr(0, size);
    received_.erase(0, size);
    return out;
  }

  int fd_;
  SSL* tls_ = nullptr;
  bool connected_ = false;
  bool timed_out_ = false;
  std::string received_;
};

inline std::string body_of(const std::string& response) {
  const size_t at = response.find("\r\n\r\n");
  return at == std::string::npos ? "" : response.substr(at + 4);
}

// Calls `act` with each request; by default says back what came.
class FakeHandler : public HttpHandler {
 public:
  using Act = std::function<void(HttpRequest, Responder)>;
  void handle(HttpRequest request, Responder respond) override {
    if (act) return act(std::move(request), std::move(respond));
    HttpResponse response;
    response.content_type = "text/plain";
    response.body = request.method() + " " + request.target() + " ";
    response.buffers.push_back(request.body);
    respond(std::move(response));
  }
  Act act;
};

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    options_.port = 0;
    options_.threads = 2;
  }
  void SetUp() override { start(); }
  void start() {
    server_.reset();
    auto server = HttpServer::start(options_, handler_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::string exchange(std::string_view request) {
    Client client(server_->port());
    client.send(request);
    return client.receive();
  }

  HttpServerOptions options_;
  FakeHandler handler_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace supernova::protocol::http
