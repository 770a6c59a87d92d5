#include "protocol/metrics/cache_metrics.h"

namespace supernova::protocol::metrics {
namespace {

uint64_t microseconds(std::chrono::nanoseconds time) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
}

}  // namespace

void write_cache_metrics(const schedule::ResponseCache::Figures& figures, Exposition& out) {
  const auto write = [&](std::string_view name, MetricType type, std::string_view help,
                         auto value) {
    out.family(name, type, help);
    out.sample({}, value);
  };
  constexpr auto kCounter = MetricType::kCounter;
  constexpr auto kGauge = MetricType::kGauge;
  write("nv_cache_num_lookups", kCounter, "Requests that were looked for in the cache",
        figures.hits + figures.misses);
  write("nv_cache_num_hits", kCounter, "Of them, those that were there", figures.hits);
  write("nv_cache_num_misses", kCounter, "Of them, those that were not there", figures.misses);
  write("nv_cache_num_evictions", kCounter, "Answers that made room for others", figures.evictions);
  write("nv_cache_num_entries", kGauge, "Answers in the cache", figures.entries);
  write("nv_cache_lookup_duration", kCounter, "Microseconds looking up, with making the key",
        microseconds(figures.lookups));
  write("nv_cache_insertion_duration", kCounter, "Microseconds storing answers",
        microseconds(figures.insertions));
  const auto most = static_cast<double>(figures.max_bytes);
  write("nv_cache_util", kGauge, "Share of the cache's memory in use, 0.0 to 1.0",
        most > 0 ? static_cast<double>(figures.bytes) / most : 0.0);
  write("supernova_cache_bytes", kGauge, "Memory of the answers in the cache", figures.bytes);
  write("supernova_cache_max_bytes", kGauge, "The most that they may take", figures.max_bytes);
}

}  // namespace supernova::protocol::metrics
