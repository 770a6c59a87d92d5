// Which of the waiting requests run next, and whether now. Pure.
#pragma once

#include <absl/container/inlined_vector.h>

#include <optional>
#include <span>

#include "schedule/clock.h"
#include "schedule/options.h"

namespace supernova::schedule {

// A request that waits. The first of a snapshot is the head: it is in every batch.
struct Waiting {
  size_t rows = 1;         // items it brings; 0 = it can't be joined with any other
  bool joins_head = true;  // may be in one run with the head; of no meaning for the head
  Clock::Point queued{};   // since when it waits
  Clock::Point expires = Clock::kNever;
};

struct BatchSnapshot {
  std::span<const Waiting> waiting;  // in the order of their turns
  bool running = false;              // the model has a run in progress (on another instance)
  Clock::Point now{};
};

struct BatchAction {
  enum class Kind {
    kNothing,  // nobody waits
    kRun,      // those in `take`, now
    kWait,     // until more come, or no run is in progress, at most until `until`
  };
  Kind kind = Kind::kNothing;
  absl::InlinedVector<uint32_t, 16> take;  // indices into the snapshot, ascending
  Clock::Point until{};
};

// For a model of which an instance is free. Requests are taken in their order as long as they fit
// into max_batch_size; those that can't join the head are passed over, or end the batch where order
// counts. Where a preferred size can be met exactly, the largest such is. Nothing is ever delayed
// while the model is idle; while another instance runs, a batch that is not full may wait for
// max_queue_delay since its head came, unless one of it would expire.
BatchAction form_batch(const BatchRules& rules, const BatchSnapshot& snapshot);

}  // namespace supernova::schedule
