// Whether a device still works, for failures that don't say: a graph of one addition is opened and
// run on it, by the same provider with the same options. Blocks for as long as that takes: some
// milliseconds, where a provider compiles more. Thread-safe: one trial of a device at a time, and
// who waits for one shares its verdict.
#pragma once

#include <string>

#include "base/status.h"
#include "engine/onnxruntime/providers/provider.h"

namespace supernova::engine::onnxruntime {

enum class Trial {
  kWorks,
  kTellsNothing,  // the provider does not take the addition, or has no memory for it
  kCanNotOpen,    // so the device is lost, unless with these options nothing can be opened at all
  kIsLost
};

struct TrialVerdict {
  Trial trial = Trial::kTellsNothing;
  std::string why;  // what the trial failed of
};

TrialVerdict try_device(const Runtime& runtime, const Provider& provider, const sn_device& device,
                        const Options& options);

// The graph, ONNX; for tests.
std::string trial_model();

}  // namespace supernova::engine::onnxruntime
