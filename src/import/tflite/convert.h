// From the file's graphs to the hub's: walks operators in order and calls their converters.
#pragma once

#include <memory>
#include <vector>

#include "base/status.h"
#include "import/graph/graph.h"
#include "import/input_shapes.h"
#include "import/tflite/context.h"
#include "import/tflite/file.h"
#include "tensor/artefact.h"

namespace supernova::import::tflite {

// What the options ask for.
struct Wishes {
  uint32_t graph = 0;             // of the file's
  InputShapes shapes;             // fix open sizes
  bool state_as_tensors = false;  // what variables hold comes in and goes out
  bool exact_activations = false;
};

// Makes one graph of the file, read through `reader`, the model's own; `owner` keeps the file's
// bytes alive. The error lists every operator that can't be had. Notes go to the description.
base::Status convert(const File& file, Reader& reader, const std::shared_ptr<const void>& owner,
                     const Wishes& wishes, graph::Model& model,
                     tensor::ModelDescription& description);

// The results of graph `number` for these inputs, both as the file has them, with its nodes added
// to `b`; poison, with the reason noted, where the graph does not fit or graphs are nested too
// deep.
std::vector<Value*> convert_call(Builder& b, Session& session, int64_t number,
                                 const std::vector<Value*>& inputs);

}  // namespace supernova::import::tflite
