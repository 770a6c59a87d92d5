#include "schedule/options.h"

#include <algorithm>

#include "model_config.pb.h"

namespace supernova::schedule {
namespace {

// Beyond a year is for ever; sums with points in time stay in range.
std::chrono::microseconds duration(uint64_t microseconds) {
  constexpr uint64_t kYear = uint64_t{365} * 24 * 3600 * 1000000;
  return std::chrono::microseconds(std::min(microseconds, kYear));
}

QueuePolicy queue_policy(const inference::ModelQueuePolicy& from) {
  QueuePolicy policy;
  policy.action = from.timeout_action() == inference::ModelQueuePolicy::DELAY
                      ? QueuePolicy::Action::kDelay
                      : QueuePolicy::Action::kReject;
  policy.default_timeout = duration(from.default_timeout_microseconds());
  policy.allow_timeout_override = from.allow_timeout_override();
  policy.max_queue_size = from.max_queue_size();
  return policy;
}

}  // namespace

SchedulerOptions scheduler_options(const inference::ModelConfig& config,
                                   SchedulerOptions defaults) {
  SchedulerOptions options = std::move(defaults);
  if (!config.response_cache().enable() || config.model_transaction_policy().decoupled()) {
    options.cache = nullptr;
  }
  size_t instances = 0;
  for (const auto& group : config.instance_group()) {
    instances += static_cast<size_t>(std::max(group.count(), 1));
  }
  if (instances > 0) options.concurrency = instances;
  options.has_batch_dimension = config.max_batch_size() > 0;
  if (!config.has_dynamic_batching()) return options;
  const inference::ModelDynamicBatching& from = config.dynamic_batching();
  options.batching.max_batch_size = static_cast<size_t>(std::max(config.max_batch_size(), 1));
  options.batching.max_queue_delay = duration(from.max_queue_delay_microseconds());
  options.batching.preserve_ordering = from.preserve_ordering();
  for (const int32_t size : from.preferred_batch_size()) {
    if (size > 0 && size <= config.max_batch_size()) {
      options.batching.preferred_sizes.push_back(static_cast<size_t>(size));
    }
  }
  std::sort(options.batching.preferred_sizes.begin(), options.batching.preferred_sizes.end());
  options.priority_levels = from.priority_levels();
  options.default_priority = from.default_priority_level();
  if (from.has_default_queue_policy()) {
    options.queue_policy = queue_policy(from.default_queue_policy());
  }
  for (const auto& [level, policy] : from.priority_queue_policy()) {
    options.level_policies.emplace(level, queue_policy(policy));
  }
  return options;
}

}  // namespace supernova::schedule
