// What flows through the server: a request towards an engine, a response back. Plain values, owned
// by one stage at a time and moved along.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "tensor/cancellation.h"
#include "tensor/tensor.h"

namespace supernova::tensor {

using Parameter = std::variant<bool, int64_t, uint64_t, double, std::string>;
using Parameters = std::map<std::string, Parameter, std::less<>>;

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
  // Items (of the first dimension, where the model has a batch dimension) of the run that answered
  // it, how many of them were this request's, and whether it is the one request of that run that
  // counts it.
  uint32_t batch_size = 1;
  uint32_t items = 1;
  bool first_of_batch = true;
  // Of the response cache. A hit has no run: batch_size is 0 and the points above are one.
  enum class Cache { kUnused, kHit, kMiss };
  Cache cache = Cache::kUnused;
  std::chrono::nanoseconds cache_time{0};  // looking, and keeping the answer of a miss
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
  // The thread that hands the request on may run it, and call the completion, within that call,
  // where the model is idle and costs little.
  bool may_run_here = false;
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
