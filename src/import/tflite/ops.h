// The operators of TensorFlow Lite; the files in ops/ fill the table.
#pragma once

#include "import/graph/op_table.h"
#include "import/tflite/context.h"

namespace supernova::import::tflite {

using OpTable = graph::OpTable<Context>;

// Generated from the files in ops/.
void register_ops(OpTable& table);
const OpTable& op_table();  // all of them

// Names of the variables that a request sets.
std::set<std::string> changing_variables(const File& file);

}  // namespace supernova::import::tflite
