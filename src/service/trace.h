// Traces requests: which ones (the settings of the trace extension), who asked for it (W3C trace
// context), and when they passed the stages of their way. Costs a request that isn't traced next to
// nothing. Thread-safe; outlives all requests it saw.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string_view>

#include "service/trace_writer.h"

namespace supernova::service {

class Tracer {
 public:
  // In mode opentelemetry spans go to `sink`, which must be given then; in mode triton traces go to
  // files.
  static base::Result<std::unique_ptr<Tracer>> create(const TraceConfig& config,
                                                      std::unique_ptr<telemetry::SpanSink> sink);

  // Called for each request at the service's door. When it is chosen, returns `done` with the
  // recording in front and makes the request's trace context that of its own span; a trace context
  // that isn't valid is cleared.
  tensor::Completion trace(tensor::Request& request, tensor::Timing::Point arrived,
                           tensor::Completion done);

  TraceSettings settings(std::string_view model) const;  // "" = the global ones
  // As asked for over the network: the file can't be changed (UNIMPLEMENTED).
  base::Result<TraceSettings> update(std::string_view model, const TraceUpdate& update);

  void flush() { writer_.flush(); }
  uint64_t written() const { return writer_.written(); }
  uint64_t dropped() const { return writer_.dropped(); }

 private:
  Tracer(TraceSampler sampler, const TraceConfig& config,
         std::unique_ptr<telemetry::SpanSink> sink);
  std::optional<TraceChoice> choose(std::string_view model,
                                    const std::optional<telemetry::TraceContext>& caller);
  void finish(TraceRecord record, const base::Result<tensor::Response>& result);

  const bool to_sink_;
  const bool has_file_;
  mutable std::mutex mutex_;  // held for look-ups only
  TraceSampler sampler_;
  std::atomic<bool> active_{false};
  std::atomic<uint64_t> next_id_{1};
  TraceWriter writer_;
};

}  // namespace supernova::service
