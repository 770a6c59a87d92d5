// How requests for one version wait, are joined and are run.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace inference {
class ModelConfig;  // proto/model_config.proto
}

namespace supernova::schedule {

class Clock;
class ResponseCache;
class WorkerPool;

// What happens to requests that wait at one priority level.
struct QueuePolicy {
  enum class Action {
    kReject,  // once its time in the queue is over, the request is answered with an error
    kDelay,   // it goes behind all others of its level
  };
  Action action = Action::kReject;
  std::chrono::microseconds default_timeout{0};  // in the queue; 0 = none
  // The request parameter `timeout` (microseconds) counts where it is less than the default.
  bool allow_timeout_override = false;
  size_t max_queue_size = 0;  // 0 = as many as the whole queue may hold
};

// How requests are joined into one run; see form_batch.h.
struct BatchRules {
  size_t max_batch_size = 1;            // items; 1 = never joined
  std::vector<size_t> preferred_sizes;  // ascending
  std::chrono::microseconds max_queue_delay{0};
  bool preserve_ordering = false;
};

struct SchedulerOptions {
  size_t max_queue_size = 1024;  // of all levels
  // Runs that may overlap, over all sessions and within what each of them allows; 0 = as many as
  // the pool has threads.
  size_t concurrency = 0;
  // The first dimension of every tensor counts items (max_batch_size > 0 in the configuration).
  bool has_batch_dimension = false;
  BatchRules batching;

  uint64_t priority_levels = 0;  // 0 = none; else level 1 comes first
  uint64_t default_priority = 0;
  QueuePolicy queue_policy;
  std::map<uint64_t, QueuePolicy> level_policies;  // where they differ from queue_policy

  std::chrono::microseconds inline_limit{100};  // a run that costs less may happen where it is
                                                // asked for; 0 = none may
  std::shared_ptr<ResponseCache> cache;         // null = none
  WorkerPool* pool = nullptr;                   // null = WorkerPool::shared()
  Clock* clock = nullptr;                       // null = Clock::steady()
};

// `defaults` with what the configuration says. A cache given in the defaults stays only where the
// configuration enables it.
SchedulerOptions scheduler_options(const inference::ModelConfig& config,
                                   SchedulerOptions defaults = {});

}  // namespace supernova::schedule
