// Whether a model's runs are cheap enough for the thread that asks for them: decided from what they
// took so far. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>

namespace supernova::schedule {

// Runs are cheap after a number of quick ones in a row. One slow run in their place ends that, and
// each time makes it harder to come back; many quick ones in a row make it easier again. In the
// balance about one run in 256 may be slow.
class RunCost {
 public:
  explicit RunCost(std::chrono::nanoseconds limit) : limit_(limit) {}

  bool cheap() const { return cheap_; }
  // A run took this long; `here`: on the thread that asked for it.
  void add(std::chrono::nanoseconds took, bool here);

 private:
  static constexpr uint32_t kFirst = 16;
  static constexpr uint32_t kMost = 4096;
  static constexpr uint32_t kForgive = 256;

  std::chrono::nanoseconds limit_;
  bool cheap_ = false;
  uint32_t needed_ = kFirst;  // quick runs in a row to become cheap
  uint32_t quick_ = 0;        // in a row
};

}  // namespace supernova::schedule
