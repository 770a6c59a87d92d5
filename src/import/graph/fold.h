// The two ways in which a node is computed while the graph is made; private to the folder. Both
// return whether the outputs are constants now.
#pragma once

#include "import/graph/graph.h"

namespace supernova::import::graph {

bool fold_sizes(const Node& node);
// Where all inputs are constants.
bool fold_constants(const Node& node);

}  // namespace supernova::import::graph
