// Flags for the processes in which engines run.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/catalogue.h"
#include "engine/option_names.h"

namespace supernova::apps {

struct WorkerOptions {
  std::vector<std::string> isolation;  // [ENGINE=]in-process|worker|own-worker
  uint64_t memory_bytes = 0;
  int64_t run_timeout_ms = 0;
  int64_t load_timeout_ms = engine::kDefaultLoadTimeout.count();

  void add_to(CLI::App& command);
  base::Result<engine::WorkerRules> rules() const;
};

}  // namespace supernova::apps
