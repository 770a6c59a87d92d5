#include "protocol/grpc/grpc_server.h"

#include <absl/synchronization/mutex.h>
#include <google/protobuf/stubs/logging.h>
#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/net.h"
#include "protocol/grpc/credentials.h"
#include "protocol/grpc/port_check.h"
#include "protocol/grpc/server_arguments.h"
#include "protocol/grpc/worker.h"

namespace supernova::protocol::grpc {
namespace {

uint64_t quarter_of_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page_bytes = sysconf(_SC_PAGE_SIZE);
  if (pages <= 0 || page_bytes <= 0) return std::numeric_limits<int64_t>::max() / 4;
  return static_cast<uint64_t>(pages) / 4 * static_cast<uint64_t>(page_bytes);
}

struct ReleaseServer {
  void operator()(grpc_server* server) const { grpc_server_destroy(server); }
};

// gRPC counts who uses it.
struct Library {
  Library() { grpc_init(); }
  ~Library() { grpc_shutdown(); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
};

// The libraries' own lines join the log. Most are about what clients did, such as a handshake that
// failed.
void log_of_libraries() {
  gpr_set_log_function([](gpr_log_func_args* line) {
    if (line->severity == GPR_LOG_SEVERITY_ERROR) {
      SN_LOG(Info, "gRPC: {}", line->message);
    } else {
      SN_LOG(Debug, "gRPC: {}", line->message);
    }
  });
  google::protobuf::SetLogHandler(
      [](google::protobuf::LogLevel level, const char*, int, const std::string& line) {
        if (level == google::protobuf::LOGLEVEL_FATAL) {
          SN_LOG(Error, "protobuf: {}", line);
        } else {
          SN_LOG(Debug, "protobuf: {}", line);
        }
      });
}

class Server final : public GrpcServer {
 public:
  Server(const GrpcServerOptions& options, service::Service& service)
      : options_(options),
        memory_limit_(options.max_request_memory > 0 ? options.max_request_memory
                                                     : quarter_of_memory()),
        house_{service, options_, std::make_shared<RequestMemory>(memory_limit_)} {}
  ~Server() override { drain(std::chrono::steady_clock::now()); }

  base::Status start() {
    if (options_.tls) {
      SN_ASSIGN(certificates_.files, tls::TlsFiles::open(*options_.tls));
    }
    SN_TRY(check_port(options_.host, options_.port));
    SN_TRY(make_server());
    const CredentialsPtr credentials =
        options_.tls ? make_tls_credentials(certificates_)
                     : CredentialsPtr(grpc_insecure_server_credentials_create());
    const std::string address = base::host_and_port(options_.host, options_.port);
    const int port = grpc_server_add_http2_port(server_.get(), address.c_str(), credentials.get());
    if (port == 0) return port_in_use(options_.host, options_.port);
    port_ = static_cast<uint16_t>(port);
    grpc_server_start(server_.get());
    for (const auto& worker : workers_) {
      threads_.emplace_back([worker = worker.get(), door = door_, this] {
        worker->run(door);
        std::lock_guard lock(mutex_);
        ++threads_ended_;
        ended_.notify_all();
      });
    }
    return {};
  }

  uint16_t port() const override { return port_; }

  void drain(std::chrono::steady_clock::time_point deadline) override {
    if (server_ == nullptr) return;
    // One that did not come to serving has nothing to wait for.
    if (!threads_.empty()) wait_for_calls(deadline);
    server_.reset();
    workers_.clear();
  }

 private:
  void wait_for_calls(std::chrono::steady_clock::time_point deadline) {
    open_.drain();
    for (const auto& worker : workers_) {
      grpc_server_shutdown_and_notify(server_.get(), worker->queue(), &worker->server_down());
    }
    {
      std::unique_lock lock(mutex_);
      const auto all_ended = [this] { return threads_ended_ == threads_.size(); };
      if (!ended_.wait_until(lock, deadline, all_ended)) {
        lock.unlock();
        grpc_server_cancel_all_calls(server_.get());
      }
    }
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  base::Status make_server() {
    const ServerArguments arguments(options_, memory_limit_);
    server_.reset(grpc_server_create(arguments.get(), nullptr));
    if (server_ == nullptr) return absl::InternalError("gRPC can't make a server");
    for (int i = 0; i < std::max(options_.threads, 1); ++i) {
      workers_.push_back(std::make_unique<Worker>(house_, open_));
      grpc_server_register_completion_queue(server_.get(), workers_.back()->queue(), nullptr);
    }
    door_.server = server_.get();
    door_.infer_method =
        grpc_server_register_method(server_.get(), "/inference.GRPCInferenceService/ModelInfer",
                                    nullptr, GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    return {};
  }

  const Library library_;  // last to go
  const GrpcServerOptions options_;
  const uint64_t memory_limit_;
  const CallHouse house_;
  OpenCalls open_;
  CertificateSource certificates_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<grpc_server, ReleaseServer> server_;
  Door door_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable ended_;
  size_t threads_ended_ = 0;
  uint16_t port_ = 0;
};

}  // namespace

base::Result<std::unique_ptr<GrpcServer>> GrpcServer::start(const GrpcServerOptions& options,
                                                            service::Service& service) {
  auto server = std::make_unique<Server>(options, service);
  log_of_libraries();
  // Distributions build the library's locks with a search for deadlocks that each lock pays for.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  SN_TRY(guarded([&] { return server->start(); }));
  return std::unique_ptr<GrpcServer>(std::move(server));
}

}  // namespace supernova::protocol::grpc
