// How the inputs and outputs of a TensorFlow Lite graph are called outside, whoever runs it.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tflite/file.h"

namespace supernova::tensor::tflite {

// Whether a text of the file can be shown as a name.
bool is_name(std::string_view text);

// Public names: the tensors' own; "input0" where there is none, "x_1" where it is taken. Inputs
// first, then outputs, each by its position.
class Names {
 public:
  std::string give(const TensorDef& def, std::string_view side, size_t position);

 private:
  std::set<std::string> taken_;
};

// How errors, profiles and placements call an operator: by its first result, as the file has no
// other name; "#3" where that has none.
std::string node_name(const SubGraph& graph, const Operator& op, size_t number);

}  // namespace supernova::tensor::tflite
