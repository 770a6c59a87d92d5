#include "protocol/metrics/metrics_handler.h"

#include <map>

#include "model_config.pb.h"
#include "protocol/metrics/model_metrics.h"

namespace supernova::protocol::metrics {
namespace {

using model::VersionState;

std::string_view path_of(const http::HttpRequest& request) {
  return std::string_view(request.target()).substr(0, request.target().find('?'));
}

std::string_view value_or_empty(const std::string* value) {
  return value == nullptr ? std::string_view() : std::string_view(*value);
}

base::Status admit(const service::Service& service, const http::HttpRequest& request) {
  service::Credentials credentials;
  credentials.authorization = value_or_empty(request.header("authorization"));
  credentials.api_key = value_or_empty(request.header("x-api-key"));
  credentials.header = [&](std::string_view name) { return request.header(name); };
  SN_ASSIGN(const service::Caller caller,
            service.admit(service::Transport::kHttp, service::Api::kMetrics, credentials));
  return service::check_right(caller, service::Api::kMetrics, "");
}

// A version whose configuration and queue may be looked at.
bool is_open(VersionState state) {
  return state == VersionState::kReady || state == VersionState::kDraining;
}

ModelSample sample_of(const model::VersionHandle& version) {
  const VersionState state = version->state();
  ModelSample sample;
  std::map<std::string, std::string> tags;
  if (is_open(state)) {
    const inference::ModelConfig& config = *version->config().proto;
    tags.insert(config.metric_tags().begin(), config.metric_tags().end());
    sample.cached = config.response_cache().enable();
    sample.queued = version->scheduler().queued();
    sample.placement = version->placement();
    sample.instances = version->scheduler().instances();
    sample.moved = version->scheduler().figures().moved;
  }
  sample.labels = model_labels(version->name(), version->version(), tags);
  sample.ready = state == VersionState::kReady && version->health().ok();
  return sample;
}

void write_traces(const service::Tracer& tracer, Exposition& out) {
  out.family("supernova_traces_written_total", MetricType::kCounter, "Traces that were written");
  out.sample({}, tracer.written());
  out.family("supernova_traces_dropped_total", MetricType::kCounter,
             "Traces that were lost: too many at once, or their file or collector failed");
  out.sample({}, tracer.dropped());
}

void write_process(const base::ProcessUsage& usage, Exposition& out) {
  constexpr auto kGauge = MetricType::kGauge;
  out.family("process_resident_memory_bytes", kGauge, "Memory of this process in RAM");
  out.sample({}, usage.resident_bytes);
  out.family("process_virtual_memory_bytes", kGauge, "Address space of this process");
  out.sample({}, usage.virtual_bytes);
  out.family("process_cpu_seconds_total", MetricType::kCounter, "Processor time of this process");
  out.sample({}, usage.cpu_seconds);
  out.family("process_start_time_seconds", kGauge, "When this process started, since the epoch");
  out.sample({}, usage.start_time_seconds);
  out.family("process_threads", kGauge, "Threads of this process");
  out.sample({}, usage.threads);
  out.family("process_open_fds", kGauge, "Open file descriptors");
  out.sample({}, usage.open_descriptors);
  out.family("process_max_fds", kGauge, "The most file descriptors that may be open");
  out.sample({}, usage.max_descriptors);
}

}  // namespace

void MetricsHandler::handle(http::HttpRequest request, http::Responder respond) {
  if (request.method() != "GET" && request.method() != "HEAD") {
    http::HttpResponse response = http::error_response(405, "Method Not Allowed");
    response.headers.emplace_back("Allow", "GET, HEAD");
    return respond(std::move(response));
  }
  http::HttpResponse response;
  const std::string_view path = path_of(request);
  if (path == "/metrics" || path == "/metrics/") {
    if (const base::Status status = admit(service_, request); !status.ok()) {
      const bool unknown = status.code() == absl::StatusCode::kUnauthenticated;
      response = http::error_response(unknown ? 401 : 403, base::message(status));
      if (unknown) response.headers.emplace_back("WWW-Authenticate", "Bearer");
      return respond(std::move(response));
    }
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = render();
  }
  respond(std::move(response));
}

std::string MetricsHandler::render() {
  std::lock_guard lock(mutex_);
  Exposition out;
  const auto metadata = service_.metadata({});
  out.family("supernova_build_info", MetricType::kGauge, "1; the label is the server's version");
  out.sample({{"version", metadata.ok() ? metadata->version : ""}}, uint64_t{1});
  out.family("supernova_ready", MetricType::kGauge, "1 when the server takes requests");
  out.sample({}, uint64_t{service_.ready()});
  write_models(out);
  if (service_.tracer() != nullptr) write_traces(*service_.tracer(), out);
  for (Collector& collect : collectors_) collect(out);
  write_process(base::process_usage(), out);
  write_machine(out);
  return out.take();
}

void MetricsHandler::write_models(Exposition& out) {
  const auto now = LatencyWindow::Point::clock::now();
  std::map<VersionState, uint64_t> states;
  // While a version is reloaded there are two of the same name and number, which share their
  // statistics: they make one sample, with the labels of the ready one.
  std::map<std::pair<std::string, int64_t>, ModelSample> samples;
  for (const model::VersionHandle& version : service_.versions()) {
    ++states[version->state()];
    ModelSample sample = sample_of(version);
    const auto [at, is_new] =
        samples.try_emplace({version->name(), version->version()}, ModelSample{});
    ModelSample& known = at->second;
    const uint64_t queued = known.queued + sample.queued;
    const bool cached = known.cached || sample.cached;
    if (is_new || sample.ready) {
      known = std::move(sample);
      known.statistics = version->statistics().snapshot();
      known.latencies = version->statistics().latencies();
    }
    known.queued = queued;
    known.cached = cached;
  }
  std::vector<ModelSample> models;
  for (auto& [key, sample] : samples) {
    sample.recent =
        window_.recent(base::str_cat(key.first, "/", key.second), sample.latencies, now);
    models.push_back(std::move(sample));
  }
  window_.forget_before(now);
  write_model_metrics(models, out);
  write_model_states(states, out);
}

void MetricsHandler::write_machine(Exposition& out) {
  const base::MachineUsage usage = base::machine_usage();
  const uint64_t ticks = usage.cpu_total_ticks - previous_.cpu_total_ticks;
  // Two scrapes in the same tick: the share of before still holds.
  if (usage.cpu_total_ticks > previous_.cpu_total_ticks) {
    cpu_share_ = static_cast<double>(usage.cpu_busy_ticks - previous_.cpu_busy_ticks) /
                 static_cast<double>(ticks);
    previous_ = usage;
  }
  out.family("nv_cpu_utilization", MetricType::kGauge,
             "Share of the machine's processors in use since the scrape before, 0.0 to 1.0");
  out.sample({}, cpu_share_);
  out.family("nv_cpu_memory_total_bytes", MetricType::kGauge, "The machine's memory");
  out.sample({}, usage.memory_total_bytes);
  out.family("nv_cpu_memory_used_bytes", MetricType::kGauge, "The machine's memory in use");
  out.sample({}, usage.memory_total_bytes - usage.memory_available_bytes);
}

}  // namespace supernova::protocol::metrics
