// Makes load and times it: over HTTP (epoll, many connections a thread), over gRPC (completion
// queue, a connection of its own for each request in flight), or by calling a function.
#pragma once

#include <functional>
#include <string>

#include "base/status.h"
#include "load/plan.h"
#include "load/target.h"

namespace supernova::bench {

// `request` is a whole HTTP message. An error only where no connection can be made at the start;
// whatever goes wrong later is counted in the outcome.
base::Result<Outcome> load_http(const Target& target, const std::string& request, const Plan& plan);

// `request` is a serialised ModelInferRequest.
base::Result<Outcome> load_grpc(const Target& target, const std::string& request, const Plan& plan);

// A thread per connection of the plan, each with one call at a time; `once` is called from all.
base::Result<Outcome> load_calls(const std::function<base::Status()>& once, const Plan& plan);

}  // namespace supernova::bench
