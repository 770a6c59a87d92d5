// The `model_warmup` section of a configuration: requests that run on every instance before the
// version is ready.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "engine/engine.h"
#include "model/model_config.h"

namespace supernova::model {

// Files of samples lie in this folder of a model's.
inline constexpr char kWarmUpFolder[] = "warmup";

struct WarmUpSample {
  std::string what;  // for messages
  uint32_t times = 1;
  tensor::Request request;  // as the engine takes it
};

// One for each entry of the section; `folder` is the model's, "" = it has none. An error names the
// sample, the input, and what to write instead.
base::Result<std::vector<WarmUpSample>> make_warm_up_samples(const ModelConfig& config,
                                                             const engine::Signature& signature,
                                                             const std::string& folder);

// Each of the samples as often as it says, one run after the other; the first that fails.
base::Status run_samples(engine::Session& session, const std::vector<WarmUpSample>& samples,
                         std::chrono::milliseconds most);

}  // namespace supernova::model
