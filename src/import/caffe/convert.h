// A net and its weights as a graph of the hub.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "import/caffe/net.h"
#include "import/caffe/weights.h"
#include "import/graph/graph.h"
#include "tensor/artefact.h"

namespace supernova::import::caffe {

struct Converted {
  graph::Model model;
  std::vector<std::string> notes;
};

// Outputs are the blobs that no layer reads, in the order they are made. With `symbolic_batch` the
// first axis of every input is the symbol "batch". `weights` may be null. The error lists every
// layer that can't be had.
base::Result<Converted> convert(const Net& net, const Weights* weights,
                                const tensor::Options& options, bool symbolic_batch);

}  // namespace supernova::import::caffe
