// ModelInfer: one request, one response. The message arrives with the call; where the model is run
// on this thread, everything else is one operation.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "protocol/grpc/worker.h"

namespace supernova::protocol::grpc {

// Waits for a call, serves it, and waits for the next, or deletes itself. On the worker's thread,
// but for the answer.
class InferCall {
 public:
  explicit InferCall(Worker& worker) : worker_(worker) {}
  InferCall(const InferCall&) = delete;
  InferCall& operator=(const InferCall&) = delete;

  void ask();
  // After the service has been asked. Sends an answer that is there already.
  void settle();

 private:
  // Of the answer. Whoever comes second sends it.
  enum class Stage { kAsked, kSettled, kAnswered };

  void arrived(bool ok);
  base::Status infer();
  void answer(base::Result<tensor::Response> result);  // any thread
  void send(bool and_watch);                           // any thread
  void gone(bool ok);
  void sent(bool ok);
  void part_ends();

  Worker& worker_;
  ServerCall call_;
  Message message_;
  std::shared_ptr<tensor::Cancellation> cancellation_;
  std::vector<tensor::Buffer> destinations_;

  std::atomic<Stage> stage_{Stage::kAsked};
  base::Status status_;
  Message reply_;
  int cancelled_ = 0;
  int parts_ = 0;  // operations that are not over

  Reports<InferCall, &InferCall::arrived> arrived_{*this};
  Reports<InferCall, &InferCall::gone> gone_{*this};
  Reports<InferCall, &InferCall::sent> sent_{*this};
};

}  // namespace supernova::protocol::grpc
