// What is told about one step of a request to whoever collects traces, and who takes it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"
#include "telemetry/trace_context.h"

namespace supernova::telemetry {

struct Span {
  using Value = std::variant<int64_t, std::string>;

  std::string name;
  TraceContext context;
  SpanId parent_id{};   // all zero = none
  bool server = false;  // the side of a remote caller's request; else a step inside
  std::chrono::system_clock::time_point start;
  std::chrono::nanoseconds duration{};
  std::vector<std::pair<std::string, Value>> attributes;
  std::string error;  // "" = it went well
};

// Called by one thread at a time; may block for its timeout.
class SpanSink {
 public:
  virtual ~SpanSink() = default;
  // An error says why the spans were lost.
  virtual base::Status write(const std::vector<Span>& spans) = 0;
};

}  // namespace supernova::telemetry
