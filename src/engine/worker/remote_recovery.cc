// RemoteEngine: what an end of a worker asks for.
#include <algorithm>

#include "base/log.h"
#include "engine/handles.h"
#include "engine/worker/remote_engine.h"

namespace supernova::engine::worker {
namespace {

using std::chrono::milliseconds;

// Runs wait for the next worker for so long, beyond that they are refused.
constexpr milliseconds kWorthWaiting{1000};
// How often a run may be lost without its doing.
constexpr int kMaxLosses = 20;
constexpr int kMaxCrashes = 2;  // its first try, and the second

// The same for the same content, as the host gave it, or, where that is gone, as the worker got it.
uint64_t digest_of_content(const RemoteRun& run) {
  if (!run.is_abandoned()) return digest_of_request(*run.run);
  // A copy: the worker can write there.
  const std::string request(reinterpret_cast<const char*>(run.slot.data) + sizeof(SlotHead),
                            run.request_size);
  RequestView view;
  const bool understood = view.read(request, run.data(), run.room_offset - run.data_offset);
  return understood ? digest_of_request(view.run) : 0;
}

std::string lost_with(const WorkerEnd& end) {
  return base::str_cat("the run was lost: ", end.reason);
}

}  // namespace

void RemoteEngine::recover() {
  Worker gone;
  while (true) {
    Death death;
    {
      std::lock_guard lock(mutex_);
      if (!death_ || stopping_) return;
      death = *std::move(death_);
      death_.reset();
      if (worker_ != nullptr) gone = std::move(worker_);
      worker_ = coming_ = nullptr;
    }
    gone.reset();
    const WorkerEnd& end = death.end;
    // Where it is known whose doing it was, the quarantine sees to it that it doesn't go on for
    // ever; nobody else has to wait for that. A device may take time to come back.
    const bool is_blamed = end.cause != EndCause::kDeviceLost &&
                           (death.load_was_under_way || death.lost.started.size() == 1);
    device_is_lost_ = device_is_lost_ || end.cause == EndCause::kDeviceLost;
    if (!is_blamed) streak_ = next_streak(streak_, end.cause, end.lived);
    record_->count_end(end.cause);
    record_->set_pid(0);
    record_->set_state(WorkerState::kStarting);
    SN_LOG(Warning, "{}; {} runs were in it", end.reason,
           death.lost.started.size() + death.lost.waiting.size());
    judge(std::move(death.lost), end, death.load_was_under_way);
    wait_before_restart(end.cause, end.reason);
    Worker next = next_worker();
    if (next == nullptr) return;
    record_->count_restart();
    runs_.attach(next);
    {
      std::lock_guard lock(mutex_);
      coming_ = next;
    }
    gone = next;
    if (!reopen_all(*next) || !retry_suspects(*next)) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || death_; });
      continue;
    }
    gone.reset();
    return serve_with(std::move(next));
  }
}

void RemoteEngine::wait_before_restart(EndCause cause, const std::string& reason) {
  const milliseconds delay = restart_delay(streak_);
  if (delay == milliseconds(0)) return;
  record_->set_state(WorkerState::kWaiting);
  const std::string what = base::str_cat(
      cause == EndCause::kDeviceLost ? "lost its device " : "crashed ", streak_, " times in a row");
  SN_LOG(Warning, "worker '{}' {}; the next one starts in {} ms", record_->name(), what,
         delay.count());
  if (delay > kWorthWaiting) {
    runs_.refuse(absl::UnavailableError(
        base::str_cat("worker '", record_->name(), "' ", what, " and starts again in ",
                      delay.count() / 1000.0, " s; the last time: ", reason)));
  }
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, delay, [&] { return stopping_; });
  record_->set_state(WorkerState::kStarting);
}

// The spare, or a new one; null when all is to stop.
RemoteEngine::Worker RemoteEngine::next_worker() {
  while (true) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return nullptr;
      if (spare_ != nullptr && !spare_ended_) {
        serving_ = std::exchange(spare_number_, 0);
        record_->set_spare_pid(0);
        return std::exchange(spare_, nullptr);
      }
    }
    serving_ = next_number_++;
    auto started = start_worker(serving_);
    if (started.ok()) return *std::move(started);
    const std::string reason(base::message(started.status()));
    {
      std::lock_guard lock(mutex_);
      serving_ = 0;
      death_.reset();  // that is its end
      last_end_ = reason;
    }
    ++streak_;
    SN_LOG(Error, "worker '{}' can't be started: {}", record_->name(), reason);
    wait_before_restart(EndCause::kCrashed, reason);
  }
}

void RemoteEngine::judge(RemoteRuns::Lost lost, const WorkerEnd& end, bool load_was_under_way) {
  // What waits first comes last, since each goes before all others.
  const auto later = [](const RemoteRunPtr& a, const RemoteRunPtr& b) { return a->id > b->id; };
  std::sort(lost.started.begin(), lost.started.end(), later);
  std::sort(lost.waiting.begin(), lost.waiting.end(), later);
  const bool any_overdue = std::any_of(lost.started.begin(), lost.started.end(),
                                       [](const auto& run) { return run->overdue; });
  for (const RemoteRunPtr& run : lost.waiting) try_again(run, end);
  for (const RemoteRunPtr& run : lost.started) {
    const bool is_suspect =
        blames_when_repeated(end.cause) && (end.cause == EndCause::kTimedOut ? run->overdue : true);
    if (is_suspect) {
      judge_started(run, end, any_overdue || (lost.started.size() == 1 && !load_was_under_way));
    } else {
      try_again(run, end);
    }
  }
}

// Not its doing.
void RemoteEngine::try_again(const RemoteRunPtr& run, const WorkerEnd& end) {
  if (run->is_abandoned()) return;
  if (run->keeps_state || run->has_answered) {
    return runs_.fail(
        run, SN_UNAVAILABLE,
        base::str_cat(lost_with(end), run->keeps_state ? "; its sequence must be started anew"
                                                       : ", after its first answer"));
  }
  if (run->cancelled) return runs_.fail(run, SN_CANCELLED, "cancelled");
  if (++run->losses > kMaxLosses) return runs_.fail(run, SN_UNAVAILABLE, lost_with(end));
  record_->count_retried_run();
  runs_.wait_again(run);
}

void RemoteEngine::judge_started(const RemoteRunPtr& run, const WorkerEnd& end, bool is_certain) {
  RemoteModel& model = run->is_abandoned() ? *run->abandoned_model : *run->instance->model;
  // Devices get lost by themselves, also twice in a row.
  const bool is_lost = end.cause == EndCause::kDeviceLost;
  if (is_certain && (!is_lost || run->crashes > 0)) {
    model.is_suspect = true;
    quarantine_.record_run_crash(model.digest, digest_of_content(*run), end.cause, end.reason);
  }
  if (run->is_abandoned()) return;
  if (run->overdue) return runs_.fail(run, SN_DEADLINE_EXCEEDED, lost_with(end));
  if (run->keeps_state || run->has_answered || run->cancelled) return try_again(run, end);
  // Another worker has no more memory for it than this one had.
  if (is_certain && run->careful && run->is_first && end.cause == EndCause::kOutOfMemory) {
    return runs_.fail(run, SN_INTERNAL, lost_with(end));
  }
  if (++run->crashes >= kMaxCrashes) {
    return runs_.fail(run, is_lost ? SN_UNAVAILABLE : SN_INTERNAL,
                      base::str_cat("the run was tried twice, and each time ", end.reason));
  }
  const base::Status status = quarantined(model, run->run);
  if (!status.ok()) {
    return runs_.fail(run, status);
  }
  run->careful = run->careful || end.cause == EndCause::kOutOfMemory;
  runs_.suspect(run);
}

// One at a time, so that it is known whose doing it is when it happens again. False when the worker
// has ended.
bool RemoteEngine::retry_suspects(WorkerProcess& worker) {
  while (runs_.submit_suspect(worker)) {
    record_->count_retried_run();
    if (serving_ == 0) {
      // It ended before, or while, it got this run: what it has not is collected by hand.
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return death_ || stopping_; });
      lock.unlock();
      RemoteRuns::Lost lost = runs_.collect();
      lock.lock();
      if (death_) {
        for (auto& one : lost.waiting) death_->lost.waiting.push_back(std::move(one));
      }
      return false;
    }
    const auto nap = options_.run_timeout > milliseconds(0)
                         ? std::clamp(options_.run_timeout / 8, milliseconds(5), milliseconds(100))
                         : milliseconds(100);
    while (!runs_.wait_until_idle(nap)) {
      look_after_runs();
      std::lock_guard lock(mutex_);
      if (stopping_ || death_) break;
    }
    std::lock_guard lock(mutex_);
    if (stopping_ || serving_ == 0) return false;
  }
  return true;
}

// Why, and what ends it.
std::string RemoteEngine::refused(const RemoteModel& model, const std::string& reason) {
  return base::str_cat(reason, "; to have it tried again, ", model.try_again);
}

base::Status RemoteEngine::quarantined(const RemoteModel& model, const sn_run* run) const {
  if (quarantine_.empty() || !model.is_suspect.load(std::memory_order_relaxed)) return {};
  auto reason = quarantine_.model_reason(model.digest);
  if (reason) {
    return absl::UnavailableError(refused(model, *reason));
  }
  if (run != nullptr) reason = quarantine_.request_reason(model.digest, digest_of_request(*run));
  if (reason) {
    return absl::FailedPreconditionError(refused(model, *reason));
  }
  return {};
}

}  // namespace supernova::engine::worker
