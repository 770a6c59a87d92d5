// Options of the engine, from `--option` and configurations.
#pragma once

#include <supernova/engine.h>

#include <map>
#include <string>
#include <vector>

#include "base/status.h"

namespace supernova::engine::tflite {

using Options = std::map<std::string, std::string>;

// intra_op_threads (default 1; 0 = `thread_budget`, which is also the most, unless it is 0).
base::Result<int> thread_count(const Options& options, int thread_budget);

// An external delegate: whom to load, and what it is told.
struct DelegateChoice {
  std::string library;                                       // "" = none
  std::vector<std::pair<std::string, std::string>> options;  // in the order of their keys
  std::string where;                                         // what placements call it
  bool edge_tpu = false;                                     // the Edge TPU's own library
  bool takes_custom = false;  // the file has operators that only a delegate knows
};

// What drives `device`: the library named by delegate.library with every delegate.option.KEY; on an
// Edge TPU its own library, told which of the devices; on a CPU none. FAILED_PRECONDITION for any
// other device. Nothing is loaded.
base::Result<DelegateChoice> delegate_choice(const sn_device& device, const Options& options);

// xnnpack: whether the CPU's fast kernels are used, default true.
base::Result<bool> uses_xnnpack(const Options& options);

}  // namespace supernova::engine::tflite
