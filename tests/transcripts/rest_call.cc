#include "rest_call.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace supernova::transcripts {
namespace {

class Socket {
 public:
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  base::Status connect(const std::string& address) {
    const size_t colon = address.rfind(':');
    uint16_t port = 0;
    sockaddr_in to{};
    to.sin_family = AF_INET;
    if (!base::parse_whole(std::string_view(address).substr(colon + 1), port) ||
        ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr) != 1) {
      return absl::InvalidArgumentError("no address: " + address);
    }
    to.sin_port = htons(port);
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval timeout{30, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
      return absl::UnavailableError(std::strerror(errno));
    }
    return {};
  }
  base::Status send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t sent = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return absl::UnavailableError(std::strerror(errno));
      text.remove_prefix(static_cast<size_t>(sent));
    }
    return {};
  }
  base::Result<std::string> receive_all() const {
    std::string all;
    char piece[16384];
    while (true) {
      const ssize_t size = ::recv(descriptor_, piece, sizeof(piece), 0);
      if (size < 0) return absl::UnavailableError(std::strerror(errno));
      if (size == 0) return all;
      all.append(piece, static_cast<size_t>(size));
    }
  }

 private:
  int descriptor_ = -1;
};

base::Result<std::string> without_chunks(std::string_view body) {
  std::string whole;
  while (true) {
    const size_t end = body.find("\r\n");
    size_t size = 0;
    if (end == std::string_view::npos ||
        std::from_chars(body.data(), body.data() + end, size, 16).ec != std::errc()) {
      return absl::InvalidArgumentError("broken chunks");
    }
    if (size == 0) return whole;
    if (body.size() < end + 2 + size + 2) return absl::InvalidArgumentError("a chunk is cut");
    whole += body.substr(end + 2, size);
    body.remove_prefix(end + 2 + size + 2);
  }
}

base::Result<RestReply> parse_reply(const std::string& text) {
  RestReply reply;
  const size_t head_end = text.find("\r\n\r\n");
  if (!text.starts_with("HTTP/1.1 ") || head_end == std::string::npos) {
    return absl::InvalidArgumentError("no HTTP reply: " + text.substr(0, 200));
  }
  std::from_chars(text.data() + 9, text.data() + 12, reply.status);
  for (size_t at = text.find("\r\n") + 2; at < head_end;) {
    const size_t end = text.find("\r\n", at);
    const std::string line = text.substr(at, end - at);
    const size_t colon = line.find(':');
    std::string name = line.substr(0, colon);
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const size_t value =
        colon == std::string::npos ? colon : line.find_first_not_of(' ', colon + 1);
    reply.headers.emplace_back(name, value == std::string::npos ? "" : line.substr(value));
    at = end + 2;
  }
  reply.body = text.substr(head_end + 4);
  const std::string* const coding = reply.header("transfer-encoding");
  if (coding != nullptr && *coding == "chunked") {
    SN_ASSIGN(reply.body, without_chunks(reply.body));
  }
  return reply;
}

}  // namespace

const std::string* RestReply::header(std::string_view name) const {
  const auto at = std::find_if(headers.begin(), headers.end(),
                               [&](const auto& header) { return header.first == name; });
  return at == headers.end() ? nullptr : &at->second;
}

base::Result<RestReply> call_rest(const std::string& address, const Part& request) {
  if (request.words.size() != 2) {
    return absl::InvalidArgumentError("a REST request begins with method and path");
  }
  SN_ASSIGN(const auto pieces, parse_body(request.body));
  std::string body;
  for (const Piece& piece : pieces) body += piece.content;
  std::string text = base::str_cat(request.words[0], " ", request.words[1],
                                   " HTTP/1.1\r\nHost: ", address, "\r\nConnection: close\r\n");
  for (const auto& [name, value] : request.headers) {
    const std::string sent =
        value == "{{json}}" && !pieces.empty() ? std::to_string(pieces[0].content.size()) : value;
    text += base::str_cat(name, ": ", sent, "\r\n");
  }
  if (request.words[0] != "GET" || !body.empty()) {
    text += base::str_cat("Content-Length: ", body.size(), "\r\n");
  }
  Socket socket;
  SN_TRY(socket.connect(address));
  SN_TRY(socket.send(text + "\r\n" + body));
  SN_ASSIGN(const std::string reply, socket.receive_all());
  return parse_reply(reply);
}

}  // namespace supernova::transcripts
