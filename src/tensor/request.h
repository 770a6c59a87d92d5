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

struct Request {
  std::string model_name;
  std::string model_version;  // "" = the server chooses
  std::string id;             // "" = none
  Parameters parameters;
  std::vector<Tensor> inputs;
  std::vector<std::string> outputs;  // wanted outputs by name; empty = all

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
};

// Receives the one response (or error) of a request, on any thread; called exactly once.
using Completion = absl::AnyInvocable<void(base::Result<Response>)>;

}  // namespace supernova::tensor
