// Small helpers of the passes; private to the folder.
#pragma once

#include <functional>
#include <vector>

#include "import/graph/graph.h"

namespace supernova::import::graph {

// Calls `use` for each body (of If, Loop, Scan) of the node.
void each_body(const Node& node, const std::function<void(Graph&)>& use);
// Makes every value point at the node that gives it, after nodes have moved.
void link_producers(Graph& graph);
// Values of other graphs that a body and the bodies inside it read.
std::vector<Value*> captured(const Graph& body);

using Permutation = std::vector<int64_t>;
bool is_identity(const Permutation& order);
Permutation inverse(const Permutation& order);
// What one Transpose by `first` and another by `second` do together.
Permutation compose(const Permutation& first, const Permutation& second);

}  // namespace supernova::import::graph
