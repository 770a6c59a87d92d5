// RemoteRuns: what becomes of a run that is not over at its deadline.
#include <pthread.h>

#include <algorithm>

#include "base/usual_priority.h"
#include "engine/worker/remote_runs.h"

namespace supernova::engine::worker {
namespace {

using Clock = std::chrono::steady_clock;

uint64_t now_ns() {
  return static_cast<uint64_t>(std::chrono::nanoseconds(Clock::now().time_since_epoch()).count());
}

}  // namespace

// Those whose time is over, as they were given, and those of them that a worker has.
struct RemoteRuns::Over {
  struct Run {
    const sn_run* run = nullptr;
    bool cancelled = false;
  };
  std::vector<Run> runs;
  std::vector<uint64_t> in_worker;
  std::shared_ptr<WorkerProcess> worker;
};

void RemoteRuns::watch(const RemoteRun& run) {
  if (run.deadline_ns == 0 || run.deadline_ns >= next_deadline_ns_) return;
  next_deadline_ns_ = run.deadline_ns;
  if (timekeeper_.joinable()) return earlier_.notify_all();
  // The first run with a deadline may be a loader's.
  base::at_usual_priority([this] {
    timekeeper_ = std::thread([this] {
      ::pthread_setname_np(::pthread_self(), "worker-deadline");
      set_hears_workers();
      keep_time();
    });
  });
}

void RemoteRuns::keep_time() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (next_deadline_ns_ == kNever) {
      earlier_.wait(lock);
      continue;
    }
    if (now_ns() < next_deadline_ns_) {
      earlier_.wait_until(lock, Clock::time_point(std::chrono::nanoseconds(next_deadline_ns_)));
      continue;
    }
    Over over = take_over(now_ns());
    over.worker = worker_;
    lock.unlock();
    for (const auto& [run, cancelled] : over.runs) {
      answer_failure(*run, cancelled ? SN_CANCELLED : SN_DEADLINE_EXCEEDED,
                     cancelled ? "cancelled; the engine has not ended the run yet"
                               : "the run was not over at its deadline");
    }
    for (const uint64_t id : over.in_worker) {
      if (over.worker != nullptr) over.worker->tell(kCancel, id, {});
    }
    over = {};  // may be the last to know the worker
    lock.lock();
  }
}

// They are nobody else's from here on. One whose response is being delivered is left to who does
// that, who watches it again.
RemoteRuns::Over RemoteRuns::take_over(uint64_t now) {
  Over over;
  next_deadline_ns_ = kNever;
  const auto is_over = [&](const RemoteRun& run) {
    if (run.deadline_ns == 0 || run.delivering) return false;
    if (run.deadline_ns > now) next_deadline_ns_ = std::min(next_deadline_ns_, run.deadline_ns);
    return run.deadline_ns <= now;
  };
  const auto take = [&](const RemoteRunPtr& run) {
    if (!is_over(*run)) return false;
    over.runs.push_back({run->run, run->cancelled});
    return true;
  };
  std::erase_if(waiting_, take);
  std::erase_if(suspects_, take);
  std::erase_if(in_flight_, [&](const auto& entry) {
    if (!take(entry.second)) return false;
    over.in_worker.push_back(entry.first);
    abandon(entry.second);
    return true;
  });
  tell_if_idle();
  return over;
}

// What it points to of the host's may be gone once it is answered.
void RemoteRuns::abandon(const RemoteRunPtr& run) {
  run->abandoned_model = run->instance->model;
  run->run = nullptr;
  run->instance = nullptr;
  SlotHead& head = run->head();
  head.cancelled.store(1);
  // Who waits for it needs not any more; the socket says when it is done.
  for (const uint32_t waits : {kWaited, kSleeping}) {
    uint32_t seen = waits;
    if (head.state.compare_exchange_strong(seen, kHanded)) futex_wake(head.state, 1);
  }
  abandoned_[run->id] = run;
}

// Whether the engine has as many runs of its instance as it takes, or another of its sequence. The
// host does not know, as it has the answers of some.
bool RemoteRuns::must_wait(const RemoteRun& run) const {
  if (abandoned_.empty()) return false;
  int in_worker = 0;
  for (const auto& [id, other] : abandoned_) {
    if (other->instance_key != run.instance_key) continue;
    if (run.state_key != 0 && other->state_key == run.state_key) return true;
    ++in_worker;
  }
  if (in_worker == 0) return false;
  for (const auto& [id, other] : in_flight_) in_worker += other->instance_key == run.instance_key;
  return in_worker >= run.instance->max_concurrency;
}

bool RemoteRuns::has_abandoned(const RemoteInstance& instance) {
  std::lock_guard lock(mutex_);
  return std::any_of(abandoned_.begin(), abandoned_.end(),
                     [&](const auto& entry) { return entry.second->instance_key == instance.key; });
}

}  // namespace supernova::engine::worker
