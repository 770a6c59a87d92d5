#include "protocol/metrics/model_metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "base/text.h"

namespace supernova::protocol::metrics {
namespace {

using model::CountedTime;
using model::Latencies;
using model::StatisticsSnapshot;

constexpr double kNsPerUs = 1e3;
constexpr double kNsPerSecond = 1e9;

struct TimeMetric {
  const char* duration_name;
  const char* summary_name;
  const char* what;
  CountedTime StatisticsSnapshot::*counted;
  base::Histogram Latencies::*histogram;
};

constexpr std::array<TimeMetric, 5> kTimes{{
    {"nv_inference_request_duration_us", "nv_inference_request_summary_us",
     "from the request's arrival to its answer", &StatisticsSnapshot::success, &Latencies::request},
    {"nv_inference_queue_duration_us", "nv_inference_queue_summary_us",
     "requests waited for their turn", &StatisticsSnapshot::queue, &Latencies::queue},
    {"nv_inference_compute_input_duration_us", "nv_inference_compute_input_summary_us",
     "bringing inputs to the engine", &StatisticsSnapshot::compute_input,
     &Latencies::compute_input},
    {"nv_inference_compute_infer_duration_us", "nv_inference_compute_infer_summary_us",
     "in the engine", &StatisticsSnapshot::compute_infer, &Latencies::compute_infer},
    {"nv_inference_compute_output_duration_us", "nv_inference_compute_output_summary_us",
     "bringing outputs from the engine", &StatisticsSnapshot::compute_output,
     &Latencies::compute_output},
}};

bool any(const ModelSample&) { return true; }
bool is_cached(const ModelSample& sample) { return sample.cached; }
bool is_loaded(const ModelSample& sample) { return sample.ready && sample.statistics.loads > 0; }
bool is_placed(const ModelSample& sample) { return sample.placement != nullptr; }
bool is_measured(const ModelSample& sample) {
  return is_loaded(sample) && sample.statistics.load.memory_bytes > 0;
}

// A family with one number of each version that is `wanted`, which `value` takes from the sample.
template <typename Value>
void write_each(const std::vector<ModelSample>& models, Exposition& out, std::string_view name,
                MetricType type, std::string_view help, Value value,
                bool (*wanted)(const ModelSample&) = any) {
  if (!models.empty() && std::none_of(models.begin(), models.end(), wanted)) return;
  out.family(name, type, help);
  for (const ModelSample& sample : models) {
    if (wanted(sample)) out.sample(sample.labels, value(sample));
  }
}

void write_counts(const std::vector<ModelSample>& models, Exposition& out) {
  constexpr auto kCounter = MetricType::kCounter;
  write_each(models, out, "nv_inference_request_success", kCounter,
             "Requests that were answered, batches count once",
             [](const ModelSample& s) { return s.statistics.success.count; });
  out.family("nv_inference_request_failure", kCounter,
             "Requests that failed: REJECTED by the queue, CANCELED by the client, in the BACKEND, "
             "OTHER: wrong requests");
  for (const ModelSample& sample : models) {
    for (size_t i = 0; i < model::kFailureReasonNames.size(); ++i) {
      out.part("", sample.labels, {"reason", model::kFailureReasonNames[i]},
               sample.statistics.fail_reasons[i]);
    }
  }
  write_each(models, out, "nv_inference_count", kCounter,
             "Inferences done, each item of a batch counts",
             [](const ModelSample& s) { return s.statistics.inference_count; });
  write_each(models, out, "nv_inference_exec_count", kCounter, "Runs of the engine",
             [](const ModelSample& s) { return s.statistics.execution_count; });
  for (const TimeMetric& time : kTimes) {
    write_each(models, out, time.duration_name, kCounter,
               base::str_cat("Microseconds ", time.what, ", in total"),
               [&](const ModelSample& s) { return (s.statistics.*time.counted).ns / 1000; });
  }
}

void write_summaries(const std::vector<ModelSample>& models, Exposition& out) {
  static constexpr std::array<std::pair<double, const char*>, 5> kQuantiles{
      {{0.5, "0.5"}, {0.9, "0.9"}, {0.95, "0.95"}, {0.99, "0.99"}, {0.999, "0.999"}}};
  for (const TimeMetric& time : kTimes) {
    out.family(time.summary_name, MetricType::kSummary,
               base::str_cat("Microseconds ", time.what,
                             "; quantiles of about the last minute, count and sum in total"));
    for (const ModelSample& sample : models) {
      const base::Histogram& recent = sample.recent.*time.histogram;
      for (const auto& [quantile, text] : kQuantiles) {
        out.part("", sample.labels, {"quantile", text}, recent.quantile(quantile) / kNsPerUs);
      }
      const base::Histogram& all = sample.latencies.*time.histogram;
      out.part("_sum", sample.labels, {}, static_cast<double>(all.sum()) / kNsPerUs);
      out.part("_count", sample.labels, {}, all.count());
    }
  }
}

// Limits are powers of two of nanoseconds, where the counts are exact.
void write_histogram(const std::vector<ModelSample>& models, Exposition& out) {
  constexpr int kFirst = 14;  // 16 us
  constexpr int kLast = 36;   // 69 s
  out.family("supernova_request_duration_seconds", MetricType::kHistogram,
             "From a request's arrival to its answer");
  for (const ModelSample& sample : models) {
    const base::Histogram& all = sample.latencies.request;
    for (int bits = kFirst; bits <= kLast; ++bits) {
      std::string limit;
      base::append_text(limit, std::ldexp(1.0, bits) / kNsPerSecond);
      out.part("_bucket", sample.labels, {"le", limit}, all.count_below_power(bits));
    }
    out.part("_bucket", sample.labels, {"le", "+Inf"}, all.count());
    out.part("_sum", sample.labels, {}, static_cast<double>(all.sum()) / kNsPerSecond);
    out.part("_count", sample.labels, {}, all.count());
  }
}

void write_cache(const std::vector<ModelSample>& models, Exposition& out) {
  constexpr auto kCounter = MetricType::kCounter;
  write_each(
      models, out, "nv_cache_num_hits_per_model", kCounter, "Answers from the cache",
      [](const ModelSample& s) { return s.statistics.cache_hit.count; }, is_cached);
  write_each(
      models, out, "nv_cache_num_misses_per_model", kCounter, "Answers not in the cache",
      [](const ModelSample& s) { return s.statistics.cache_miss.count; }, is_cached);
  write_each(
      models, out, "nv_cache_hit_duration_per_model", kCounter,
      "Microseconds looking up answers that were there",
      [](const ModelSample& s) { return s.statistics.cache_hit.ns / 1000; }, is_cached);
  write_each(
      models, out, "nv_cache_miss_duration_per_model", kCounter,
      "Microseconds looking up and storing answers that were not there",
      [](const ModelSample& s) { return s.statistics.cache_miss.ns / 1000; }, is_cached);
}

void write_queues(const std::vector<ModelSample>& models, Exposition& out) {
  for (const char* name : {"nv_inference_pending_request_count", "supernova_queue_depth"}) {
    write_each(models, out, name, MetricType::kGauge, "Requests that wait for their turn",
               [](const ModelSample& s) { return s.queued; });
  }
}

void write_loads(const std::vector<ModelSample>& models, Exposition& out) {
  write_each(models, out, "supernova_model_loads_total", MetricType::kCounter,
             "How often the version became ready",
             [](const ModelSample& s) { return s.statistics.loads; });
  for (const char* name : {"nv_model_load_duration_secs", "supernova_model_load_seconds"}) {
    write_each(
        models, out, name, MetricType::kGauge, "What the latest load took, in seconds",
        [](const ModelSample& s) {
          return static_cast<double>(s.statistics.load.load_ns) / kNsPerSecond;
        },
        is_loaded);
  }
  write_each(
      models, out, "supernova_model_memory_bytes", MetricType::kGauge,
      "Host memory of a loaded version: as its engine says, else the growth of the heap during its "
      "load",
      [](const ModelSample& s) { return s.statistics.load.memory_bytes; }, is_measured);
}

// No fallback is silent: what does not run on the device asked for is counted, and so is who lost
// its device.
void write_places(const std::vector<ModelSample>& models, Exposition& out) {
  write_each(
      models, out, "supernova_model_fallback_nodes", MetricType::kGauge,
      "Nodes of the model that do not run on the device asked for",
      [](const ModelSample& s) { return model::fallback_nodes(*s.placement); }, is_placed);
  write_each(
      models, out, "supernova_model_moved_requests_total", MetricType::kCounter,
      "Requests that went to another instance because theirs had lost its device",
      [](const ModelSample& s) { return s.moved; }, is_placed);
  if (!models.empty() && std::none_of(models.begin(), models.end(), is_placed)) return;
  out.family("supernova_model_instances", MetricType::kGauge,
             "Instances of the model on each device, ready or lost");
  for (const ModelSample& sample : models) {
    std::map<std::string, std::pair<uint64_t, uint64_t>> devices;
    for (const auto& instance : sample.instances) {
      auto& [ready, lost] = devices[instance.device];
      ++(instance.lost.empty() ? ready : lost);
    }
    for (const auto& [device, counts] : devices) {
      Labels labels = sample.labels;
      labels.emplace_back("device", device);
      out.part("", labels, {"state", "ready"}, counts.first);
      out.part("", labels, {"state", "lost"}, counts.second);
    }
  }
}

}  // namespace

Labels model_labels(const std::string& model, int64_t version,
                    const std::map<std::string, std::string>& tags) {
  Labels labels{{"model", model}, {"version", std::to_string(version)}};
  std::set<std::string, std::less<>> taken{"model", "version", "reason", "quantile",
                                           "le",    "device",  "state"};
  for (const auto& [tag, value] : tags) {
    std::string name = label_name(tag);
    // Names that begin with two underscores are Prometheus' own.
    if (taken.contains(name) || name.starts_with("__")) name = "tag_" + name;
    if (taken.insert(name).second) labels.emplace_back(std::move(name), value);
  }
  return labels;
}

void write_model_metrics(const std::vector<ModelSample>& models, Exposition& out) {
  write_counts(models, out);
  write_queues(models, out);
  write_summaries(models, out);
  write_histogram(models, out);
  write_cache(models, out);
  write_loads(models, out);
  write_places(models, out);
}

void write_model_states(const std::map<model::VersionState, uint64_t>& states, Exposition& out) {
  using model::VersionState;
  out.family("supernova_model_versions", MetricType::kGauge, "Versions of models in each state");
  for (const VersionState state : {VersionState::kNew, VersionState::kLoading, VersionState::kReady,
                                   VersionState::kDraining, VersionState::kFailed}) {
    const auto at = states.find(state);
    out.sample({{"state", std::string(version_state_name(state))}},
               at == states.end() ? uint64_t{0} : at->second);
  }
}

}  // namespace supernova::protocol::metrics
