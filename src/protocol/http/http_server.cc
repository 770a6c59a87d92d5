#include "protocol/http/http_server.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>
#include <system_error>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/net.h"
#include "protocol/http/memory_budget.h"
#include "protocol/http/worker.h"
#include "protocol/tls/server_context.h"
#include "protocol/tls/tls_files.h"

namespace supernova::protocol::http {
namespace {

constexpr std::chrono::milliseconds kAcceptBackOff{100};
constexpr std::chrono::seconds kAcceptWarningInterval{10};
// So many connections beyond the limit are told so; further ones are just closed.
constexpr size_t kToldSo = 128;

// Accepted in one turn of the loop.
constexpr int kAcceptsInARow = 64;

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

base::Result<Endpoint> resolve(const HttpServerOptions& options) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      ::getaddrinfo(options.host.c_str(), std::to_string(options.port).c_str(), &hints, &found);
  if (error != 0 || found == nullptr) {
    return absl::InvalidArgumentError(base::str_cat(
        options.name, " host '", options.host, "' is not an address of this machine (",
        ::gai_strerror(error), "); choose another with --host"));
  }
  Endpoint endpoint;
  endpoint.size = found->ai_addrlen;
  std::memcpy(&endpoint.address, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  return endpoint;
}

base::Status bind_error(const HttpServerOptions& options, int error) {
  const std::string where = base::host_and_port(options.host, options.port);
  if (error == EADDRINUSE) {
    return absl::UnavailableError(base::str_cat(
        options.name, " port ", where, " is already in use; choose another with ", options.flag));
  }
  return absl::UnavailableError(base::str_cat("can't listen for ", options.name, " on ", where,
                                              ": ", std::generic_category().message(error),
                                              "; choose another with --host or ", options.flag));
}

// The IP address as text. A v4 client of a v6 port is known by its v4 address.
std::string address_of(const Endpoint& peer) {
  char text[NI_MAXHOST] = "";
  if (peer.address.ss_family == AF_INET6) {
    const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(&peer.address);
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
      ::inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text, sizeof(text));
      return text;
    }
  }
  ::getnameinfo(peer.get(), peer.size, text, sizeof(text), nullptr, 0, NI_NUMERICHOST);
  return text;
}

// A body that can never fit into the memory of all is too large by itself.
HttpServerOptions consistent(HttpServerOptions options) {
  options.max_body_bytes = std::min(options.max_body_bytes, options.max_body_memory);
  return options;
}

class ListeningServer final : public HttpServer, private EventLoop::Watcher {
 public:
  ListeningServer(const HttpServerOptions& options, HttpHandler& handler)
      : options_(consistent(options)) {
    const auto budget = std::make_shared<MemoryBudget>(options_.max_body_memory);
    for (int i = 0; i < std::max(1, options_.threads); ++i) {
      workers_.push_back(std::make_shared<Worker>(options_, handler, budget));
    }
  }
  ~ListeningServer() override;

  base::Status open_tls();
  base::Status listen();
  std::string host() const override { return options_.host; }
  uint16_t port() const override { return port_; }
  void drain(std::chrono::steady_clock::time_point deadline) override;

 private:
  void ready(uint32_t) override { accept(); }
  void accept();
  void take(Socket socket, const Endpoint& peer);
  void wait_to_accept(int error);
  tls::ContextPtr newest_context();
  size_t connections() const;
  void stop_accepting();

  const HttpServerOptions options_;
  uint16_t port_ = 0;
  std::vector<std::shared_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  // All of this lives on the first worker's loop.
  Socket listener_;
  bool backs_off_ = false;
  size_t next_worker_ = 0;
  std::chrono::steady_clock::time_point next_warning_{};
  std::unique_ptr<tls::TlsFiles> tls_files_;
  tls::ContextPtr context_;
};

base::Status ListeningServer::open_tls() {
  if (!options_.tls) return {};
  SN_ASSIGN(tls_files_, tls::TlsFiles::open(*options_.tls));
  SN_ASSIGN(context_, tls::make_server_context(*tls_files_->current(), *options_.tls));
  return {};
}

base::Status ListeningServer::listen() {
  SN_ASSIGN(Endpoint endpoint, resolve(options_));
  listener_ =
      Socket(::socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int descriptor = listener_.descriptor();
  const int on = 1;
  // A port whose last connections are still closing may be taken again; one that is listened on,
  // not.
  if (descriptor < 0 || ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      ::bind(descriptor, endpoint.get(), endpoint.size) != 0 ||
      ::listen(descriptor, SOMAXCONN) != 0 ||
      ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&endpoint.address), &endpoint.size) !=
          0 ||
      !workers_.front()->loop().watch(descriptor, *this)) {
    return bind_error(options_, errno);
  }
  port_ = ntohs(endpoint.address.ss_family == AF_INET6
                    ? reinterpret_cast<const sockaddr_in6*>(&endpoint.address)->sin6_port
                    : reinterpret_cast<const sockaddr_in*>(&endpoint.address)->sin_port);
  for (const auto& worker : workers_) threads_.emplace_back([worker] { worker->run(); });
  return {};
}

void ListeningServer::accept() {
  for (int i = 0; i < kAcceptsInARow; ++i) {
    if (!listener_.is_open() || backs_off_) return;
    Endpoint peer;
    peer.size = sizeof(peer.address);
    Socket socket(::accept4(listener_.descriptor(), reinterpret_cast<sockaddr*>(&peer.address),
                            &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.is_open()) {
      take(std::move(socket), peer);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != ECONNABORTED && errno != EINTR) {
      return wait_to_accept(errno);
    }
  }
  workers_.front()->loop().call_soon([this] { accept(); });
}

void ListeningServer::take(Socket socket, const Endpoint& peer) {
  const size_t taken = connections();
  if (taken >= options_.max_connections + kToldSo) return;  // closes it
  const bool one_more = taken >= options_.max_connections;
  Worker& worker = *workers_[next_worker_];
  next_worker_ = (next_worker_ + 1) % workers_.size();
  worker.adopt({std::move(socket), address_of(peer), newest_context(), one_more});
}

// Connections wait in the kernel's queue until descriptors or memory are there again: trying again
// at once would spin.
void ListeningServer::wait_to_accept(int error) {
  const auto now = std::chrono::steady_clock::now();
  if (now >= next_warning_) {
    next_warning_ = now + kAcceptWarningInterval;
    SN_LOG(Warning, "{}: can't accept connections: {}; new ones have to wait", options_.name,
           std::generic_category().message(error));
  }
  backs_off_ = true;
  workers_.front()->loop().call_at(now + kAcceptBackOff, [this] {
    backs_off_ = false;
    accept();
  });
}

// Null without TLS.
tls::ContextPtr ListeningServer::newest_context() {
  if (tls_files_ && tls_files_->poll()) {
    auto context = tls::make_server_context(*tls_files_->current(), *options_.tls);
    if (context.ok()) context_ = *std::move(context);
  }
  return context_;
}

size_t ListeningServer::connections() const {
  size_t count = 0;
  for (const auto& worker : workers_) {
    const size_t open = worker->open_connections();
    count += open - std::min(open, worker->refused_connections());
  }
  return count;
}

// Returns when no connection can come any more.
void ListeningServer::stop_accepting() {
  if (threads_.empty()) return;
  std::promise<void> closed;
  workers_.front()->loop().post([&] {
    workers_.front()->loop().forget(listener_.descriptor());
    listener_.close();
    closed.set_value();
  });
  closed.get_future().wait();
}

void ListeningServer::drain(std::chrono::steady_clock::time_point deadline) {
  stop_accepting();
  for (const auto& worker : workers_) worker->start_draining();
  const auto busy = [&] {
    return std::any_of(workers_.begin(), workers_.end(),
                       [](const auto& worker) { return worker->open_connections() > 0; });
  };
  while (busy() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

ListeningServer::~ListeningServer() {
  stop_accepting();
  for (const auto& worker : workers_) worker->stop();
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace

base::Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpServerOptions& options,
                                                            HttpHandler& handler) {
  try {
    auto server = std::make_unique<ListeningServer>(options, handler);
    SN_TRY(server->open_tls());
    SN_TRY(server->listen());
    return std::unique_ptr<HttpServer>(std::move(server));
  } catch (const std::exception& error) {
    return absl::UnavailableError(
        base::str_cat("can't start the ", options.name, " listener: ", error.what()));
  }
}

}  // namespace supernova::protocol::http
