// What the importer needs to know of a model file, read in one walk over it. Views point into the
// file.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/status.h"
#include "import/onnx/external_data.h"
#include "import/onnx/value_type.h"

namespace supernova::import::onnx {

struct GraphValue {
  std::string_view name;
  ValueType type;
};

// A ZipMap of the outermost graph: turns a probability tensor into a sequence of maps.
struct ZipMap {
  size_t node_index = 0;  // among the graph's nodes
  std::string_view name;
  std::string_view input;
  std::string_view output;
  std::vector<std::string> labels;
};

struct ModelSummary {
  int64_t ir_version = 0;
  std::string_view producer_name;
  std::string_view producer_version;
  std::vector<std::pair<std::string, int64_t>> opsets;  // "" = the default domain
  bool has_graph = false;
  std::string_view graph;
  size_t node_count = 0;                                  // of the outermost graph
  std::map<std::string, int64_t, std::less<>> operators;  // subgraphs and functions included
  std::vector<GraphValue> inputs;  // as declared, those with an initializer included
  std::vector<GraphValue> outputs;
  std::unordered_set<std::string_view> initializers;  // of the outermost graph
  std::vector<ExternalTensor> external;               // at all levels
  std::vector<ZipMap> zipmaps;
};

// Walks a whole ModelProto. Refuses broken wire format, subgraphs nested deeper than 64 levels,
// more than 65536 inputs or outputs and more than 10000 different operators.
base::Result<ModelSummary> summarise(std::string_view file);

}  // namespace supernova::import::onnx
