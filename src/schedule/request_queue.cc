#include "schedule/request_queue.h"

#include <algorithm>
#include <limits>

#include "schedule/join.h"

namespace supernova::schedule {
namespace {

// A parameter that is a whole number, 0 where it is not given or something else.
uint64_t whole_number(const tensor::Request& request, std::string_view name) {
  if (request.parameters.empty()) return 0;
  const auto found = request.parameters.find(name);
  if (found == request.parameters.end()) return 0;
  if (const auto* value = std::get_if<uint64_t>(&found->second)) return *value;
  if (const auto* value = std::get_if<int64_t>(&found->second)) {
    return static_cast<uint64_t>(std::max<int64_t>(*value, 0));
  }
  return 0;
}

std::chrono::microseconds queue_time(const QueuePolicy& policy, const tensor::Request& request) {
  const auto standard = policy.default_timeout;
  if (!policy.allow_timeout_override) return standard;
  constexpr uint64_t kMost = std::numeric_limits<int64_t>::max() / 1000000;
  const std::chrono::microseconds own(std::min(whole_number(request, "timeout"), kMost));
  if (own.count() == 0) return standard;
  return standard.count() == 0 ? own : std::min(own, standard);
}

Clock::Point deadline_of(const Item& item) { return item.request.deadline.value_or(Clock::kNever); }

bool cancelled(const Item& item) {
  return item.request.cancellation != nullptr && item.request.cancellation->cancelled();
}

}  // namespace

base::Status check_alive(const tensor::Request& request, Clock::Point now) {
  if (request.cancellation != nullptr && request.cancellation->cancelled()) {
    return absl::CancelledError("the request was cancelled before it ran");
  }
  if (request.deadline && *request.deadline <= now) {
    return absl::DeadlineExceededError("Request timeout expired");
  }
  return {};
}

base::Status end_of_run(const tensor::Request& request, Clock::Point now) {
  if (request.deadline && *request.deadline <= now) {
    return absl::DeadlineExceededError("Request timeout expired");
  }
  return absl::CancelledError("the request was cancelled while it ran");
}

base::Status death_of(const Item& item, Clock::Point now) {
  base::Status status = check_alive(item.request, now);
  // The time that the configuration gives it in the queue.
  if (status.ok()) status = absl::UnavailableError("Request timeout expired");
  return status;
}

RequestQueue::RequestQueue(const SchedulerOptions& options)
    : max_size_(options.max_queue_size),
      priority_levels_(options.priority_levels),
      default_priority_(options.default_priority) {
  // A level exists once somebody can be told apart by it: unused ones cost nothing but a few bytes.
  constexpr uint64_t kMostLevels = 1024;
  priority_levels_ = std::min(priority_levels_, kMostLevels);
  levels_.resize(std::max<size_t>(priority_levels_, 1));
  for (size_t i = 0; i < levels_.size(); ++i) {
    const auto own = options.level_policies.find(i + 1);
    levels_[i].policy = own != options.level_policies.end() ? own->second : options.queue_policy;
  }
}

size_t RequestQueue::level_of(const tensor::Request& request) const {
  if (priority_levels_ == 0) return 0;
  uint64_t priority = whole_number(request, "priority");
  if (priority == 0 || priority > priority_levels_) priority = default_priority_;
  return std::clamp<uint64_t>(priority, 1, priority_levels_) - 1;
}

base::Status RequestQueue::push(Items& one) {
  Item& item = one.front();
  item.level = level_of(item.request);
  Level& level = levels_[item.level];
  size_t limit = 0;
  if (size_ >= max_size_) limit = max_size_;
  const size_t of_level = level.policy.max_queue_size;
  if (of_level != 0 && level.live.size() + level.delayed.size() >= of_level) limit = of_level;
  if (limit != 0 || max_size_ == 0) {
    return absl::UnavailableError(base::str_cat("Exceeds maximum queue size of ", limit,
                                                " for model '", item.request.model_name, "'"));
  }
  const auto time = queue_time(level.policy, item.request);
  if (time.count() > 0) item.queue_timeout = item.queued + time;
  earliest_ = std::min({earliest_, item.queue_timeout, deadline_of(item)});
  level.live.splice(level.live.end(), one);
  ++size_;
  return {};
}

void RequestQueue::push_again(Items& items) {
  size_ += items.size();
  // From the last to the first, each to the front.
  while (!items.empty()) {
    const auto last = std::prev(items.end());
    earliest_ = std::min({earliest_, last->queue_timeout, deadline_of(*last)});
    Items& live = levels_[last->level].live;
    live.splice(live.begin(), items, last);
  }
}

void RequestQueue::expire(Clock::Point now, Items& dead) {
  if (now < earliest_) return;
  earliest_ = Clock::kNever;
  const auto scan = [&](Level& level, Items& items) {
    for (auto at = items.begin(); at != items.end();) {
      const auto item = at++;
      const bool over = item->queue_timeout <= now;
      if (deadline_of(*item) <= now || cancelled(*item) ||
          (over && level.policy.action == QueuePolicy::Action::kReject)) {
        dead.splice(dead.end(), items, item);
        --size_;
        continue;
      }
      if (over) {
        item->queue_timeout = Clock::kNever;
        level.delayed.splice(level.delayed.end(), items, item);
      }
      earliest_ = std::min({earliest_, item->queue_timeout, deadline_of(*item)});
    }
  };
  for (Level& level : levels_) {
    scan(level, level.delayed);  // first: what is moved there below has been looked at
    scan(level, level.live);
  }
}

// Fills waiting_ and places_ with as many as a batch may need.
void RequestQueue::look(const BatchRules& rules, Items& dead) {
  // Further back lie requests of other shapes mostly.
  const size_t most = rules.max_batch_size <= 1 ? 1 : 4 * rules.max_batch_size + 16;
  waiting_.clear();
  places_.clear();
  const Item* head = nullptr;
  size_t rows = 0;
  for (Level& level : levels_) {
    for (Items* items : {&level.live, &level.delayed}) {
      for (auto at = items->begin(); at != items->end();) {
        if (waiting_.size() >= most || rows >= rules.max_batch_size) return;
        const auto item = at++;
        if (cancelled(*item)) {
          dead.splice(dead.end(), *items, item);
          --size_;
          continue;
        }
        Waiting waits{item->alone ? 0 : item->rows, true, item->queued,
                      std::min(item->queue_timeout, deadline_of(*item))};
        if (head == nullptr) {
          head = &*item;
        } else if (waits.rows > 0) {
          waits.joins_head = joinable(head->request, item->request);
        }
        if (head == &*item && waits.rows == 0) rows = rules.max_batch_size;
        if (waits.joins_head) rows += waits.rows;
        waiting_.push_back(waits);
        places_.emplace_back(items, item);
      }
    }
  }
}

BatchAction RequestQueue::next(const BatchRules& rules, bool running, Clock::Point now,
                               Items& dead) {
  expire(now, dead);
  look(rules, dead);
  return form_batch(rules, {waiting_, running, now});
}

Items RequestQueue::take(const BatchAction& action) {
  Items taken;
  for (const uint32_t index : action.take) {
    const auto& [items, item] = places_[index];
    taken.splice(taken.end(), *items, item);
    --size_;
  }
  return taken;
}

}  // namespace supernova::schedule
