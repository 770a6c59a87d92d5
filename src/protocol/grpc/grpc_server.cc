#include "protocol/grpc/grpc_server.h"

#include <absl/synchronization/mutex.h>
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "base/log.h"
#include "base/net.h"
#include "protocol/grpc/credentials.h"
#include "protocol/grpc/inference_service.h"
#include "protocol/grpc/port_check.h"

namespace supernova::protocol::grpc {
namespace {

uint64_t quarter_of_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page_bytes = sysconf(_SC_PAGE_SIZE);
  if (pages <= 0 || page_bytes <= 0) return std::numeric_limits<int64_t>::max() / 4;
  return static_cast<uint64_t>(pages) / 4 * static_cast<uint64_t>(page_bytes);
}

int milliseconds(std::chrono::milliseconds duration) {
  return static_cast<int>(
      std::clamp<int64_t>(duration.count(), 0, std::numeric_limits<int>::max()));
}

void apply(const GrpcKeepalive& keepalive, ::grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, milliseconds(keepalive.time));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, milliseconds(keepalive.timeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS,
                             keepalive.permit_without_calls ? 1 : 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA,
                             keepalive.max_pings_without_data);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             milliseconds(keepalive.min_recv_ping_interval_without_data));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, keepalive.max_ping_strikes);
}

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
    // Liveness: serving for as long as the process takes calls.
    ::grpc::EnableDefaultHealthCheckService(true);
    int port = 0;
    ::grpc::ServerBuilder builder;
    builder.AddListeningPort(
        base::host_and_port(options_.host, options_.port),
        options_.tls ? make_tls_credentials(certificates_) : ::grpc::InsecureServerCredentials(),
        &port);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options_.max_concurrent_streams);
    apply(options_.keepalive, builder);
    // Request memory counts whole messages. Those still arriving are in gRPC's memory, which is
    // bounded too, but only as a last resort: beyond it gRPC resets calls, whichever they are.
    ::grpc::ResourceQuota quota("supernova");
    builder.SetResourceQuota(quota.Resize(2 * memory_limit_));
    // As many as fit the type is no limit, and without one no call passes the filter that checks
    // it.
    constexpr int kMost = std::numeric_limits<int>::max();
    builder.SetMaxReceiveMessageSize(
        options_.max_receive_bytes == kMost ? -1 : options_.max_receive_bytes);
    builder.SetMaxSendMessageSize(-1);
    // Statistics of calls and sockets for a service that isn't offered here.
    builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
    builder.RegisterService(&inference_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) return port_in_use(options_.host, options_.port);
    port_ = static_cast<uint16_t>(port);
    if (auto* health = server_->GetHealthCheckService()) {
      health->SetServingStatus(inference::GRPCInferenceService::service_full_name(), true);
    }
    return {};
  }

  uint16_t port() const override { return port_; }

  void drain(std::chrono::steady_clock::time_point deadline) override {
    if (server_ == nullptr) return;
    streams_.drain();
    server_->Shutdown(std::chrono::system_clock::now() +
                      std::chrono::duration_cast<std::chrono::system_clock::duration>(
                          deadline - std::chrono::steady_clock::now()));
  }

 private:
  const GrpcServerOptions options_;
  const uint64_t memory_limit_;
  const CallHouse house_;
  OpenStreams streams_;
  InferenceService inference_{house_, streams_};
  CertificateSource certificates_;
  std::unique_ptr<::grpc::Server> server_;  // first to go
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
