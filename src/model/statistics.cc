#include "model/statistics.h"

#include <algorithm>

namespace supernova::model {
namespace {

void add(CountedTime& to, std::chrono::nanoseconds time) {
  ++to.count;
  to.ns += static_cast<uint64_t>(std::max<int64_t>(time.count(), 0));
}

}  // namespace

void Statistics::record_success(const tensor::Timing& timing, std::chrono::nanoseconds total) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  std::lock_guard lock(mutex_);
  totals_.last_inference_ms =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  totals_.inference_count += 1;
  totals_.execution_count += 1;
  add(totals_.success, total);
  add(totals_.queue, timing.started - timing.queued);
  BatchStatistics& batch = batches_[timing.batch_size];
  batch.batch_size = timing.batch_size;
  for (auto* both : {&batch.compute_input, &totals_.compute_input}) {
    add(*both, timing.compute_start - timing.started);
  }
  for (auto* both : {&batch.compute_infer, &totals_.compute_infer}) {
    add(*both, timing.compute_end - timing.compute_start);
  }
  for (auto* both : {&batch.compute_output, &totals_.compute_output}) {
    add(*both, timing.finished - timing.compute_end);
  }
}

void Statistics::record_failure(std::chrono::nanoseconds total) {
  std::lock_guard lock(mutex_);
  add(totals_.fail, total);
}

StatisticsSnapshot Statistics::snapshot() const {
  std::lock_guard lock(mutex_);
  StatisticsSnapshot copy = totals_;
  for (const auto& [size, batch] : batches_) copy.batches.push_back(batch);
  return copy;
}

}  // namespace supernova::model
