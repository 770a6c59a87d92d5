#include "protocol/grpc/stream_call.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>

#include "protocol/grpc/request_codec.h"
#include "protocol/grpc/response_codec.h"

namespace supernova::protocol::grpc {
namespace {

// Answers come from any thread, the rest from the worker's; `mutex_` guards the state, and
// operations are started with it held, which is safe because they end on the worker's thread. It
// holds itself until they have; answers that come later find it through their own hold.
class StreamCall final : public OpenCall, public std::enable_shared_from_this<StreamCall> {
 public:
  StreamCall(Worker& worker, ServerCall& call) : worker_(worker), house_(worker.house()) {
    call_.swap(call);
    errors_end_stream_ = call_.metadata_value("triton_grpc_error") == "true";
  }

  void start() {
    base::Status status = guarded([&]() -> base::Status {
      SN_ASSIGN(caller_, admit(house_.service, service::Api::kInference, call_));
      return {};
    });
    std::lock_guard lock(mutex_);
    self_ = shared_from_this();
    ++parts_;
    call_.watch(cancelled_flag_, gone_);
    if (!status.ok()) return end(status);
    advance();
  }

  void drain() override {
    std::lock_guard lock(mutex_);
    draining_ = true;
    advance();
  }

 private:
  // A request's place in the order of answers.
  struct Slot {
    const std::shared_ptr<tensor::Cancellation> cancellation =
        std::make_shared<tensor::Cancellation>();
    std::string id;
    std::vector<tensor::Buffer> destinations;
    bool answered = false;
    base::Status status;
    Message message;
  };

  void received(bool /*ok*/) {
    std::shared_ptr<Slot> slot;
    {
      std::lock_guard lock(mutex_);
      if (!incoming_) half_closed_ = true;
      if (incoming_ && !ended_) slot = slots_.emplace_back(std::make_shared<Slot>());
    }
    // Outside the lock: the answer may come before this returns. The next is read afterwards, and
    // so requests enter the queue in their order.
    if (slot != nullptr) begin(slot);
    {
      std::lock_guard lock(mutex_);
      reading_ = false;
      advance();
    }
    part_ends();
  }

  void written(bool ok) {
    {
      std::lock_guard lock(mutex_);
      written_slot_.reset();
      if (!ok) cancelled_ = true;
      advance();
    }
    part_ends();
  }

  void gone(bool /*ok*/) {
    {
      std::lock_guard lock(mutex_);
      cancelled_ = true;
      for (const auto& slot : slots_) slot->cancellation->cancel();
      advance();
    }
    part_ends();
  }

  void finished(bool /*ok*/) { part_ends(); }

  void part_ends() {
    std::shared_ptr<StreamCall> last;
    std::unique_lock lock(mutex_);
    if (--parts_ > 0 || !ended_) return;
    last = std::move(self_);
    lock.unlock();
    call_.reset();
    worker_.call_ends();
  }

  void begin(const std::shared_ptr<Slot>& slot) {
    const base::Status status = guarded([&]() -> base::Status {
      const auto message = std::make_shared<ReceivedRequest>(house_.memory, std::move(incoming_));
      auto request = read_request(house_, caller_, call_, message);
      slot->id = request.ok() ? request->id : id_of(message->message);
      SN_TRY(request.status());
      request->cancellation = slot->cancellation;
      request->may_run_here = true;
      slot->destinations = destinations_of(*request);
      house_.service.infer(
          caller_, *std::move(request),
          [self = shared_from_this(), slot](const base::Result<tensor::Response>& result) {
            self->answer(*slot, result);
          });
      return {};
    });
    if (!status.ok()) answer(*slot, status);
  }

  void answer(Slot& slot, const base::Result<tensor::Response>& result) {
    base::Status status = guarded([&]() -> base::Status {
      SN_TRY(result.status());
      SN_ASSIGN(slot.message, encode_response(*result, slot.destinations, ResponseForm::kStream));
      return {};
    });
    if (!status.ok()) slot.message = encode_stream_error(slot.id, status);
    std::lock_guard lock(mutex_);
    slot.status = std::move(status);
    slot.answered = true;
    advance();
  }

  // Does whatever can be done next. With the mutex held, as those below.
  void advance() {
    if (ended_ || written_slot_ != nullptr) return maybe_read();
    if (cancelled_) return end(absl::CancelledError("the client has gone"));
    if (!slots_.empty() && slots_.front()->answered) {
      const std::shared_ptr<Slot> slot = std::move(slots_.front());
      slots_.pop_front();
      if (errors_end_stream_ && !slot->status.ok()) return end(slot->status);
      written_slot_ = slot;
      ++parts_;
      call_.send(slot->message, !std::exchange(begun_, true), compression_of(house_), written_);
    } else if (slots_.empty() && half_closed_) {
      return end({});
    } else if (slots_.empty() && draining_) {
      return end(absl::UnavailableError("the server is shutting down"));
    }
    maybe_read();
  }

  void maybe_read() {
    if (ended_ || cancelled_ || half_closed_ || draining_ || reading_ ||
        slots_.size() >= std::max<size_t>(house_.options.max_stream_requests, 1)) {
      return;
    }
    reading_ = true;
    incoming_.reset();
    ++parts_;
    call_.receive(incoming_, received_);
  }

  void end(const base::Status& status) {
    if (ended_) return;
    ended_ = true;
    for (const auto& slot : slots_) slot->cancellation->cancel();
    slots_.clear();
    ++parts_;
    call_.finish({}, {status, !begun_, nullptr}, GRPC_COMPRESS_LEVEL_NONE, finished_);
  }

  Worker& worker_;
  const CallHouse& house_;
  ServerCall call_;
  bool errors_end_stream_ = false;
  service::Caller caller_;

  std::mutex mutex_;
  std::shared_ptr<StreamCall> self_;
  Message incoming_;                         // of the read and who begins it, while reading_
  std::deque<std::shared_ptr<Slot>> slots_;  // in the order of requests
  std::shared_ptr<Slot> written_slot_;       // whose message gRPC is writing
  int cancelled_flag_ = 0;                   // gRPC's
  int parts_ = 0;                            // operations that are not over
  bool begun_ = false;                       // something has been sent
  bool reading_ = false;
  bool half_closed_ = false;  // the client sends no more
  bool cancelled_ = false;
  bool draining_ = false;
  bool ended_ = false;  // nothing may be started any more
  Reports<StreamCall, &StreamCall::received> received_{*this};
  Reports<StreamCall, &StreamCall::written> written_{*this};
  Reports<StreamCall, &StreamCall::gone> gone_{*this};
  Reports<StreamCall, &StreamCall::finished> finished_{*this};
};

}  // namespace

void start_stream_call(Worker& worker, ServerCall& call) {
  const auto stream = std::make_shared<StreamCall>(worker, call);
  stream->start();
  worker.open_calls().add(stream);
}

}  // namespace supernova::protocol::grpc
