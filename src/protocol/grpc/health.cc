#include "protocol/grpc/health.h"

#include <google/protobuf/wrappers.pb.h>

#include <mutex>
#include <string>

#include "base/status.h"

namespace supernova::protocol::grpc {
namespace {

enum class Health : char { kServing = 1, kNotServing = 2, kServiceUnknown = 3 };

// HealthCheckResponse{status}.
Message health_message(Health health) {
  const char bytes[] = {'\x08', static_cast<char>(health)};
  return Message::copy_of({bytes, sizeof(bytes)});
}

base::Result<Health> health_of(const Message& message) {
  // HealthCheckRequest{service} has a string as its field 1, as this has.
  google::protobuf::StringValue service;
  if (!parse(message, service).ok()) {
    return absl::InvalidArgumentError("the call's message is no grpc.health.v1.HealthCheckRequest");
  }
  const bool known = service.value().empty() || service.value() == "inference.GRPCInferenceService";
  return known ? Health::kServing : Health::kServiceUnknown;
}

// Holds itself until its operations are over.
class WatchCall final : public OpenCall, public std::enable_shared_from_this<WatchCall> {
 public:
  WatchCall(Worker& worker, ServerCall& call) : worker_(worker) { call_.swap(call); }

  void start() {
    std::lock_guard lock(mutex_);
    self_ = shared_from_this();
    parts_ = 2;
    call_.watch(cancelled_, gone_);
    call_.receive(message_, received_);
  }

  void drain() override {
    std::lock_guard lock(mutex_);
    draining_ = true;
    advance();
  }

 private:
  void received(bool /*ok*/) {
    {
      std::lock_guard lock(mutex_);
      const base::Result<Health> health = health_of(message_);
      if (ended_) {
        // Nobody is told any more.
      } else if (!health.ok()) {
        end(health.status());
      } else if (draining_) {
        advance();
      } else {
        say(*health);
      }
    }
    part_ends();
  }
  void written(bool ok) {
    {
      std::lock_guard lock(mutex_);
      writing_ = false;
      if (!ok) has_gone_ = true;
      advance();
    }
    part_ends();
  }
  void gone(bool /*ok*/) {
    {
      std::lock_guard lock(mutex_);
      has_gone_ = true;
      advance();
    }
    part_ends();
  }
  void finished(bool /*ok*/) { part_ends(); }

  // With the mutex held, as those below.
  void advance() {
    if (ended_ || writing_) return;
    if (has_gone_) return end(absl::CancelledError("the client has gone"));
    if (!draining_) return;
    if (!begun_ || said_last_) return end(absl::UnavailableError("the server is shutting down"));
    said_last_ = true;
    say(Health::kNotServing);
  }
  void say(Health health) {
    reply_ = health_message(health);
    writing_ = true;
    ++parts_;
    call_.send(reply_, !std::exchange(begun_, true), GRPC_COMPRESS_LEVEL_NONE, written_);
  }
  void end(const base::Status& status) {
    ended_ = true;
    ++parts_;
    call_.finish({}, {status, !begun_, nullptr}, GRPC_COMPRESS_LEVEL_NONE, finished_);
  }
  void part_ends() {
    std::shared_ptr<WatchCall> last;
    std::unique_lock lock(mutex_);
    if (--parts_ > 0 || !ended_) return;
    last = std::move(self_);
    lock.unlock();
    call_.reset();
    worker_.call_ends();
  }

  Worker& worker_;
  ServerCall call_;
  std::mutex mutex_;
  std::shared_ptr<WatchCall> self_;
  Message message_;
  Message reply_;
  int cancelled_ = 0;
  int parts_ = 0;  // operations that are not over
  bool begun_ = false;
  bool writing_ = false;
  bool has_gone_ = false;
  bool draining_ = false;
  bool said_last_ = false;
  bool ended_ = false;
  Reports<WatchCall, &WatchCall::received> received_{*this};
  Reports<WatchCall, &WatchCall::written> written_{*this};
  Reports<WatchCall, &WatchCall::gone> gone_{*this};
  Reports<WatchCall, &WatchCall::finished> finished_{*this};
};

}  // namespace

base::Status check_health(const CallHouse& /*house*/, const service::Caller& /*caller*/,
                          Message& message, MethodDone done) {
  SN_ASSIGN(const Health health, health_of(message));
  if (health == Health::kServiceUnknown) return absl::NotFoundError("service name unknown");
  done({}, health_message(health));
  return {};
}

void start_watch_call(Worker& worker, ServerCall& call) {
  const auto watch = std::make_shared<WatchCall>(worker, call);
  watch->start();
  worker.open_calls().add(watch);
}

}  // namespace supernova::protocol::grpc
