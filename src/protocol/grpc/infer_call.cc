#include "protocol/grpc/infer_call.h"

#include "protocol/grpc/request_codec.h"
#include "protocol/grpc/response_codec.h"

namespace supernova::protocol::grpc {

void InferCall::ask() {
  SN_CHECK(grpc_server_request_registered_call(
               worker_.door().server, worker_.door().infer_method, call_.place(),
               call_.deadline_place(), call_.metadata_place(), message_.place(), worker_.queue(),
               worker_.queue(), &arrived_) == GRPC_CALL_OK);
}

void InferCall::arrived(bool ok) {
  if (!ok) {  // the server ends
    delete this;
    return;
  }
  worker_.infer_call_arrived();
  const base::Status status = guarded([&] { return infer(); });
  if (!status.ok()) answer(status);
  worker_.settle_later(*this);
}

base::Status InferCall::infer() {
  const CallHouse& house = worker_.house();
  SN_ASSIGN(const service::Caller caller, admit(house.service, service::Api::kInference, call_));
  const auto received = std::make_shared<ReceivedRequest>(house.memory, std::move(message_));
  SN_ASSIGN(tensor::Request request, read_request(house, caller, call_, received));
  cancellation_ = std::make_shared<tensor::Cancellation>();
  request.cancellation = cancellation_;
  request.may_run_here = true;
  destinations_ = destinations_of(request);
  house.service.infer(caller, std::move(request),
                      [this](base::Result<tensor::Response> result) { answer(std::move(result)); });
  return {};
}

void InferCall::answer(base::Result<tensor::Response> result) {
  status_ = guarded([&]() -> base::Status {
    SN_TRY(result.status());
    SN_ASSIGN(reply_, encode_response(*result, destinations_));
    return {};
  });
  if (stage_.exchange(Stage::kAnswered, std::memory_order_acq_rel) == Stage::kSettled) send(false);
}

void InferCall::settle() {
  if (stage_.exchange(Stage::kSettled, std::memory_order_acq_rel) == Stage::kAnswered) {
    parts_ = 1;
    return send(true);
  }
  // It takes a while: it counts now whether somebody still wants the answer.
  parts_ = 2;
  call_.watch(cancelled_, gone_);
}

void InferCall::send(bool and_watch) {
  call_.finish(reply_, {status_, true, and_watch ? &cancelled_ : nullptr},
               compression_of(worker_.house()), sent_);
}

void InferCall::gone(bool /*ok*/) {
  if (cancelled_ != 0 && cancellation_ != nullptr) cancellation_->cancel();
  part_ends();
}

void InferCall::sent(bool /*ok*/) { part_ends(); }

void InferCall::part_ends() {
  if (--parts_ > 0) return;
  Worker& worker = worker_;
  if (worker.infer_call_may_wait()) {
    call_.reset();
    message_.reset();
    cancellation_.reset();
    destinations_.clear();
    stage_.store(Stage::kAsked, std::memory_order_relaxed);
    status_ = {};
    reply_.reset();
    ask();
  } else {
    delete this;
  }
  worker.call_ends();
}

}  // namespace supernova::protocol::grpc
