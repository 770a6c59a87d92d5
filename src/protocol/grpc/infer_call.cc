#include "protocol/grpc/infer_call.h"

#include "protocol/grpc/grpc_codec.h"

namespace supernova::protocol::grpc {
namespace {

// Deletes itself when gRPC is done with it, which is after Finish, which is when the service has
// completed the request.
class InferCall final : public ::grpc::ServerUnaryReactor {
 public:
  explicit InferCall(inference::ModelInferResponse& response) : response_(response) {}

  void start(const CallHouse& house, ::grpc::CallbackServerContext& context,
             inference::ModelInferRequest& message) {
    const base::Status status = guarded([&]() -> base::Status {
      SN_ASSIGN(const service::Caller caller,
                admit(house.service, service::Api::kInference, context));
      SN_ASSIGN(tensor::Request request, read_request(house, caller, context, message));
      set_compression(house, context);
      request.cancellation = cancellation_;
      request.may_run_here = true;
      destinations_ = destinations_of(request);
      house.service.infer(
          caller, std::move(request),
          [this](base::Result<tensor::Response> result) { finish(std::move(result)); });
      return {};
    });
    if (!status.ok()) Finish(to_grpc(status));
  }

  void OnCancel() override { cancellation_->cancel(); }
  void OnDone() override { delete this; }
  // Both neither wait nor start anything: they run where gRPC is. Otherwise each call wakes another
  // thread for its end.
  bool InternalInlineable() override { return true; }

 private:
  void finish(const base::Result<tensor::Response>& result) {
    Finish(to_grpc(guarded([&] {
      return result.ok() ? encode_response(*result, destinations_, response_) : result.status();
    })));
  }

  inference::ModelInferResponse& response_;
  std::vector<tensor::Buffer> destinations_;
  const std::shared_ptr<tensor::Cancellation> cancellation_ =
      std::make_shared<tensor::Cancellation>();
};

}  // namespace

::grpc::ServerUnaryReactor* start_infer_call(const CallHouse& house,
                                             ::grpc::CallbackServerContext& context,
                                             inference::ModelInferRequest& message,
                                             inference::ModelInferResponse& response) {
  auto* const call = new InferCall(response);
  call->start(house, context, message);
  return call;
}

}  // namespace supernova::protocol::grpc
