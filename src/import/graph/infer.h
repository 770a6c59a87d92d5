// Type and shape of a node's outputs, and their content where it can be computed now. One table
// over the operators that importers make, by family (infer_*.cc). Formulas: the ONNX operator
// specification, opset 17.
#pragma once

#include "base/status.h"
#include "import/graph/graph.h"

namespace supernova::import::graph {

// Fills the outputs' types; they exist already. An error says which rule the inputs break. An
// operator that isn't in the table is an error too: nothing unknown leaves an importer.
base::Status infer(Model& model, Node& node);
// Whether `op` of the default domain is in the table.
bool is_known(std::string_view op);
// Computes the outputs' content where all inputs are known: Value::constant for weights (layout,
// type and arithmetic changes of up to a few million elements), Value::elements for shape
// arithmetic. False when it can't be computed now.
bool fold(Model& model, const Node& node);

}  // namespace supernova::import::graph
