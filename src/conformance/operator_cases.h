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
  // The model, where it is not `build` as ONNX: inputs x0, x1, ... and the output y.
  std::function<base::Result<tensor::Artefact>()> artefact;
};

std::vector<OperatorCase> operator_cases();
// The same few operators over every datatype.
std::vector<OperatorCase> data_type_cases();

// The case as a model.
base::Result<tensor::Artefact> to_artefact(const OperatorCase& operator_case);

// The numbers of made-up weights, the same in every format.
Array made_up_weights(const tensor::Shape& shape, uint64_t seed, double size = 0.5);

// A window over two axes of four, channels second (NCHW).
struct Window {
  int64_t kernel = 3;
  int64_t stride = 1;
  int64_t pad = 1;
  int64_t dilation = 1;
  int64_t group = 1;
  int64_t of(int64_t size) const;
};
// What Conv gives for weights [out, in / group, kernel, kernel] and a bias.
Array convolved(const Array& x, const Window& window, const Array& weights, const Array& bias);
// "MaxPool" or "AveragePool"; what lies outside counts for nothing.
Array pooled(const Array& x, const Window& window, std::string_view op);
// y[i] = f(a[i], b[i]); b is repeated along the axes where its size is 1.
Array broadcast(const Array& a, const Array& b, const std::function<double(double, double)>& f);

}  // namespace supernova::conformance
