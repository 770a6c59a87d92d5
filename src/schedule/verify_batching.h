// Whether a model answers the items of a batch as it answers each alone. A first dimension that may
// vary is no proof: it may be time.
#pragma once

#include <string>
#include <vector>

#include "engine/engine.h"

namespace supernova::schedule {

struct BatchProof {
  enum class Outcome {
    kSame,     // tried, and the answers agree
    kDiffers,  // batching would change answers, or can't work: it must stay off
    kUnknown,  // it could not be tried on made-up values; the configuration's word counts
  };
  Outcome outcome = Outcome::kUnknown;
  std::string reason;  // "" where they agree
};

// Runs made-up items alone and as a batch (of at most max_batch_size) in the idle session. Inputs
// and outputs as the model describes them (ModelDescription), in the engine's shapes, so with the
// batch dimension.
BatchProof verify_batching(engine::Session& session, const std::vector<tensor::TensorInfo>& inputs,
                           const std::vector<tensor::TensorInfo>& outputs, size_t max_batch_size);

}  // namespace supernova::schedule
