#include "protocol/metrics/worker_metrics.h"

#include "base/process_usage.h"

namespace supernova::protocol::metrics {
namespace {

using engine::worker::EndCause;
using engine::worker::WorkerState;

uint64_t resident_bytes(pid_t pid) {
  return base::process_usage("/proc", std::to_string(pid)).resident_bytes;
}

}  // namespace

void write_worker_metrics(const WorkerRecords& workers, Exposition& out) {
  if (workers.empty()) return;
  out.family("supernova_worker_state", MetricType::kGauge,
             "1 for the state that the worker of an engine is in");
  for (const auto& worker : workers) {
    for (const WorkerState state : {WorkerState::kStarting, WorkerState::kReady,
                                    WorkerState::kWaiting, WorkerState::kStopped}) {
      out.sample({{"worker", worker->name()}, {"state", std::string(worker_state_name(state))}},
                 uint64_t{worker->state() == state});
    }
  }
  out.family("supernova_worker_restarts_total", MetricType::kCounter,
             "Processes that took the place of one that ended");
  for (const auto& worker : workers) out.sample({{"worker", worker->name()}}, worker->restarts());
  out.family("supernova_worker_ends_total", MetricType::kCounter,
             "Processes that ended, by the cause");
  for (const auto& worker : workers) {
    for (const EndCause cause : engine::worker::kEndCauses) {
      out.sample({{"worker", worker->name()}, {"cause", std::string(end_cause_name(cause))}},
                 worker->ends(cause));
    }
  }
  out.family("supernova_worker_retried_runs_total", MetricType::kCounter,
             "Runs that lost their process and were tried again in the next one");
  for (const auto& worker : workers) {
    out.sample({{"worker", worker->name()}}, worker->retried_runs());
  }
  out.family("supernova_worker_resident_memory_bytes", MetricType::kGauge,
             "Memory in RAM of the process that runs, and of the one that is kept ready");
  for (const auto& worker : workers) {
    if (const pid_t pid = worker->pid(); pid > 0) {
      out.sample({{"worker", worker->name()}, {"role", "active"}}, resident_bytes(pid));
    }
    if (const pid_t pid = worker->spare_pid(); pid > 0) {
      out.sample({{"worker", worker->name()}, {"role", "spare"}}, resident_bytes(pid));
    }
  }
}

}  // namespace supernova::protocol::metrics
