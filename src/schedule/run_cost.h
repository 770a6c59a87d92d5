// Whether a model's runs are cheap enough for the thread that asks for them: decided from what they
// took so far. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>

namespace supernova::schedule {

// Runs are cheap after a number of quick ones in a row. Slow ones in their place end that when they
// come often: any run may look slow now and then, because something else had the processor. The
// third within some sixty ends it, the second where they take long, and at once one that nobody can
// be kept waiting for. Each end makes it harder to come back; many quick ones make it easier again.
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
  // A slow run's weight, of which each quick one takes 1 off again; and how much is borne.
  static constexpr uint32_t kSlow = 32;
  static constexpr uint32_t kBorne = 2 * kSlow;
  // Times the limit.
  static constexpr int kLong = 50;
  static constexpr int kTooLong = 1000;

  void slow(std::chrono::nanoseconds took, bool here);

  std::chrono::nanoseconds limit_;
  bool cheap_ = false;
  uint32_t needed_ = kFirst;  // quick runs to become cheap
  uint32_t quick_ = 0;        // since that was last decided; a slow one takes half of them
  uint32_t burden_ = 0;       // of slow runs here
};

}  // namespace supernova::schedule
