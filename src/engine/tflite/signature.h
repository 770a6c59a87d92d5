// What a model takes and gives, read from its file: the C interface doesn't tell which sizes are
// open. Names, types and sizes are those that an import of the file has, so that a model looks the
// same whichever engine runs it.
#pragma once

#include <supernova/engine.h>

#include <string>
#include <vector>

#include "base/status.h"
#include "engine/tflite/model_bytes.h"
#include "engine/tflite/options.h"
#include "tensor/tflite/file.h"

namespace supernova::engine::tflite {

// An input or output of the graph.
struct Value {
  std::string name;
  int32_t position = 0;  // among the graph's inputs or outputs
  int32_t dtype = SN_DTYPE_INVALID;
  std::vector<int64_t> dims;             // -1 = open
  std::vector<std::string> dim_names;    // "" = none
  std::vector<const char*> dim_symbols;  // into dim_names
};

struct Values {
  std::vector<Value> inputs;
  std::vector<Value> outputs;
};

// Refuses, by name and type, what can't be served.
base::Result<Values> read_values(const tensor::tflite::SubGraph& graph);

// Makes the graph of the signature that the option names the first one, which is the one that the
// runtime runs; true where that changed the bytes.
base::Result<bool> choose_graph(const tensor::tflite::File& file, const Options& options,
                                ModelBytes& bytes);

// Refuses graphs in which a request would change what the next one sees.
base::Status check_stateless(const tensor::tflite::File& file);

// As placements show it: "ADD", or a custom operator's own name.
std::string shown_name(const tensor::tflite::Operator& op);

// Whether the file was compiled for the Edge TPU.
bool is_edge_tpu_operator(const tensor::tflite::Operator& op);
bool needs_edge_tpu(const tensor::tflite::File& file);

}  // namespace supernova::engine::tflite
