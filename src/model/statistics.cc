#include "model/statistics.h"

#include <algorithm>
#include <ctime>
#include <memory>
#include <mutex>

#include "base/process_usage.h"

namespace supernova::model {
namespace {

uint64_t nanoseconds(std::chrono::nanoseconds time) {
  return static_cast<uint64_t>(std::max<int64_t>(time.count(), 0));
}

void add(CountedTime& to, uint64_t ns) {
  ++to.count;
  to.ns += ns;
}

void add(CountedTime& to, const CountedTime& more) {
  to.count += more.count;
  to.ns += more.ns;
}

// Everything but the batches and what concerns loading.
void add_counts(StatisticsSnapshot& to, const StatisticsSnapshot& more) {
  to.last_inference_ms = std::max(to.last_inference_ms, more.last_inference_ms);
  to.inference_count += more.inference_count;
  to.execution_count += more.execution_count;
  for (CountedTime StatisticsSnapshot::*field :
       {&StatisticsSnapshot::success, &StatisticsSnapshot::fail, &StatisticsSnapshot::queue,
        &StatisticsSnapshot::compute_input, &StatisticsSnapshot::compute_infer,
        &StatisticsSnapshot::compute_output, &StatisticsSnapshot::cache_hit,
        &StatisticsSnapshot::cache_miss}) {
    add(to.*field, more.*field);
  }
  for (size_t i = 0; i < to.fail_reasons.size(); ++i) to.fail_reasons[i] += more.fail_reasons[i];
}

// Since the epoch; right to a tick of the kernel, at a fraction of what the precise time costs.
uint64_t coarse_now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

size_t thread_number() {
  static std::atomic<size_t> next{0};
  thread_local const size_t mine = next.fetch_add(1, std::memory_order_relaxed);
  return mine;
}

}  // namespace

FailureReason failure_reason(const base::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
      return FailureReason::kRejected;
    case absl::StatusCode::kCancelled:
      return FailureReason::kCanceled;
    default:
      return FailureReason::kBackend;
  }
}

LoadMeter::LoadMeter() : started_(std::chrono::steady_clock::now()), heap_(base::heap_bytes()) {}

LoadFacts LoadMeter::finish(uint64_t engine_bytes) const {
  const uint64_t heap = base::heap_bytes();
  const uint64_t grown = heap > heap_ ? heap - heap_ : 0;
  return {nanoseconds(std::chrono::steady_clock::now() - started_),
          engine_bytes > 0 ? engine_bytes : grown};
}

struct alignas(64) Statistics::Shard {
  std::mutex mutex;  // waited for only by threads that share the shard, and by snapshots
  StatisticsSnapshot totals;
  std::map<uint64_t, BatchStatistics> batches;
  Latencies latencies;
};

Statistics::~Statistics() {
  for (auto& shard : shards_) delete shard.load(std::memory_order_relaxed);
}

Statistics::Shard& Statistics::shard() {
  std::atomic<Shard*>& place = shards_[thread_number() % kShards];
  Shard* found = place.load(std::memory_order_acquire);
  if (found != nullptr) return *found;
  auto made = std::make_unique<Shard>();
  if (place.compare_exchange_strong(found, made.get(), std::memory_order_acq_rel)) {
    return *made.release();
  }
  return *found;
}

void Statistics::record_success(const tensor::Timing& timing, std::chrono::nanoseconds total) {
  const uint64_t now_ms = coarse_now_ms();
  const uint64_t request_ns = nanoseconds(total);
  const uint64_t queue_ns = nanoseconds(timing.started - timing.queued);
  const uint64_t input_ns = nanoseconds(timing.compute_start - timing.started);
  const uint64_t infer_ns = nanoseconds(timing.compute_end - timing.compute_start);
  const uint64_t output_ns = nanoseconds(timing.finished - timing.compute_end);

  Shard& mine = shard();
  std::lock_guard lock(mine.mutex);
  StatisticsSnapshot& totals = mine.totals;
  totals.last_inference_ms = std::max(totals.last_inference_ms, now_ms);
  add(totals.success, request_ns);
  add(totals.queue, queue_ns);
  mine.latencies.request.add(request_ns);
  mine.latencies.queue.add(queue_ns);
  if (timing.cache == tensor::Timing::Cache::kHit) {
    add(totals.cache_hit, nanoseconds(timing.cache_time));
    return;  // nothing was run for it
  }
  if (timing.cache == tensor::Timing::Cache::kMiss) {
    add(totals.cache_miss, nanoseconds(timing.cache_time));
  }
  totals.inference_count += timing.items;
  add(totals.compute_input, input_ns);
  add(totals.compute_infer, infer_ns);
  add(totals.compute_output, output_ns);
  if (timing.first_of_batch) {
    ++totals.execution_count;
    BatchStatistics& batch = mine.batches[timing.batch_size];
    batch.batch_size = timing.batch_size;
    add(batch.compute_input, input_ns);
    add(batch.compute_infer, infer_ns);
    add(batch.compute_output, output_ns);
  }
  mine.latencies.compute_input.add(input_ns);
  mine.latencies.compute_infer.add(infer_ns);
  mine.latencies.compute_output.add(output_ns);
}

void Statistics::record_failure(std::chrono::nanoseconds total, FailureReason reason) {
  Shard& mine = shard();
  std::lock_guard lock(mine.mutex);
  add(mine.totals.fail, nanoseconds(total));
  ++mine.totals.fail_reasons[static_cast<size_t>(reason)];
}

void Statistics::record_load(const LoadFacts& facts) {
  load_ns_.store(facts.load_ns, std::memory_order_relaxed);
  memory_bytes_.store(facts.memory_bytes, std::memory_order_relaxed);
  loads_.fetch_add(1, std::memory_order_relaxed);
}

template <typename Visit>
void Statistics::visit_shards(Visit visit) const {
  for (const auto& place : shards_) {
    Shard* const shard = place.load(std::memory_order_acquire);
    if (shard == nullptr) continue;
    std::lock_guard lock(shard->mutex);
    visit(*shard);
  }
}

StatisticsSnapshot Statistics::snapshot() const {
  StatisticsSnapshot sum;
  std::map<uint64_t, BatchStatistics> batches;
  visit_shards([&](const Shard& shard) {
    add_counts(sum, shard.totals);
    for (const auto& [size, more] : shard.batches) {
      BatchStatistics& batch = batches[size];
      batch.batch_size = size;
      add(batch.compute_input, more.compute_input);
      add(batch.compute_infer, more.compute_infer);
      add(batch.compute_output, more.compute_output);
    }
  });
  for (const auto& [size, batch] : batches) sum.batches.push_back(batch);
  sum.loads = loads_.load(std::memory_order_relaxed);
  sum.load = {load_ns_.load(std::memory_order_relaxed),
              memory_bytes_.load(std::memory_order_relaxed)};
  return sum;
}

Latencies Statistics::latencies() const {
  Latencies sum;
  visit_shards([&](const Shard& shard) {
    sum.request += shard.latencies.request;
    sum.queue += shard.latencies.queue;
    sum.compute_input += shard.latencies.compute_input;
    sum.compute_infer += shard.latencies.compute_infer;
    sum.compute_output += shard.latencies.compute_output;
  });
  return sum;
}

}  // namespace supernova::model
