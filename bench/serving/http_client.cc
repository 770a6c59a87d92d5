#include "http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace supernova::bench {
namespace {

base::Status system_error(std::string_view what) {
  return absl::UnavailableError(base::str_cat(what, ": ", std::strerror(errno)));
}

// The number in the field `name` (lower case, with its colon) of a lower-case head; -1 = not there.
int64_t number_field(std::string_view head, std::string_view name) {
  const size_t at = head.find(base::str_cat("\r\n", name));
  if (at == std::string_view::npos) return -1;
  const size_t begin = head.find_first_of("0123456789", at + 2 + name.size());
  int64_t number = -1;
  std::from_chars(head.data() + begin, head.data() + head.size(), number);
  return number;
}

}  // namespace

std::string infer_request(const BenchModel& model, std::string_view input) {
  const std::string json =
      base::str_cat(R"({"inputs":[{"name":")", model.input, R"(","datatype":"FP32","shape":[)",
                    base::str_join(model.shape, ","), R"(],"parameters":{"binary_data_size":)",
                    input.size(), R"(}}],"parameters":{"binary_data_output":true}})");
  return base::str_cat(
      "POST /v2/models/", model.name, "/infer HTTP/1.1\r\nHost: localhost\r\n",
      "Content-Type: application/octet-stream\r\nInference-Header-Content-Length: ", json.size(),
      "\r\nContent-Length: ", json.size() + input.size(), "\r\n\r\n", json, input);
}

base::Result<HttpClient> HttpClient::connect(uint16_t port) {
  HttpClient client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (client.descriptor_ < 0) return system_error("socket");
  const int on = 1;
  setsockopt(client.descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const timeval patience{30, 0};
  setsockopt(client.descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(client.descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return system_error(base::str_cat("can't connect to port ", port));
  }
  return client;
}

HttpClient::HttpClient(HttpClient&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), received_(std::move(other.received_)) {}

HttpClient::~HttpClient() {
  if (descriptor_ >= 0) close(descriptor_);
}

// Receives at least the head; returns its size with the empty line.
base::Result<size_t> HttpClient::receive_head() {
  char chunk[65536];
  received_.clear();
  while (true) {
    const ssize_t got = recv(descriptor_, chunk, sizeof(chunk), 0);
    if (got <= 0) return system_error("the server closed the connection");
    received_.append(chunk, static_cast<size_t>(got));
    if (const size_t end = received_.find("\r\n\r\n"); end != std::string::npos) return end + 4;
  }
}

base::Result<std::string_view> HttpClient::exchange(std::string_view request) {
  for (size_t sent = 0; sent < request.size();) {
    const ssize_t now =
        send(descriptor_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (now <= 0) return system_error("send");
    sent += static_cast<size_t>(now);
  }
  SN_ASSIGN(const size_t head_size, receive_head());
  std::string head = received_.substr(0, head_size);
  std::transform(head.begin(), head.end(), head.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const int64_t length = number_field(head, "content-length:");
  if (length < 0) return absl::InternalError("the reply has no Content-Length");
  size_t have = received_.size();
  const size_t total = head_size + static_cast<size_t>(length);
  received_.resize(std::max(have, total));
  while (have < total) {
    const ssize_t got = recv(descriptor_, received_.data() + have, total - have, 0);
    if (got <= 0) return system_error("the server closed the connection");
    have += static_cast<size_t>(got);
  }
  const std::string_view body = std::string_view(received_).substr(head_size);
  if (!head.starts_with("http/1.1 200"))
    return absl::InternalError(std::string(body.substr(0, 500)));
  const int64_t json = number_field(head, "inference-header-content-length:");
  if (json < 0 || json > length) return absl::InternalError("the reply has no binary part");
  return body.substr(static_cast<size_t>(json));
}

}  // namespace supernova::bench
