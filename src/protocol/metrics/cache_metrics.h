// The metrics of the response cache as a whole, under the names that Triton had for its own
// (nv_cache_*), and in bytes under ours. Pure.
#pragma once

#include "protocol/metrics/exposition.h"
#include "schedule/response_cache.h"

namespace supernova::protocol::metrics {

void write_cache_metrics(const schedule::ResponseCache::Figures& figures, Exposition& out);

}  // namespace supernova::protocol::metrics
