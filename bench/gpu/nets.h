// Picture classifiers that are measured on graphics processors, made on the spot: the layers of two
// well-known nets with weights from a fixed rule, batch normalisation folded into the convolutions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/tensor.h"

namespace supernova::bench {

struct Net {
  std::string onnx;  // content of the file
  tensor::DataType type = tensor::DataType::kFp32;
  tensor::Shape input;  // [batch, 3, size, size]
};

// "resnet50": 7x7, then bottlenecks 3-4-6-3 (25 million weights); "mobilenet": version 1, 3x3
// layers of one channel each and 1x1 layers (4 million). FP32 or FP16.
base::Result<Net> make_net(std::string_view name, tensor::DataType type, int64_t batch,
                           int64_t size);

// What the net is asked with; the same every time.
tensor::Tensor picture(const Net& net);

// As numbers, of either type.
std::vector<float> numbers(std::string_view bytes, tensor::DataType type);

}  // namespace supernova::bench
