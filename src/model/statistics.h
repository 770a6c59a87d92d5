// What one version of a model has done since the server started: counts and times, kept across
// reloads of that version. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "tensor/request.h"

namespace supernova::model {

struct CountedTime {
  uint64_t count = 0;
  uint64_t ns = 0;
};

struct BatchStatistics {
  uint64_t batch_size = 0;
  CountedTime compute_input;
  CountedTime compute_infer;
  CountedTime compute_output;
};

struct StatisticsSnapshot {
  uint64_t last_inference_ms = 0;  // since the epoch; 0 = never
  uint64_t inference_count = 0;    // items of batches
  uint64_t execution_count = 0;    // runs of the engine
  CountedTime success;             // from the service's door to the answer
  CountedTime fail;
  CountedTime queue;
  CountedTime compute_input;
  CountedTime compute_infer;
  CountedTime compute_output;
  CountedTime cache_hit;
  CountedTime cache_miss;
  std::vector<BatchStatistics> batches;  // by size
};

class Statistics {
 public:
  void record_success(const tensor::Timing& timing, std::chrono::nanoseconds total);
  void record_failure(std::chrono::nanoseconds total);
  StatisticsSnapshot snapshot() const;

 private:
  mutable std::mutex mutex_;
  StatisticsSnapshot totals_;
  std::map<uint64_t, BatchStatistics> batches_;
};

}  // namespace supernova::model
