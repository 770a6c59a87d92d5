// Spans over OTLP/HTTP, by opentelemetry-cpp's exporter. Spans come with their identity, so they
// are handed to it directly; the library's own tracer would invent span ids.
#include <opentelemetry/exporters/otlp/otlp_http_exporter.h>
#include <opentelemetry/exporters/otlp/otlp_http_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_http_exporter_options.h>
#include <opentelemetry/sdk/common/global_log_handler.h>
#include <opentelemetry/sdk/instrumentationscope/instrumentation_scope.h>
#include <opentelemetry/sdk/resource/resource.h>
#include <opentelemetry/sdk/trace/exporter.h>
#include <opentelemetry/sdk/trace/recordable.h>

#include <mutex>

#include "base/text.h"
#include "telemetry/exporters.h"

namespace supernova::telemetry::otlp {
namespace {

namespace api = opentelemetry::trace;
namespace sdk = opentelemetry::sdk;
using opentelemetry::nostd::string_view;

string_view view(const std::string& text) { return {text.data(), text.size()}; }

// Debian's exporter delivers in the background and reports failures only to the library's log, of
// which there is one in the process: it is kept here instead of going to stderr.
class FailureLog : public sdk::common::internal_log::LogHandler {
 public:
  void Handle(sdk::common::internal_log::LogLevel level, const char*, int, const char* message,
              const sdk::common::AttributeMap&) noexcept override {
    if (level != sdk::common::internal_log::LogLevel::Error || message == nullptr) return;
    std::lock_guard lock(mutex_);
    // A failure is told in several lines; the first has the cause.
    if (first_.empty()) first_ = message;
  }
  // The first failure since it was taken last, "" = none.
  std::string take() {
    std::lock_guard lock(mutex_);
    return std::exchange(first_, {});
  }

 private:
  std::mutex mutex_;
  std::string first_;
};

FailureLog& failure_log() {
  static FailureLog* const log = [] {
    auto* const made = new FailureLog;  // the library owns it
    sdk::common::internal_log::GlobalLogHandler::SetLogHandler(
        opentelemetry::nostd::shared_ptr<sdk::common::internal_log::LogHandler>(made));
    return made;
  }();
  return *log;
}

class Exporter : public SpanWriter {
 public:
  Exporter(std::string url, std::unique_ptr<sdk::trace::SpanExporter> exporter,
           sdk::resource::Resource resource, const ExporterOptions& options)
      : url_(std::move(url)),
        timeout_(options.timeout),
        exporter_(std::move(exporter)),
        resource_(std::move(resource)),
        scope_(sdk::instrumentationscope::InstrumentationScope::Create("supernova",
                                                                       options.service_version)) {}
  ~Exporter() override { exporter_->Shutdown(std::chrono::seconds(1)); }

  std::string write(const std::vector<Span>& spans) override {
    std::vector<std::unique_ptr<sdk::trace::Recordable>> batch;
    batch.reserve(spans.size());
    for (const Span& span : spans) {
      batch.push_back(exporter_->MakeRecordable());
      fill(span, *batch.back());
    }
    failure_log().take();
    const auto result = exporter_->Export({batch.data(), batch.size()});
    const bool in_time = exporter_->ForceFlush(timeout_);
    const std::string failure = failure_log().take();
    if (result == sdk::common::ExportResult::kSuccess && in_time && failure.empty()) return {};
    return base::str_cat("the collector of traces at ", url_, " did not take ", spans.size(),
                         " spans: ", in_time ? failure : "no answer in time");
  }

 private:
  void fill(const Span& span, sdk::trace::Recordable& to) const {
    const api::TraceId trace_id(span.context.trace_id);
    const api::TraceFlags flags(span.context.flags);
    to.SetIdentity({trace_id, api::SpanId(span.context.span_id), flags, false},
                   api::SpanId(span.parent_id));
    to.SetName(view(span.name));
    to.SetSpanKind(span.server ? api::SpanKind::kServer : api::SpanKind::kInternal);
    to.SetResource(resource_);
    to.SetInstrumentationScope(*scope_);
    to.SetStartTime(opentelemetry::common::SystemTimestamp(span.start));
    to.SetDuration(span.duration);
    for (const auto& [key, value] : span.attributes) {
      if (const auto* number = std::get_if<int64_t>(&value)) {
        to.SetAttribute(view(key), *number);
      } else {
        to.SetAttribute(view(key), view(std::get<std::string>(value)));
      }
    }
    if (!span.error.empty()) to.SetStatus(api::StatusCode::kError, view(span.error));
  }

  const std::string url_;
  const std::chrono::milliseconds timeout_;
  std::unique_ptr<sdk::trace::SpanExporter> exporter_;
  sdk::resource::Resource resource_;
  std::unique_ptr<sdk::instrumentationscope::InstrumentationScope> scope_;
};

std::unique_ptr<Exporter> make(const ExporterOptions& options) {
  failure_log();
  // The library reads the rest (headers, certificates) from the OTEL_EXPORTER_OTLP_* variables.
  opentelemetry::exporter::otlp::OtlpHttpExporterOptions http;
  if (!options.url.empty()) {
    const bool has_scheme = options.url.find("://") != std::string::npos;
    http.url = has_scheme ? options.url : "http://" + options.url;
  }
  http.content_type = opentelemetry::exporter::otlp::HttpRequestContentType::kBinary;
  http.timeout = options.timeout;
  sdk::resource::ResourceAttributes attributes;
  attributes["service.name"] = std::string("supernova");
  attributes["service.version"] = options.service_version;
  for (const auto& [key, value] : options.resource) attributes[key] = value;
  auto exporter = opentelemetry::exporter::otlp::OtlpHttpExporterFactory::Create(http);
  return std::make_unique<Exporter>(http.url, std::move(exporter),
                                    sdk::resource::Resource::Create(attributes), options);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) SpanWriter* supernova_make_exporter(
    const ExporterOptions& options, std::string& error) {
  try {
    return make(options).release();
  } catch (const std::exception& failure) {
    error = base::str_cat("the exporter of traces: ", failure.what());
  }
  return nullptr;
}

}  // namespace supernova::telemetry::otlp
