// The `input` and `output` sections of a configuration, completed and checked against the model.
// For the files of this folder only.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "model/model_config.h"
#include "model_config.pb.h"

namespace supernova::model {

// Completes proto's sections and fills `config`'s inputs, outputs and reshapes from them. Entries
// that are written keep their order, the model's others follow. `proto.max_batch_size()` is final.
base::Status resolve_tensors(const std::vector<tensor::TensorInfo>& inputs,
                             const std::vector<tensor::TensorInfo>& outputs,
                             inference::ModelConfig& proto, ModelConfig& config,
                             std::vector<std::string>& warnings);

}  // namespace supernova::model
