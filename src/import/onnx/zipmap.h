// ZipMap, the last node of many ONNX-ML classifiers, turns a probability tensor into a sequence of
// maps, which no inference protocol carries. It is replaced by Identity, so that its public name
// carries the plain tensor (rewrite.h does it).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "import/onnx/summary.h"
#include "tensor/tensor.h"

namespace supernova::import::onnx {

struct ZipMapPlan {
  ZipMap zipmap;
  tensor::TensorInfo output;  // FP32 [-1, number of classes]
};

// The ZipMaps whose result is an output of the graph and nothing else.
base::Result<std::vector<ZipMapPlan>> plan_zipmaps(std::string_view file,
                                                   const ModelSummary& summary);
// "output 'probabilities': ZipMap removed; its columns are setosa, versicolor, virginica"
std::string zipmap_note(const ZipMapPlan& plan);

}  // namespace supernova::import::onnx
