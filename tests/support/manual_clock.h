// A clock that moves when the test says so; alarms go off on the test's thread.
#pragma once

#include <map>
#include <mutex>

#include "schedule/clock.h"

namespace supernova::testing_support {

class ManualClock final : public schedule::Clock {
 public:
  Point now() const override {
    std::lock_guard lock(mutex_);
    return now_;
  }
  void wake_at(Point when, std::weak_ptr<schedule::Wakeable> who) override {
    std::lock_guard lock(mutex_);
    alarms_.emplace(when, std::move(who));
  }
  // Alarms that are due go off with the next advance().
  void move(std::chrono::nanoseconds by) {
    std::lock_guard lock(mutex_);
    now_ += by;
  }
  void advance(std::chrono::nanoseconds by) {
    std::unique_lock lock(mutex_);
    now_ += by;
    while (!alarms_.empty() && alarms_.begin()->first <= now_) {
      const auto who = alarms_.extract(alarms_.begin()).mapped().lock();
      lock.unlock();
      if (who) who->wake();
      lock.lock();
    }
  }

 private:
  mutable std::mutex mutex_;
  Point now_{std::chrono::hours(1)};
  std::multimap<Point, std::weak_ptr<schedule::Wakeable>> alarms_;
};

}  // namespace supernova::testing_support
