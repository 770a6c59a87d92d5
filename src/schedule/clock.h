// Time and its alarms, replaceable by a test's own. Thread-safe.
#pragma once

#include <chrono>
#include <memory>

namespace supernova::schedule {

// Somebody an alarm can be set for.
class Wakeable {
 public:
  virtual ~Wakeable() = default;
  virtual void wake() = 0;  // must be quick: all alarms share a thread
};

class Clock {
 public:
  using Point = std::chrono::steady_clock::time_point;
  static constexpr Point kNever = Point::max();

  virtual ~Clock() = default;
  virtual Point now() const = 0;
  // Calls `who->wake()` once, at `when` or soon after, unless it is gone by then; never within this
  // call.
  virtual void wake_at(Point when, std::weak_ptr<Wakeable> who) = 0;

  // The real one. Its thread starts with the first alarm.
  static Clock& steady();
};

}  // namespace supernova::schedule
