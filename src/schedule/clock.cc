#include "schedule/clock.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/log.h"

namespace supernova::schedule {
namespace {

class SteadyClock final : public Clock {
 public:
  Point now() const override { return std::chrono::steady_clock::now(); }

  void wake_at(Point when, std::weak_ptr<Wakeable> who) override {
    std::lock_guard lock(mutex_);
    const bool first = alarms_.empty() || when < alarms_.front().when;
    alarms_.push_back({when, std::move(who)});
    std::push_heap(alarms_.begin(), alarms_.end(), later);
    if (!started_) start();
    if (first) changed_.notify_one();
  }

 private:
  struct Alarm {
    Point when;
    std::weak_ptr<Wakeable> who;
  };
  static bool later(const Alarm& a, const Alarm& b) { return a.when > b.when; }

  void start() {
    try {
      std::thread([this] { work(); }).detach();
      started_ = true;
    } catch (const std::system_error& error) {
      SN_LOG(Error, "no thread for alarms, timeouts come late: {}", error.what());
    }
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      if (alarms_.empty()) {
        changed_.wait(lock);
        continue;
      }
      const Point when = alarms_.front().when;
      if (now() < when) {
        changed_.wait_until(lock, when);
        continue;
      }
      std::pop_heap(alarms_.begin(), alarms_.end(), later);
      auto who = std::move(alarms_.back().who).lock();
      alarms_.pop_back();
      lock.unlock();
      if (who) who->wake();
      who.reset();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Alarm> alarms_;  // a heap
  bool started_ = false;
};

}  // namespace

Clock& Clock::steady() {
  static Clock& clock = *new SteadyClock;  // its thread outlives every static object
  return clock;
}

}  // namespace supernova::schedule
