// A model's configuration in use: what was given plus what was derived from the model itself.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace inference {
class ModelConfig;  // proto/model_config.proto; include "model_config.pb.h" to look inside
}

namespace supernova::model {

struct ModelConfig {
  // Complete: what the `config` calls of every protocol answer. Never null in a ready version.
  std::shared_ptr<const inference::ModelConfig> proto;
  // The signature as clients see it: whole shapes, with the batch dimension.
  std::vector<tensor::TensorInfo> inputs;
  std::vector<tensor::TensorInfo> outputs;
  std::map<std::string, std::vector<std::string>> labels;  // of classification, by output
};

}  // namespace supernova::model
