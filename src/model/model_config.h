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

// A tensor that clients send or see in another shape than the engine does: the same elements in the
// same order. Whole shapes, and the -1 of one stand for the -1 of the other in their order.
struct Reshape {
  std::string name;
  tensor::Shape client;
  tensor::Shape engine;
};

struct ModelConfig {
  // Complete: what the `config` calls of every protocol answer. Never null in a ready version.
  std::shared_ptr<const inference::ModelConfig> proto;
  // The signature as clients see it: whole shapes, with the batch dimension.
  std::vector<tensor::TensorInfo> inputs;
  std::vector<tensor::TensorInfo> outputs;
  std::map<std::string, std::vector<std::string>> labels;  // of classification, by output
  std::vector<Reshape> input_reshapes;                     // where there is one
  std::vector<Reshape> output_reshapes;
};

}  // namespace supernova::model
