// What one version of a model has done since the server started: counts and times, kept across
// reloads of that version. Thread-safe. Threads count in shards of their own, so recording rarely
// waits; a request is recorded in one shard at once, so in every snapshot all counts of successful
// requests agree.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

#include "base/histogram.h"
#include "base/status.h"
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

// Why a request failed, in the groups of Triton's metric.
enum class FailureReason {
  kRejected,  // by the queue: full, stopped, or the request's time was over
  kCanceled,  // by the client
  kBackend,   // by the engine
  kOther,     // the request was wrong
};
inline constexpr std::array<std::string_view, 4> kFailureReasonNames{"REJECTED", "CANCELED",
                                                                     "BACKEND", "OTHER"};
// Of an error that came back from the queue or the engine.
FailureReason failure_reason(const base::Status& status);

// What the latest load of the version took. memory_bytes: what the engine says that the model holds
// in memory, or the growth of the heap while it was loaded where the engine says nothing (other
// loads at the same time count too then); 0 = not known.
struct LoadFacts {
  uint64_t load_ns = 0;
  uint64_t memory_bytes = 0;
};

// Measures a load, from its making on.
class LoadMeter {
 public:
  LoadMeter();
  // `engine_bytes`: what the engine says, 0 = nothing.
  LoadFacts finish(uint64_t engine_bytes) const;

 private:
  std::chrono::steady_clock::time_point started_;
  uint64_t heap_;
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
  std::vector<BatchStatistics> batches;                             // by size
  std::array<uint64_t, kFailureReasonNames.size()> fail_reasons{};  // they add up to fail.count
  uint64_t loads = 0;  // how often the version became ready
  LoadFacts load;      // of the latest
};

// Of successful requests.
struct Latencies {
  base::Histogram request;
  base::Histogram queue;
  base::Histogram compute_input;
  base::Histogram compute_infer;
  base::Histogram compute_output;
};

class Statistics {
 public:
  Statistics() = default;
  ~Statistics();
  Statistics(const Statistics&) = delete;
  Statistics& operator=(const Statistics&) = delete;

  void record_success(const tensor::Timing& timing, std::chrono::nanoseconds total);
  void record_failure(std::chrono::nanoseconds total, FailureReason reason = FailureReason::kOther);
  void record_load(const LoadFacts& facts);

  StatisticsSnapshot snapshot() const;
  Latencies latencies() const;

 private:
  struct Shard;
  static constexpr size_t kShards = 8;
  Shard& shard();
  template <typename Visit>
  void visit_shards(Visit visit) const;

  // Made when a thread first counts in them: most models are completed by one or two threads.
  std::array<std::atomic<Shard*>, kShards> shards_{};
  std::atomic<uint64_t> loads_{0};
  std::atomic<uint64_t> load_ns_{0};
  std::atomic<uint64_t> memory_bytes_{0};
};

}  // namespace supernova::model
