#include "engine/onnxruntime/running_runs.h"

#include <algorithm>

namespace supernova::engine::onnxruntime {

OrtRunOptions* RunningRuns::begin(const sn_run& run) {
  std::lock_guard lock(mutex_);
  Running& running = running_.emplace_back(Running{&run, nullptr, false});
  if (!idle_.empty()) {
    running.options = std::move(idle_.back());
    idle_.pop_back();
  } else if (OrtRunOptions* made = nullptr; to_status(api().CreateRunOptions(&made)).ok()) {
    running.options.reset(made);
  }
  return running.options.get();
}

void RunningRuns::end(const sn_run& run) {
  std::lock_guard lock(mutex_);
  Running& running = find(run);
  // Those of a run that was told to end would end the next one too.
  if (running.options != nullptr && !running.cancelled) {
    idle_.push_back(std::move(running.options));
  }
  std::swap(running, running_.back());
  running_.pop_back();
}

bool RunningRuns::was_cancelled(const sn_run& run) {
  std::lock_guard lock(mutex_);
  return find(run).cancelled;
}

// One that is there, with the lock held.
RunningRuns::Running& RunningRuns::find(const sn_run& run) {
  return *std::find_if(running_.begin(), running_.end(),
                       [&run](const Running& one) { return one.run == &run; });
}

void RunningRuns::cancel(const sn_run& run) {
  std::lock_guard lock(mutex_);
  for (Running& one : running_) {
    if (one.run != &run || one.options == nullptr) continue;
    one.cancelled = true;
    to_status(api().RunOptionsSetTerminate(one.options.get())).IgnoreError();
  }
}

}  // namespace supernova::engine::onnxruntime
