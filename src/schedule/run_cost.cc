#include "schedule/run_cost.h"

#include <algorithm>

namespace supernova::schedule {

void RunCost::add(std::chrono::nanoseconds took, bool here) {
  if (took >= limit_) {
    quick_ = 0;
    // A slow run on the pool held nobody up.
    if (cheap_ && here) needed_ = std::min(needed_ * 2, kMost);
    cheap_ = false;
    return;
  }
  ++quick_;
  if (!cheap_ && quick_ >= needed_) {
    cheap_ = true;
    quick_ = 0;
  } else if (cheap_ && quick_ >= kForgive) {
    needed_ = std::max(needed_ / 2, kFirst);
    quick_ = 0;
  }
}

}  // namespace supernova::schedule
