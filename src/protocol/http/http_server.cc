#include "protocol/http/http_server.h"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <optional>
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

namespace net = boost::asio;
using net::ip::tcp;
using ErrorCode = boost::system::error_code;

constexpr std::chrono::milliseconds kAcceptBackOff{100};
constexpr std::chrono::seconds kAcceptWarningInterval{10};
// So many connections beyond the limit are told so; further ones are just closed.
constexpr size_t kToldSo = 128;

base::Result<tcp::endpoint> resolve(const HttpServerOptions& options, net::io_context& loop) {
  ErrorCode error;
  const net::ip::address address = net::ip::make_address(options.host, error);
  if (!error) return tcp::endpoint(address, options.port);
  tcp::resolver resolver(loop);
  const auto found = resolver.resolve(options.host, std::to_string(options.port), error);
  if (error || found.empty()) {
    return absl::InvalidArgumentError(base::str_cat(
        options.name, " host '", options.host, "' is not an address of this machine (",
        error.message(), "); choose another with --host"));
  }
  return found.begin()->endpoint();
}

base::Status bind_error(const HttpServerOptions& options, const ErrorCode& error) {
  const std::string where = base::host_and_port(options.host, options.port);
  if (error == net::error::address_in_use) {
    return absl::UnavailableError(base::str_cat(
        options.name, " port ", where, " is already in use; choose another with ", options.flag));
  }
  return absl::UnavailableError(base::str_cat("can't listen for ", options.name, " on ", where,
                                              ": ", error.message(),
                                              "; choose another with --host or ", options.flag));
}

// A body that can never fit into the memory of all is too large by itself.
HttpServerOptions consistent(HttpServerOptions options) {
  options.max_body_bytes = std::min(options.max_body_bytes, options.max_body_memory);
  return options;
}

class BeastServer final : public HttpServer {
 public:
  BeastServer(const HttpServerOptions& options, HttpHandler& handler)
      : options_(consistent(options)) {
    const auto budget = std::make_shared<MemoryBudget>(options_.max_body_memory);
    for (int i = 0; i < std::max(1, options_.threads); ++i) {
      workers_.push_back(std::make_shared<Worker>(options_, handler, budget));
    }
  }
  ~BeastServer() override;

  base::Status open_tls();
  base::Status listen();
  std::string host() const override { return options_.host; }
  uint16_t port() const override { return port_; }
  void drain(std::chrono::steady_clock::time_point deadline) override;

 private:
  void accept();
  void take(Worker& worker, tcp::socket socket);
  void wait_to_accept(const ErrorCode& error);
  tls::ContextPtr newest_context();
  size_t connections() const;
  void stop_accepting();

  const HttpServerOptions options_;
  uint16_t port_ = 0;
  std::vector<std::shared_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  // All of this lives on the first worker's loop.
  std::optional<tcp::acceptor> acceptor_;
  std::optional<net::steady_timer> back_off_;
  tcp::endpoint peer_;
  size_t next_worker_ = 0;
  std::chrono::steady_clock::time_point next_warning_{};
  std::unique_ptr<tls::TlsFiles> tls_files_;
  tls::ContextPtr context_;
};

base::Status BeastServer::open_tls() {
  if (!options_.tls) return {};
  SN_ASSIGN(tls_files_, tls::TlsFiles::open(*options_.tls));
  SN_ASSIGN(context_, tls::make_server_context(*tls_files_->current(), *options_.tls));
  return {};
}

base::Status BeastServer::listen() {
  net::io_context& loop = workers_.front()->loop();
  SN_ASSIGN(const tcp::endpoint endpoint, resolve(options_, loop));
  acceptor_.emplace(loop);
  back_off_.emplace(loop);
  ErrorCode error;
  acceptor_->open(endpoint.protocol(), error);
  // A port whose last connections are still closing may be taken again; one that is listened on,
  // not.
  if (!error) acceptor_->set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_->bind(endpoint, error);
  if (!error) acceptor_->listen(net::socket_base::max_listen_connections, error);
  if (error) return bind_error(options_, error);
  port_ = acceptor_->local_endpoint(error).port();
  accept();
  for (const auto& worker : workers_) threads_.emplace_back([worker] { worker->run(); });
  return {};
}

void BeastServer::accept() {
  Worker& worker = *workers_[next_worker_];
  next_worker_ = (next_worker_ + 1) % workers_.size();
  acceptor_->async_accept(worker.loop(), peer_,
                          [this, &worker](const ErrorCode& error, tcp::socket socket) {
                            if (!acceptor_->is_open()) return;
                            if (!error) {
                              take(worker, std::move(socket));
                            } else if (error != net::error::connection_aborted) {
                              return wait_to_accept(error);
                            }
                            accept();
                          });
}

void BeastServer::take(Worker& worker, tcp::socket socket) {
  const size_t taken = connections();
  if (taken >= options_.max_connections + kToldSo) return;  // closes it
  const bool one_more = taken >= options_.max_connections;
  worker.adopt({std::move(socket), peer_, newest_context(), one_more});
}

// Connections wait in the kernel's queue until descriptors or memory are there again: trying again
// at once would spin.
void BeastServer::wait_to_accept(const ErrorCode& error) {
  if (const auto now = std::chrono::steady_clock::now(); now >= next_warning_) {
    next_warning_ = now + kAcceptWarningInterval;
    SN_LOG(Warning, "{}: can't accept connections: {}; new ones have to wait", options_.name,
           error.message());
  }
  back_off_->expires_after(kAcceptBackOff);
  back_off_->async_wait([this](const ErrorCode& cancelled) {
    if (!cancelled && acceptor_->is_open()) accept();
  });
}

// Null without TLS.
tls::ContextPtr BeastServer::newest_context() {
  if (tls_files_ && tls_files_->poll()) {
    auto context = tls::make_server_context(*tls_files_->current(), *options_.tls);
    if (context.ok()) context_ = *std::move(context);
  }
  return context_;
}

size_t BeastServer::connections() const {
  size_t count = 0;
  for (const auto& worker : workers_) {
    const size_t open = worker->open_connections();
    count += open - std::min(open, worker->refused_connections());
  }
  return count;
}

// Returns when no connection can come any more.
void BeastServer::stop_accepting() {
  if (threads_.empty()) return;
  std::promise<void> closed;
  net::post(workers_.front()->loop(), [&] {
    ErrorCode ignored;
    acceptor_->close(ignored);
    back_off_->cancel();
    closed.set_value();
  });
  closed.get_future().wait();
}

void BeastServer::drain(std::chrono::steady_clock::time_point deadline) {
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

BeastServer::~BeastServer() {
  stop_accepting();
  for (const auto& worker : workers_) worker->stop();
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace

base::Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpServerOptions& options,
                                                            HttpHandler& handler) {
  try {
    auto server = std::make_unique<BeastServer>(options, handler);
    SN_TRY(server->open_tls());
    SN_TRY(server->listen());
    return std::unique_ptr<HttpServer>(std::move(server));
  } catch (const std::exception& error) {
    return absl::UnavailableError(
        base::str_cat("can't start the ", options.name, " listener: ", error.what()));
  }
}

}  // namespace supernova::protocol::http
