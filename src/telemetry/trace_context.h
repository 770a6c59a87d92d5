// W3C Trace Context (www.w3.org/TR/trace-context): the `traceparent` header that ties the spans of
// several programs to one trace. Pure but for the random span ids; safe from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace supernova::telemetry {

using TraceId = std::array<uint8_t, 16>;
using SpanId = std::array<uint8_t, 8>;

struct TraceContext {
  TraceId trace_id{};  // never all zero
  SpanId span_id{};    // never all zero; in a header: the sender's span
  uint8_t flags = 0;

  bool sampled() const { return (flags & 1) != 0; }  // the sender records its part
  bool operator==(const TraceContext&) const = default;
};

// Nothing for what isn't valid: to be treated as if there were no header. Versions after 00 are
// read as far as 00 goes.
std::optional<TraceContext> parse_traceparent(std::string_view header);
std::string format_traceparent(const TraceContext& context);

// A new span of the same trace, with its flags.
TraceContext child_of(const TraceContext& parent);
// The first span of a new, sampled trace.
TraceContext new_trace();

}  // namespace supernova::telemetry
