#include "schedule/form_batch.h"

#include <algorithm>

namespace supernova::schedule {

BatchAction form_batch(const BatchRules& rules, const BatchSnapshot& snapshot) {
  BatchAction action;
  if (snapshot.waiting.empty()) return action;
  const Waiting& head = snapshot.waiting.front();
  action.kind = BatchAction::Kind::kRun;
  action.take.push_back(0);
  if (head.rows == 0 || head.rows >= rules.max_batch_size) return action;

  const auto preferred = [&](size_t size) {
    return std::binary_search(rules.preferred_sizes.begin(), rules.preferred_sizes.end(), size);
  };
  size_t total = head.rows;
  size_t preferred_count = preferred(total) ? 1 : 0;
  bool full = false;
  Clock::Point expires = head.expires;
  for (uint32_t i = 1; i < snapshot.waiting.size() && !full; ++i) {
    const Waiting& next = snapshot.waiting[i];
    if (next.rows == 0 || !next.joins_head) {
      // Whoever comes later must not overtake it: this batch can't grow any more.
      if (rules.preserve_ordering) full = true;
      continue;
    }
    if (total + next.rows > rules.max_batch_size) {
      full = true;
      continue;
    }
    total += next.rows;
    action.take.push_back(i);
    expires = std::min(expires, next.expires);
    if (preferred(total)) preferred_count = action.take.size();
    full = total == rules.max_batch_size;
  }
  if (preferred_count > 0) {
    action.take.resize(preferred_count);
    return action;
  }
  const Clock::Point until = head.queued + rules.max_queue_delay;
  if (full || !snapshot.running || snapshot.now >= until || expires <= until) return action;
  action.kind = BatchAction::Kind::kWait;
  action.take.clear();
  action.until = until;
  return action;
}

}  // namespace supernova::schedule
