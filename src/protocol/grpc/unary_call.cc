#include "protocol/grpc/unary_call.h"

#include "protocol/grpc/unary_methods.h"

namespace supernova::protocol::grpc {
namespace {

// Deletes itself when the call is over.
class UnaryCall {
 public:
  UnaryCall(Worker& worker, const UnaryMethod& method, ServerCall& call)
      : worker_(worker), method_(method) {
    call_.swap(call);
  }

  void read() { call_.receive(message_, received_); }
  // Any thread.
  void finish(const base::Status& status, Message reply) {
    reply_ = std::move(reply);
    call_.finish(reply_, {status, true, &cancelled_}, GRPC_COMPRESS_LEVEL_NONE, sent_);
  }

 private:
  void received(bool /*ok*/) {
    const base::Status status = guarded([&]() -> base::Status {
      const CallHouse& house = worker_.house();
      service::Caller caller;
      if (method_.api) {
        SN_ASSIGN(caller, admit(house.service, *method_.api, call_));
      }
      return method_.run(house, caller, message_, [this](const base::Status& end, Message reply) {
        finish(end, std::move(reply));
      });
    });
    if (!status.ok()) finish(status, {});
  }

  void sent(bool /*ok*/) {
    Worker& worker = worker_;
    delete this;
    worker.call_ends();
  }

  Worker& worker_;
  const UnaryMethod& method_;
  ServerCall call_;
  Message message_;
  Message reply_;
  int cancelled_ = 0;
  Reports<UnaryCall, &UnaryCall::received> received_{*this};
  Reports<UnaryCall, &UnaryCall::sent> sent_{*this};
};

}  // namespace

void start_unary_call(Worker& worker, std::string_view method, ServerCall& call) {
  static const UnaryMethod nothing;
  const UnaryMethod* const known = find_unary_method(method);
  auto* const unary = new UnaryCall(worker, known == nullptr ? nothing : *known, call);
  if (known != nullptr) return unary->read();
  unary->finish(absl::UnimplementedError(base::str_cat("there is no method ", method)), {});
}

}  // namespace supernova::protocol::grpc
