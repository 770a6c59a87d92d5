#include "schedule/run_cost.h"

#include <algorithm>

namespace supernova::schedule {

void RunCost::slow(std::chrono::nanoseconds took, bool here) {
  quick_ /= 2;
  // A slow run on the pool held nobody up, but there it counts for a model that is not proven yet.
  if (!cheap_ || !here) return;
  burden_ += took < limit_ * kLong ? kSlow : took < limit_ * kTooLong ? kBorne : kBorne + 1;
  if (burden_ <= kBorne) return;
  needed_ = std::min(needed_ * 2, kMost);
  cheap_ = false;
  quick_ = burden_ = 0;
}

void RunCost::add(std::chrono::nanoseconds took, bool here) {
  if (took >= limit_) return slow(took, here);
  ++quick_;
  if (burden_ > 0) --burden_;
  if (!cheap_ && quick_ >= needed_) {
    cheap_ = true;
    quick_ = 0;
  } else if (cheap_ && quick_ >= kForgive) {
    needed_ = std::max(needed_ / 2, kFirst);
    quick_ = 0;
  }
}

}  // namespace supernova::schedule
