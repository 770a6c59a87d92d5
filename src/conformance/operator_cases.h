// One small graph for each operator, with what it must give. The expected numbers are worked out
// here in plain loops, from the definition of the operator, so that the CPU runtime is a subject
// like any other; where that would be a runtime of its own, the CPU runtime is the reference.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "conformance/array.h"
#include "import/graph/builder.h"
#include "tensor/artefact.h"

namespace supernova::conformance {

struct CaseInput {
  tensor::DataType type = tensor::DataType::kFp32;
  tensor::Shape shape;
  double low = -2;
  double high = 2;
};

struct OperatorCase {
  std::string name;
  std::vector<CaseInput> inputs;
  using Values = std::vector<import::graph::Value*>;
  // Adds the operator on these inputs; what it gives becomes the model's output.
  std::function<import::graph::Value*(import::graph::Builder&, const Values&)> build;
  // Empty = as the reference gives it.
  std::function<Array(const std::vector<Array>&)> expected;
  double tolerance = 1e-4;
};

std::vector<OperatorCase> operator_cases();
// The same few operators over every datatype.
std::vector<OperatorCase> data_type_cases();

// The case as an ONNX model with inputs x0, x1, ... and the output y; sizes of the first axis are
// the symbol "n" where `dynamic`.
base::Result<tensor::Artefact> to_onnx(const OperatorCase& operator_case, bool dynamic);

}  // namespace supernova::conformance
