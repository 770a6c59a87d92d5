// A model that has another one's inputs and outputs and nothing to compute: its signature can be
// asked for without weights and without kernels for its operators.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace supernova::engine::onnxruntime {

struct SignatureOnly {
  std::string model;                  // ONNX; "" = the model does not declare enough, or is none
  std::vector<std::string> added;     // of its inputs, those that are only outputs of the original
  std::vector<std::string> optional;  // those with a default
};

SignatureOnly signature_only(std::string_view model);

}  // namespace supernova::engine::onnxruntime
