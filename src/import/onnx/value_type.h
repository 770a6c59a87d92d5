// The declared type of a graph's input or output.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "import/onnx/schema.h"

namespace supernova::import::onnx {

enum class Wrapper { kSequence, kOptional, kMap };

struct ValueType {
  std::string words;   // in ONNX's own words: "sequence(tensor(float))"; "" = not declared
  bool dense = false;  // a dense tensor, inside of what `wrappers` says
  std::vector<Wrapper> wrappers;  // outermost first; a map wraps its values
  int64_t element_type = 0;       // of the tensor; 0 = not declared
  bool rank_known = false;
  std::vector<int64_t> shape;  // -1 = may vary
  std::vector<std::string> dim_names;

  bool is_tensor() const { return dense && wrappers.empty(); }
};

// Reads a TypeProto. Refuses types nested deeper than 16, and more than 64 dimensions.
base::Result<ValueType> parse_type(Place place, int depth = 0);

}  // namespace supernova::import::onnx
