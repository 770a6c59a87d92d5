// The metrics of the processes in which engines run. Pure but for the look at their memory.
#pragma once

#include <memory>
#include <vector>

#include "engine/worker/worker_status.h"
#include "protocol/metrics/exposition.h"

namespace supernova::protocol::metrics {

using WorkerRecords = std::vector<std::shared_ptr<const engine::worker::WorkerRecord>>;
void write_worker_metrics(const WorkerRecords& workers, Exposition& out);

}  // namespace supernova::protocol::metrics
