// The operators of TensorFlow Lite; the files in ops/ fill the table.
#pragma once

#include "import/graph/op_table.h"
#include "import/tflite/context.h"

namespace supernova::import::tflite {

using OpTable = graph::OpTable<Context>;

// Generated from the files in ops/.
void register_ops(OpTable& table);
const OpTable& op_table();  // all of them

}  // namespace supernova::import::tflite
