#include "service/trace.h"

#include "base/log.h"

namespace supernova::service {

base::Result<std::unique_ptr<Tracer>> Tracer::create(const TraceConfig& config,
                                                     std::unique_ptr<telemetry::SpanSink> sink) {
  const bool needs_sink = config.settings.mode == "opentelemetry";
  if (needs_sink != (sink != nullptr)) {
    return absl::InvalidArgumentError(
        base::str_cat("trace mode '", config.settings.mode, "' ",
                      needs_sink ? "needs an exporter of spans" : "has no use for an exporter"));
  }
  SN_ASSIGN(TraceSampler sampler, TraceSampler::create(config.settings));
  return std::unique_ptr<Tracer>(new Tracer(std::move(sampler), config, std::move(sink)));
}

Tracer::Tracer(TraceSampler sampler, const TraceConfig& config,
               std::unique_ptr<telemetry::SpanSink> sink)
    : to_sink_(sink != nullptr),
      has_file_(!config.settings.file.empty()),
      sampler_(std::move(sampler)),
      active_(sampler_.active() && (to_sink_ || has_file_)),
      writer_(std::move(sink)) {}

TraceSettings Tracer::settings(std::string_view model) const {
  std::lock_guard lock(mutex_);
  return sampler_.settings(model);
}

base::Result<TraceSettings> Tracer::update(std::string_view model, const TraceUpdate& update) {
  if (update.file) {
    return absl::UnimplementedError(
        "trace file location can not be updated through network protocol");
  }
  std::lock_guard lock(mutex_);
  SN_TRY(sampler_.update(model, update));
  const bool wanted = sampler_.active();
  if (wanted && !to_sink_ && !has_file_) {
    SN_LOG(Warning,
           "tracing was turned on, but nothing is traced: the server was started without "
           "--trace-config triton,file=PATH");
  }
  active_.store(wanted && (to_sink_ || has_file_), std::memory_order_relaxed);
  return sampler_.settings(model);
}

// A caller that records its part is followed whatever rate and count say, one that chose not to is
// respected; that is for spans, which join the caller's. Files are the server's own.
std::optional<TraceChoice> Tracer::choose(std::string_view model,
                                          const std::optional<telemetry::TraceContext>& caller) {
  if (!active_.load(std::memory_order_relaxed)) return std::nullopt;
  const bool joins = to_sink_ && caller.has_value();
  if (joins && !caller->sampled()) return std::nullopt;
  std::lock_guard lock(mutex_);
  return sampler_.choose(model, joins);
}

tensor::Completion Tracer::trace(tensor::Request& request, tensor::Timing::Point arrived,
                                 tensor::Completion done) {
  std::optional<telemetry::TraceContext> caller;
  if (!request.trace_context.empty()) {
    caller = telemetry::parse_traceparent(request.trace_context);
    if (!caller) request.trace_context.clear();
  }
  std::optional<TraceChoice> choice = choose(request.model_name, caller);
  if (!choice) return done;

  TraceRecord record;
  record.id = next_id_.fetch_add(1, std::memory_order_relaxed);
  record.choice = *std::move(choice);
  record.model = request.model_name;
  record.version = request.model_version;
  record.request_id = request.id;
  record.arrived = arrived;
  record.context = caller ? telemetry::child_of(*caller) : telemetry::new_trace();
  if (caller) record.parent_id = caller->span_id;
  if ((record.choice.level & kTraceTensors) != 0 && !to_sink_) record.inputs = request.inputs;
  request.trace_context = telemetry::format_traceparent(record.context);
  return [this, record = std::move(record),
          done = std::move(done)](base::Result<tensor::Response> result) mutable {
    finish(std::move(record), result);
    done(std::move(result));
  };
}

void Tracer::finish(TraceRecord record, const base::Result<tensor::Response>& result) {
  record.answered = tensor::Timing::Point::clock::now();
  if (result.ok()) {
    record.version = result->model_version;
    record.timing = result->timing;
    if ((record.choice.level & kTraceTensors) != 0 && !to_sink_) record.outputs = result->outputs;
  } else {
    record.error = base::message(result.status());
    if (record.error.empty()) record.error = "failed";
  }
  writer_.push(std::move(record));
}

}  // namespace supernova::service
