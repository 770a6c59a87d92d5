// The requests that wait for one model: bounded, by priority level, with timeouts. Not thread-safe.
// For the files of this folder only.
#pragma once

#include <list>
#include <optional>
#include <vector>

#include "schedule/form_batch.h"
#include "schedule/options.h"
#include "schedule/response_cache.h"
#include "tensor/request.h"

namespace supernova::schedule {

// Told when a request is cancelled that is being run.
class RunWatcher final : public tensor::Cancellation::Watcher {
 public:
  void on_cancel() override { tell(run); }
  void (*tell)(void* run) = nullptr;
  void* run = nullptr;
};

struct Item {
  tensor::Request request;
  tensor::Completion done;
  Clock::Point queued{};
  size_t rows = 1;     // of the batch dimension; 0 = can't be joined
  bool alone = false;  // failed in a batch, to be run by itself
  bool moved = false;  // from a session that lost its device
  std::optional<CacheKey> cache_key;
  std::chrono::nanoseconds cache_time{0};
  // Set by the queue.
  size_t level = 0;
  Clock::Point queue_timeout = Clock::kNever;
  RunWatcher watcher;
};
// Nodes are made and freed outside the lock that guards a queue, and only moved within it.
using Items = std::list<Item>;

class RequestQueue {
 public:
  explicit RequestQueue(const SchedulerOptions& options);

  // Moves the one item in, or says why not.
  base::Status push(Items& one);
  // Back to where they were taken from.
  void push_again(Items& items);
  // What runs next; the requests that no longer count are moved to `dead` on the way.
  BatchAction next(const BatchRules& rules, bool running, Clock::Point now, Items& dead);
  // Those of an action that next() just gave.
  Items take(const BatchAction& action);
  // Moves those whose time is over to `dead`, or behind the others of their level.
  void expire(Clock::Point now, Items& dead);

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Clock::Point earliest() const { return earliest_; }  // expire() finds nothing before

 private:
  struct Level {
    QueuePolicy policy;
    Items live;
    Items delayed;
  };
  size_t level_of(const tensor::Request& request) const;
  void look(const BatchRules& rules, Items& dead);

  size_t max_size_;
  uint64_t priority_levels_;
  uint64_t default_priority_;
  std::vector<Level> levels_;
  size_t size_ = 0;
  Clock::Point earliest_ = Clock::kNever;
  // Of the latest look, kept to keep their memory.
  std::vector<Waiting> waiting_;
  std::vector<std::pair<Items*, Items::iterator>> places_;
};

// Why a request need not be run: cancelled, or its deadline is over. OK = it counts.
base::Status check_alive(const tensor::Request& request, Clock::Point now);
// What the client of a request is told whose run was ended early.
base::Status end_of_run(const tensor::Request& request, Clock::Point now);
// What the client of a dead item is told.
base::Status death_of(const Item& item, Clock::Point now);

}  // namespace supernova::schedule
