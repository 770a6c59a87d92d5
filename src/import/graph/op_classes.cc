#include "import/graph/op_classes.h"

namespace supernova::import::graph {

// clang-format off
const std::set<std::string_view>& unary_operators() {
  static const std::set<std::string_view> operators = {
      "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cast", "Ceil", "Celu", "Clip",
      "Cos", "Cosh", "Elu", "Erf", "Exp", "Floor", "HardSigmoid", "HardSwish", "Identity", "IsInf",
      "IsNaN", "LeakyRelu", "Log", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Shrink",
      "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh",
      "ThresholdedRelu"};
  return operators;
}

const std::set<std::string_view>& broadcasting_operators() {
  static const std::set<std::string_view> operators = {
      "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max",
      "Mean", "Min", "Mod", "Mul", "Or", "PRelu", "Pow", "Sub", "Sum", "Where", "Xor"};
  return operators;
}
// clang-format on

}  // namespace supernova::import::graph
