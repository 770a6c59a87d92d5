// The trained weights in a .caffemodel: a binary NetParameter, read in place. Only names, types and
// blobs of its layers are used; what the layers do comes from the net's text. Field numbers:
// Caffe's caffe.proto (BVLC, BSD licence); raw_data: NVIDIA's fork.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "import/graph/constant.h"

namespace supernova::import::caffe {

struct LayerWeights {
  std::string type;                    // in the newer form's words; "" = not said
  std::vector<graph::Constant> blobs;  // FP32, views into the file wherever it holds such
};

struct Weights {
  std::string net;
  bool old_layers = false;
  // By layer name; where a name comes twice, the last one with blobs, as Caffe copies them.
  std::map<std::string, LayerWeights, std::less<>> layers;
};

// Whether the outermost fields are a NetParameter's and a layer is among them.
bool is_weights(std::string_view file);
// `owner` keeps the bytes alive.
base::Result<Weights> read_weights(std::string_view file, std::shared_ptr<const void> owner);

}  // namespace supernova::import::caffe
