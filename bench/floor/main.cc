// supernova-bench-floor MODEL: the least that a server of this runtime could do. One thread, a bare
// epoll loop, HTTP framing and nothing else (two fields of the head are looked for, the JSON is
// skipped), the bare runtime called where the request was read, the reply's head made once. Answers
// binary requests to a model of one FP32 input, whatever their path. A yardstick, no server: it
// trusts its client.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bare/bare_model.h"
#include "load/http_socket.h"

namespace supernova::bench {
namespace {

struct Model {
  BareModel bare;
  std::string head;  // of every reply; the outputs follow
};

std::string reply_head(const std::vector<tensor::Tensor>& outputs) {
  std::string json = R"({"model_name":"m","model_version":"1","outputs":[)";
  size_t bytes = 0;
  for (const tensor::Tensor& output : outputs) {
    if (&output != &outputs.front()) json += ',';
    json += base::str_cat(R"({"name":")", output.name, R"(","datatype":")",
                          tensor::data_type_name(output.data_type), R"(","shape":)",
                          tensor::shape_to_string(output.shape),
                          R"(,"parameters":{"binary_data_size":)", output.buffer.size(), "}}");
    bytes += output.buffer.size();
  }
  json += "]}";
  return base::str_cat(
      "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nInference-Header-Content-"
      "Length: ",
      json.size(), "\r\nContent-Length: ", json.size() + bytes, "\r\n\r\n", json);
}

struct Connection {
  Socket socket;
  std::vector<char> received;
  size_t have = 0;
  size_t need = 0;   // of the whole request; 0 = the head is not complete
  size_t input = 0;  // where the tensor starts
};

size_t number_after(std::string_view head, std::string_view field) {
  const size_t at = head.find(field);
  if (at == std::string_view::npos) return 0;
  return std::strtoul(head.data() + at + field.size(), nullptr, 10);
}

// The whole request is there.
bool answer(Model& model, Connection& connection) {
  const size_t size = model.bare.input().buffer.size();
  if (connection.need - connection.input != size) return false;
  std::memcpy(model.bare.input_data(), connection.received.data() + connection.input, size);
  if (!model.bare.run().ok()) return false;
  iovec parts[16] = {{model.head.data(), model.head.size()}};
  int count = 1;
  size_t total = model.head.size();
  for (const tensor::Tensor& output : model.bare.outputs()) {
    if (count == 16) return false;
    parts[count++] = {const_cast<std::byte*>(output.buffer.data()), output.buffer.size()};
    total += output.buffer.size();
  }
  connection.have = connection.need = 0;
  return writev(connection.socket.descriptor(), parts, count) == static_cast<ssize_t>(total);
}

// What has come; false when the connection is over.
bool receive(Model& model, Connection& connection) {
  auto& [socket, received, have, need, input] = connection;
  if (received.size() - have < 4096) received.resize(received.size() * 2);
  const ssize_t got = recv(socket.descriptor(), received.data() + have, received.size() - have, 0);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  have += static_cast<size_t>(got);
  if (need == 0) {
    const std::string_view head(received.data(), have);
    const size_t end = head.find("\r\n\r\n");
    if (end == std::string_view::npos) return have < 65536;
    need = end + 4 + number_after(head, "\r\nContent-Length: ");
    input = end + 4 + number_after(head, "\r\nInference-Header-Content-Length: ");
    if (received.size() < need + 4096) received.resize(need + 4096);
  }
  return have < need || answer(model, connection);
}

base::Result<Socket> listen_anywhere(uint16_t& port) {
  Socket listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(listener.descriptor(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener.descriptor(), 1024) != 0 ||
      getsockname(listener.descriptor(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return absl::UnavailableError(std::strerror(errno));
  }
  port = ntohs(address.sin_port);
  return listener;
}

void add_connection(const Socket& epoll, const Socket& listener,
                    std::vector<std::unique_ptr<Connection>>& connections) {
  Socket socket(accept4(listener.descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket.open()) return;
  const int on = 1;
  setsockopt(socket.descriptor(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const auto index = static_cast<size_t>(socket.descriptor());
  if (connections.size() <= index) connections.resize(index + 1);
  connections[index] = std::make_unique<Connection>();
  connections[index]->received.resize(8192);
  epoll_event event{EPOLLIN, {}};
  event.data.u64 = index;
  epoll_ctl(epoll.descriptor(), EPOLL_CTL_ADD, socket.descriptor(), &event);
  connections[index]->socket = std::move(socket);
}

base::Status serve(const std::string& path) {
  SN_ASSIGN(BareModel bare, BareModel::open(path));
  std::string head = reply_head(bare.outputs());
  Model model{std::move(bare), std::move(head)};
  uint16_t port = 0;
  SN_ASSIGN(const Socket listener, listen_anywhere(port));
  const Socket epoll(epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{EPOLLIN, {}};
  event.data.u64 = 0;  // no connection has descriptor 0
  epoll_ctl(epoll.descriptor(), EPOLL_CTL_ADD, listener.descriptor(), &event);
  std::printf("ready http=127.0.0.1:%u\n", port);
  std::fflush(stdout);
  std::vector<std::unique_ptr<Connection>> connections;
  while (true) {
    epoll_event events[256];
    const int ready = epoll_wait(epoll.descriptor(), events, 256, -1);
    for (int i = 0; i < ready; ++i) {
      const size_t index = events[i].data.u64;
      if (index == 0) {
        add_connection(epoll, listener, connections);
      } else if (!receive(model, *connections[index])) {
        connections[index].reset();
      }
    }
  }
}

}  // namespace
}  // namespace supernova::bench

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "error: usage: supernova-bench-floor MODEL\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  const auto status = supernova::bench::serve(argv[1]);
  std::fprintf(stderr, "error: %s\n", std::string(supernova::base::message(status)).c_str());
  return 1;
}
