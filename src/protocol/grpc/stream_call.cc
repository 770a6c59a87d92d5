#include "protocol/grpc/stream_call.h"

#include <algorithm>
#include <deque>

#include "protocol/grpc/grpc_codec.h"

namespace supernova::protocol::grpc {

using inference::ModelInferRequest;
using inference::ModelStreamInferResponse;

// Reads, writes and answers come from different threads; `mutex_` guards the state, and gRPC's
// functions are called with it held, which is safe because reactions never run inside them. It
// holds itself until gRPC is done; answers that come later find it through their own hold.
class StreamCall final : public StreamReactor, public std::enable_shared_from_this<StreamCall> {
 public:
  StreamCall(const CallHouse& house, ::grpc::CallbackServerContext& context)
      : house_(house),
        context_(context),
        errors_end_stream_(metadata_value(context, "triton_grpc_error") == "true") {}

  void start() {
    self_ = shared_from_this();
    auto caller = admit(house_.service, service::Api::kInference, context_);
    std::lock_guard lock(mutex_);
    if (!caller.ok()) return end(to_grpc(caller.status()));
    caller_ = *std::move(caller);
    set_compression(house_, context_);
    advance();
  }

  void drain() {
    const auto keep = shared_from_this();
    std::lock_guard lock(mutex_);
    draining_ = true;
    advance();
  }

  void OnReadDone(bool ok) override {
    const auto keep = shared_from_this();
    std::shared_ptr<Slot> slot;
    {
      std::lock_guard lock(mutex_);
      if (!ok) half_closed_ = true;
      if (ok && !ended_) slot = slots_.emplace_back(std::make_shared<Slot>());
    }
    // Outside the lock: the answer may come before this returns. `incoming_` stays this function's
    // until reading_ is off, and so requests enter the queue in their order.
    if (slot != nullptr) begin(slot);
    std::lock_guard lock(mutex_);
    reading_ = false;
    advance();
  }

  void OnWriteDone(bool ok) override {
    const auto keep = shared_from_this();
    std::lock_guard lock(mutex_);
    written_.reset();
    if (!ok) cancelled_ = true;
    advance();
  }

  void OnCancel() override {
    const auto keep = shared_from_this();
    std::lock_guard lock(mutex_);
    cancelled_ = true;
    for (const auto& slot : slots_) slot->cancellation->cancel();
    advance();
  }

  void OnDone() override { const auto last = std::move(self_); }

 private:
  // A request's place in the order of answers.
  struct Slot {
    const std::shared_ptr<tensor::Cancellation> cancellation =
        std::make_shared<tensor::Cancellation>();
    std::string id;
    std::vector<tensor::Buffer> destinations;
    bool answered = false;
    base::Status status;
    ModelStreamInferResponse message;
  };

  void begin(const std::shared_ptr<Slot>& slot) {
    const base::Status status = guarded([&]() -> base::Status {
      slot->id = incoming_.id();
      SN_ASSIGN(tensor::Request request, read_request(house_, caller_, context_, incoming_));
      request.cancellation = slot->cancellation;
      slot->destinations = destinations_of(request);
      house_.service.infer(
          caller_, std::move(request),
          [self = shared_from_this(), slot](const base::Result<tensor::Response>& result) {
            self->answer(*slot, result);
          });
      return {};
    });
    if (!status.ok()) answer(*slot, status);
  }

  void answer(Slot& slot, const base::Result<tensor::Response>& result) {
    auto& response = *slot.message.mutable_infer_response();
    base::Status status = guarded([&] {
      return result.ok() ? encode_response(*result, slot.destinations, response) : result.status();
    });
    if (!status.ok()) {
      response.Clear();
      response.set_id(slot.id);
      slot.message.set_error_message(std::string(base::message(status)));
    }
    // A request has one response, so each is the last of its request.
    (*response.mutable_parameters())["triton_final_response"].set_bool_param(true);
    std::lock_guard lock(mutex_);
    slot.status = std::move(status);
    slot.answered = true;
    advance();
  }

  // Does whatever can be done next. With the mutex held.
  void advance() {
    if (ended_ || written_ != nullptr) return maybe_read();
    if (cancelled_) return end({::grpc::StatusCode::CANCELLED, "the client has gone"});
    if (!slots_.empty() && slots_.front()->answered) {
      const std::shared_ptr<Slot> slot = std::move(slots_.front());
      slots_.pop_front();
      if (errors_end_stream_ && !slot->status.ok()) return end(to_grpc(slot->status));
      written_ = slot;
      StartWrite(&written_->message);
    } else if (slots_.empty() && half_closed_) {
      return end(::grpc::Status::OK);
    } else if (slots_.empty() && draining_) {
      return end({::grpc::StatusCode::UNAVAILABLE, "the server is shutting down"});
    }
    maybe_read();
  }

  void maybe_read() {
    if (ended_ || cancelled_ || half_closed_ || draining_ || reading_ ||
        slots_.size() >= std::max<size_t>(house_.options.max_stream_requests, 1)) {
      return;
    }
    reading_ = true;
    incoming_.Clear();
    StartRead(&incoming_);
  }

  void end(const ::grpc::Status& status) {
    if (ended_) return;
    ended_ = true;
    for (const auto& slot : slots_) slot->cancellation->cancel();
    slots_.clear();
    Finish(status);
  }

  const CallHouse& house_;
  ::grpc::CallbackServerContext& context_;
  const bool errors_end_stream_;
  service::Caller caller_;
  std::shared_ptr<StreamCall> self_;

  std::mutex mutex_;
  ModelInferRequest incoming_;               // of the read and who begins it, while reading_
  std::deque<std::shared_ptr<Slot>> slots_;  // in the order of requests
  std::shared_ptr<Slot> written_;            // whose message gRPC is writing
  bool reading_ = false;
  bool half_closed_ = false;  // the client sends no more
  bool cancelled_ = false;
  bool draining_ = false;
  bool ended_ = false;  // Finish has been called: nothing may be started any more
};

StreamReactor* OpenStreams::start(const CallHouse& house, ::grpc::CallbackServerContext& context) {
  const auto stream = std::make_shared<StreamCall>(house, context);
  bool draining = false;
  {
    std::lock_guard lock(mutex_);
    std::erase_if(streams_, [](const auto& known) { return known.expired(); });
    streams_.push_back(stream);
    draining = draining_;
  }
  stream->start();
  if (draining) stream->drain();
  return stream.get();
}

void OpenStreams::drain() {
  std::vector<std::weak_ptr<StreamCall>> streams;
  {
    std::lock_guard lock(mutex_);
    draining_ = true;
    streams.swap(streams_);
  }
  for (const auto& known : streams) {
    if (const auto stream = known.lock()) stream->drain();
  }
}

}  // namespace supernova::protocol::grpc
