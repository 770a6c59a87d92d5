// A model's configuration in use: what was given plus what was derived from the model itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace supernova::model {

struct ModelConfig {
  std::string name;
  std::string platform;        // "onnxruntime_onnx"
  std::string backend;         // "onnxruntime"
  int64_t max_batch_size = 0;  // 0: shapes are whole
  std::vector<tensor::TensorInfo> inputs;
  std::vector<tensor::TensorInfo> outputs;
  std::string default_model_filename;  // "model.onnx"
  std::vector<std::pair<std::string, std::string>> parameters;
};

}  // namespace supernova::model
