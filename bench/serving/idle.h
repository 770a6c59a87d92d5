// What a server costs that nobody asks anything: time to be ready, memory, idle connections.
#pragma once

#include "rounds.h"

namespace supernova::bench {

struct IdleCosts {
  double ready_ms = 0;  // from the start of the program to its ready line, one small model
  double floor_ready_ms = 0;
  double resident_mb = 0;  // with one small model that has answered once
  double floor_resident_mb = 0;
  int further_models = 0;
  double kb_per_model = 0;  // each further small model
  int connections = 0;      // idle ones that were reached
  double kb_per_connection = 0;
  double p99_before = 0;  // microseconds, of 8 active connections without idle ones
  double p99_beside = 0;  // and beside them
};

base::Result<IdleCosts> measure_idle(const Options& options, const BenchModel& model);

}  // namespace supernova::bench
