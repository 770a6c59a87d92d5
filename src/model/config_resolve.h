// Completes and checks a configuration against the model it is for. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/placement.h"
#include "model/model_config.h"
#include "model_config.pb.h"

namespace supernova::model {

// Where instances of a group are.
struct GroupPlace {
  std::string group;
  std::string device;  // "nvidia:1"
  bool cpu = true;
  int gpu = -1;          // number among the GPUs; -1 = it is none
  std::string fallback;  // which nodes do not run on the device; "" = none
};

// What is known of the model without its configuration.
struct ModelFacts {
  std::string name;
  std::string engine;  // "onnxruntime"
  std::string format;  // of the artefact: "onnx"
  std::string file;    // the model file's name
  std::vector<tensor::TensorInfo> inputs;
  std::vector<tensor::TensorInfo> outputs;
  std::string folder;  // the model's folder in its repository, for label files; "" = none
  std::vector<GroupPlace> places;  // of its instances; empty = all on the CPU
  std::string source_format;       // what the artefact was made from; "" = `format`
};

using engine::kCpuFallbackParameter;

// Derives everything derivable where `given` is silent (null: everywhere); refuses, naming field
// and remedy, what contradicts the model (INVALID_ARGUMENT) and what asks for another behaviour
// than the server has: sequences, ensembles, decoupled responses, batch inputs, repository agents
// (UNIMPLEMENTED). Warnings say what is accepted but has no effect. Reads label files; else pure.
base::Result<ModelConfig> resolve_config(const inference::ModelConfig* given,
                                         const ModelFacts& facts,
                                         std::vector<std::string>& warnings);

}  // namespace supernova::model
