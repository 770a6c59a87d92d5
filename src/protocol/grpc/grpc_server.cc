#include "protocol/grpc/grpc_server.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <inference.grpc.pb.h>

#include <exception>
#include <limits>

#include "protocol/grpc/grpc_codec.h"
#include "protocol/grpc/port_check.h"

namespace supernova::protocol::grpc {
namespace {

using ::grpc::CallbackServerContext;
using ::grpc::ServerUnaryReactor;

// The codes are the same on both sides. Messages travel in the trailers, percent-encoded, where
// clients take 8 KiB at most.
::grpc::Status to_grpc(const base::Status& status) {
  constexpr size_t kMaxMessage = 2000;
  if (status.ok()) return ::grpc::Status::OK;
  std::string message(base::message(status));
  if (message.size() > kMaxMessage) message = message.substr(0, kMaxMessage) + " ...";
  return {static_cast<::grpc::StatusCode>(status.code()), message};
}

// Runs `body`, turning what libraries throw (out of memory, mostly) into a status.
template <typename Body>
base::Status guarded(Body body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

std::optional<std::chrono::steady_clock::time_point> deadline_of(
    const CallbackServerContext& context) {
  const auto left = context.deadline() - std::chrono::system_clock::now();
  if (left > std::chrono::hours(24 * 365)) return std::nullopt;  // none given: far in the future
  return std::chrono::steady_clock::now() + left;
}

// One ModelInfer call. Deletes itself when gRPC is done with it, which is after Finish, which is
// when the service has completed the request.
class InferCall final : public ServerUnaryReactor {
 public:
  InferCall(CallbackServerContext& context, inference::ModelInferResponse& response)
      : context_(context), response_(response) {}

  void start(service::Service& service, inference::ModelInferRequest& message) {
    // Taken over, not copied: the request's tensors may be held longer than gRPC keeps the message.
    auto owned = std::make_shared<inference::ModelInferRequest>();
    owned->Swap(&message);
    auto request = decode_request(std::move(owned));
    if (!request.ok()) return Finish(to_grpc(request.status()));
    request->deadline = deadline_of(context_);
    request->cancellation = cancellation_;
    service.infer({}, *std::move(request), [this](base::Result<tensor::Response> result) {
      Finish(to_grpc(guarded(
          [&] { return result.ok() ? encode_response(*result, response_) : result.status(); })));
    });
  }

  void OnCancel() override { cancellation_->cancel(); }
  void OnDone() override { delete this; }

 private:
  CallbackServerContext& context_;
  inference::ModelInferResponse& response_;
  const std::shared_ptr<tensor::Cancellation> cancellation_ =
      std::make_shared<tensor::Cancellation>();
};

class InferenceService final : public inference::GRPCInferenceService::CallbackService {
 public:
  explicit InferenceService(service::Service& service) : service_(service) {}

  ServerUnaryReactor* ServerLive(CallbackServerContext* context,
                                 const inference::ServerLiveRequest*,
                                 inference::ServerLiveResponse* response) override {
    response->set_live(service_.live());
    return finish(context, {});
  }

  ServerUnaryReactor* ServerReady(CallbackServerContext* context,
                                  const inference::ServerReadyRequest*,
                                  inference::ServerReadyResponse* response) override {
    response->set_ready(service_.ready());
    return finish(context, {});
  }

  ServerUnaryReactor* ModelReady(CallbackServerContext* context,
                                 const inference::ModelReadyRequest* request,
                                 inference::ModelReadyResponse* response) override {
    const base::Status status = service_.model_ready({}, request->name(), request->version());
    response->set_ready(status.ok());
    // A model that exists and isn't ready is an answer; a model that doesn't exist is an error.
    return finish(context, absl::IsUnavailable(status) ? base::Status() : status);
  }

  ServerUnaryReactor* ServerMetadata(CallbackServerContext* context,
                                     const inference::ServerMetadataRequest*,
                                     inference::ServerMetadataResponse* response) override {
    const auto metadata = service_.metadata({});
    if (metadata.ok()) fill(*metadata, *response);
    return finish(context, metadata.status());
  }

  ServerUnaryReactor* ModelMetadata(CallbackServerContext* context,
                                    const inference::ModelMetadataRequest* request,
                                    inference::ModelMetadataResponse* response) override {
    const auto metadata = service_.model_metadata({}, request->name(), request->version());
    if (metadata.ok()) fill(*metadata, *response);
    return finish(context, metadata.status());
  }

  ServerUnaryReactor* ModelConfig(CallbackServerContext* context,
                                  const inference::ModelConfigRequest* request,
                                  inference::ModelConfigResponse* response) override {
    const auto config = service_.model_config({}, request->name(), request->version());
    if (config.ok()) *response->mutable_config() = *config->proto;
    return finish(context, config.status());
  }

  ServerUnaryReactor* ModelInfer(CallbackServerContext* context,
                                 const inference::ModelInferRequest* request,
                                 inference::ModelInferResponse* response) override {
    auto* const call = new InferCall(*context, *response);
    // gRPC made the message for this call and doesn't look at it again; it is const in the
    // signature for the sake of handlers that only read.
    call->start(service_, const_cast<inference::ModelInferRequest&>(*request));
    return call;
  }

 private:
  static ServerUnaryReactor* finish(CallbackServerContext* context, const base::Status& status) {
    ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(to_grpc(status));
    return reactor;
  }

  service::Service& service_;
};

class Server final : public GrpcServer {
 public:
  explicit Server(service::Service& service) : inference_(service) {}
  ~Server() override { drain(std::chrono::steady_clock::now()); }

  base::Status start(const GrpcServerOptions& options) {
    SN_TRY(check_port(options.host, options.port));
    // Liveness: serving for as long as the process takes calls.
    ::grpc::EnableDefaultHealthCheckService(true);
    int port = 0;
    ::grpc::ServerBuilder builder;
    builder.AddListeningPort(address(options.host, options.port),
                             ::grpc::InsecureServerCredentials(), &port);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.SetMaxReceiveMessageSize(std::numeric_limits<int>::max());
    builder.SetMaxSendMessageSize(std::numeric_limits<int>::max());
    builder.RegisterService(&inference_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) return port_in_use(options.host, options.port);
    port_ = static_cast<uint16_t>(port);
    if (auto* health = server_->GetHealthCheckService()) {
      health->SetServingStatus(inference::GRPCInferenceService::service_full_name(), true);
    }
    return {};
  }

  uint16_t port() const override { return port_; }

  void drain(std::chrono::steady_clock::time_point deadline) override {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now() +
                      std::chrono::duration_cast<std::chrono::system_clock::duration>(
                          deadline - std::chrono::steady_clock::now()));
  }

 private:
  InferenceService inference_;
  std::unique_ptr<::grpc::Server> server_;
  uint16_t port_ = 0;
};

}  // namespace

base::Result<std::unique_ptr<GrpcServer>> GrpcServer::start(const GrpcServerOptions& options,
                                                            service::Service& service) {
  auto server = std::make_unique<Server>(service);
  SN_TRY(guarded([&] { return server->start(options); }));
  return std::unique_ptr<GrpcServer>(std::move(server));
}

}  // namespace supernova::protocol::grpc
