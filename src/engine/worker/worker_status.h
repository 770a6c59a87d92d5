// What the workers of this process are doing, for metrics and logs. Who drives a worker keeps one
// record of it and writes to it; everybody may read. Thread-safe.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/worker/quarantine.h"
#include "engine/worker/restart_policy.h"

namespace supernova::engine::worker {

enum class WorkerState {
  kStarting,  // a process is being started, or opens what was open
  kReady,     // it takes runs
  kWaiting,   // it crashed repeatedly; the next one is started after a delay
  kStopped,   // no process: not needed yet or any more
};
std::string_view worker_state_name(WorkerState state);

// One worker: a place that process after process fills.
class WorkerRecord {
 public:
  explicit WorkerRecord(std::string name) : name_(std::move(name)) {}

  const std::string& name() const { return name_; }  // "vendor@cpu", unique among those that live
  WorkerState state() const { return state_.load(std::memory_order_relaxed); }
  pid_t pid() const { return pid_.load(std::memory_order_relaxed); }              // 0 = none
  pid_t spare_pid() const { return spare_pid_.load(std::memory_order_relaxed); }  // 0 = none
  uint64_t ends(EndCause cause) const {
    return ends_[static_cast<size_t>(cause)].load(std::memory_order_relaxed);
  }
  uint64_t restarts() const { return restarts_.load(std::memory_order_relaxed); }
  uint64_t retried_runs() const { return retried_runs_.load(std::memory_order_relaxed); }

  void set_state(WorkerState state) { state_.store(state, std::memory_order_relaxed); }
  void set_pid(pid_t pid) { pid_.store(pid, std::memory_order_relaxed); }
  void set_spare_pid(pid_t pid) { spare_pid_.store(pid, std::memory_order_relaxed); }
  void count_end(EndCause cause) {
    ends_[static_cast<size_t>(cause)].fetch_add(1, std::memory_order_relaxed);
  }
  void count_restart() { restarts_.fetch_add(1, std::memory_order_relaxed); }
  void count_retried_run() { retried_runs_.fetch_add(1, std::memory_order_relaxed); }

 private:
  const std::string name_;
  std::atomic<WorkerState> state_ = WorkerState::kStopped;
  std::atomic<pid_t> pid_ = 0;
  std::atomic<pid_t> spare_pid_ = 0;
  std::atomic<uint64_t> ends_[std::size(kEndCauses)] = {};
  std::atomic<uint64_t> restarts_ = 0;
  std::atomic<uint64_t> retried_runs_ = 0;
};

// A record for a worker that begins; it is listed as long as somebody holds it. Two of one name
// become "name" and "name#2".
std::shared_ptr<WorkerRecord> add_worker_record(std::string_view name);
std::vector<std::shared_ptr<const WorkerRecord>> worker_records();

// The quarantine of this process: it outlives a worker, and the engine that a model of its own had.
Quarantine& process_quarantine();

}  // namespace supernova::engine::worker
