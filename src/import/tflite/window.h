// Windows that slide over an image: convolutions and poolings. TensorFlow's padding: "SAME" gives
// ceil(size / stride) results with the padding split evenly, the odd one at the end.
#pragma once

#include <vector>

#include "import/tflite/context.h"

namespace supernova::import::tflite {

enum class Padding : int8_t { kSame = 0, kValid = 1 };

struct Window {
  std::vector<int64_t> kernel;
  std::vector<int64_t> strides;
  std::vector<int64_t> dilations;
  Padding padding = Padding::kValid;
};

// Padding before and after along one axis.
std::pair<int64_t, int64_t> same_padding(int64_t size, int64_t kernel, int64_t stride,
                                         int64_t dilation);
// ONNX attributes for a convolution over `spatial` sizes; fails in `c` for impossible numbers.
Attributes window_attributes(Context& c, const Window& window, const Dims& spatial);
// The same for a pooling. Its padding is named wherever it can be: ONNX Runtime joins a Pad
// with a pooling that has numbers, though zeros differ from what a pooling pads with.
Attributes pooling_attributes(Context& c, const Window& window, const Dims& spatial);
// The sizes between batch and channels of input i of [n, ..., c]; empty after a failure.
Dims spatial_dims(Context& c, size_t i, size_t count);

}  // namespace supernova::import::tflite
