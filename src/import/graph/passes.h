// Changes and checks of a finished graph; all deterministic.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "import/graph/graph.h"

namespace supernova::import::graph {

// Large constants that were widened from FP16 become FP16 behind a Cast, half as large in the file;
// the runtime widens them when it opens the model. Last of what changes the graph.
void keep_halves(Model& model);
// Removes nodes and constants that no output needs. Inputs of the graph stay.
void remove_unused(Model& model);
// Lets go of the content of constants that no node reads: copies in another layout or type are as
// large as the weights.
void release_unused(Model& model);
// Moves Transpose nodes down through operators that do not care about the order of axes (or whose
// axis attributes can be renumbered), joins and cancels them, so that a graph imported from NHWC
// runs its convolutions in NCHW with transposes at its ends only. Inputs and outputs keep their
// layout.
void cancel_transposes(Model& model);
// One node for equal nodes over equal inputs.
void merge_equal(Model& model);
// HardSigmoid for its parts, a softmax over channels of large pictures in parts, poolings for means
// over pictures: what the runtime is quicker with.
void use_quicker_forms(Model& model);
// Unique, non-empty names for every value and node; graph inputs and outputs keep theirs.
void name_all(Model& model);
// Everything above, in the right order.
void optimise(Model& model);

// Refuses operators, attributes and types that the model's opset doesn't have.
base::Status check_target(const Model& model);

// Whether items along the first axis of all inputs are computed independently of each other and end
// up along the first axis of all outputs, so that requests may be joined and their results cut.
struct BatchVerdict {
  bool independent = false;
  std::string reason;  // why not: "Reshape 'flatten' mixes the first axis with others"
};
BatchVerdict batch_independence(const Model& model);

}  // namespace supernova::import::graph
