// The models that are measured, made on the spot with weights from a fixed rule.
#pragma once

#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace supernova::bench {

struct BenchModel {
  std::string name;
  std::string onnx;  // content of the file
  std::string input;
  std::vector<int64_t> shape;
  size_t output_bytes;
};

// 16 -> 32 -> 4: what a request costs beside the inference.
BenchModel small_mlp();
// 16 -> 1024 -> 1024 -> 1024 -> 4: small to send, and a fraction of a millisecond to run.
BenchModel wide_mlp();
// The layers of SqueezeNet 1.1 on a 224 x 224 picture (602,112 bytes of input, 0.35 GFLOP).
BenchModel convnet();

// What the model is asked with.
std::vector<tensor::Tensor> bench_inputs(const BenchModel& model);

}  // namespace supernova::bench
