// What flows through the server: a request towards an engine, a response back. Plain values, owned
// by one stage at a time and moved along.
#pragma once

#include <absl/functional/any_invocable.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "tensor/tensor.h"

namespace supernova::tensor {

using Parameter = std::variant<bool, int64_t, uint64_t, double, std::string>;
using Parameters = std::map<std::string, Parameter, std::less<>>;

// Set by whoever no longer wants the answer (client gone); read by every stage before it does work.
// Safe from any thread.
class Cancellation {
 public:
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
};

// An output that is wanted, and how.
struct RequestedOutput {
  // NOLINTNEXTLINE(google-explicit-constructor): a name alone is the ordinary case
  RequestedOutput(std::string output) : name(std::move(output)) {}
  RequestedOutput(const char* output) : name(output) {}

  std::string name;
  uint32_t classification = 0;  // > 0: the best N as BYTES "value:index[:label]"
  // Where the client wants it (shared memory), of that size at most; null data() = the server's
  // own memory.
  Buffer destination;
};

// When a request passed the stages of its way; zero where it did not.
struct Timing {
  using Point = std::chrono::steady_clock::time_point;
  Point queued;         // handed to the queue
  Point started;        // taken from it
  Point compute_start;  // the engine has its inputs
  Point compute_end;    // the engine has its outputs
  Point finished;       // the outputs are in the response
  uint32_t batch_size = 1;
};

struct Request {
  std::string model_name;
  std::string model_version;  // "" = the server chooses
  std::string id;             // "" = none
  Parameters parameters;
  std::vector<Tensor> inputs;
  std::vector<RequestedOutput> outputs;  // empty = all

  std::string principal;  // who asks, "" = nobody known
  std::string tenant;
  std::string trace_context;  // W3C traceparent
  std::optional<std::chrono::steady_clock::time_point> deadline;
  std::shared_ptr<Cancellation> cancellation;  // may be null
};

struct Response {
  std::string model_name;
  std::string model_version;
  std::string id;
  Parameters parameters;
  std::vector<Tensor> outputs;  // in the order asked for
  Timing timing;
};

// Receives the one response (or error) of a request, on any thread; called exactly once.
using Completion = absl::AnyInvocable<void(base::Result<Response>)>;

}  // namespace supernova::tensor
