// What is kept of one traced request, and the two forms in which it leaves: the entries of Triton's
// trace files, and spans. Pure.
#pragma once

#include <string>
#include <vector>

#include "service/trace_settings.h"
#include "telemetry/span.h"
#include "tensor/request.h"

namespace supernova::service {

struct TraceRecord {
  uint64_t id = 0;  // a number of its own in this process
  TraceChoice choice;
  std::string model;
  std::string version;  // "" = the request failed before it was known
  std::string request_id;
  telemetry::TraceContext context;
  telemetry::SpanId parent_id{};  // all zero = none
  tensor::Timing::Point arrived;
  tensor::Timing::Point answered;
  tensor::Timing timing;               // zero where the request failed
  std::string error;                   // "" = it was answered
  std::vector<tensor::Tensor> inputs;  // with the level TENSORS
  std::vector<tensor::Tensor> outputs;
};

// Bytes of tensors that a record keeps in memory.
uint64_t held_bytes(const TraceRecord& record);

// JSON objects, joined by ",\n": one with the timestamps (CLOCK_MONOTONIC, in ns), one for each
// tensor. Values of tensors beyond a megabyte of text are cut off with "...".
std::string trace_json(const TraceRecord& record);

// The request's span and, as its children, the waiting and the computing. `offset` leads from the
// steady clock to the wall clock.
std::vector<telemetry::Span> trace_spans(const TraceRecord& record,
                                         std::chrono::nanoseconds offset);
// The offset now.
std::chrono::nanoseconds wall_clock_offset();

}  // namespace supernova::service
