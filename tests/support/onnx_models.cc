#include "support/onnx_models.h"

namespace supernova::test {
namespace {

// Small numbers that differ from each other and are exact in binary.
std::vector<float> weights(size_t count, int step) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(static_cast<int>(i * 7 + 3) % step - step / 2) / 8.0F;
  }
  return values;
}

}  // namespace

std::string identity_model(tensor::DataType type, const Dims& dims) {
  Graph graph;
  graph.input("INPUT0", onnx_type(type), dims)
      .output("OUTPUT0", onnx_type(type), dims)
      .node("Identity", {"INPUT0"}, {"OUTPUT0"});
  return onnx_model(graph);
}

std::string identity_model(const ValueType& type) {
  Graph graph;
  graph.input("x", type).output("y", type).node("Identity", {"x"}, {"y"});
  return onnx_model(graph, {{"", 18}});
}

std::string add_sub_model(const Dims& dims) {
  Graph graph;
  graph.input("INPUT0", OnnxType::kFloat, dims)
      .input("INPUT1", OnnxType::kFloat, dims)
      .output("OUTPUT0", OnnxType::kFloat, dims)
      .output("OUTPUT1", OnnxType::kFloat, dims)
      .node("Add", {"INPUT0", "INPUT1"}, {"OUTPUT0"})
      .node("Sub", {"INPUT0", "INPUT1"}, {"OUTPUT1"});
  return onnx_model(graph);
}

std::string mlp_model() {
  Graph graph;
  graph.input("input", OnnxType::kFloat, {"batch", 16})
      .output("output", OnnxType::kFloat, {"batch", 4})
      .initializer(float_tensor("w0", {16, 32}, weights(16 * 32, 17)))
      .initializer(float_tensor("b0", {32}, weights(32, 5)))
      .initializer(float_tensor("w1", {32, 4}, weights(32 * 4, 11)))
      .initializer(float_tensor("b1", {4}, weights(4, 3)))
      .node("Gemm", {"input", "w0", "b0"}, {"hidden"})
      .node("Relu", {"hidden"}, {"positive"})
      .node("Gemm", {"positive", "w1", "b1"}, {"output"});
  return onnx_model(graph);
}

std::string upper_case_model() {
  Graph graph;
  graph.input("TEXT", OnnxType::kString, {"n"})
      .output("UPPER", OnnxType::kString, {"m"})
      .node("StringNormalizer", {"TEXT"}, {"UPPER"},
            // The default locale, en_US, is not installed everywhere.
            {attribute_string("case_change_action", "UPPER"), attribute_string("locale", "C")});
  return onnx_model(graph);
}

std::string nonzero_model() {
  Graph graph;
  graph.input("input", OnnxType::kFloat, {"n"})
      .output("output", OnnxType::kInt64, {1, "m"})
      .node("NonZero", {"input"}, {"output"});
  return onnx_model(graph);
}

std::string if_model() {
  Graph then_branch("then");
  then_branch.output("sum", OnnxType::kFloat, {"n"}).node("Add", {"x", "x"}, {"sum"});
  Graph else_branch("else");
  else_branch.output("product", OnnxType::kFloat, {"n"}).node("Mul", {"x", "x"}, {"product"});
  Graph graph;
  graph.input("condition", OnnxType::kBool, {})
      .input("x", OnnxType::kFloat, {"n"})
      .output("y", OnnxType::kFloat, {"n"})
      .node("If", {"condition"}, {"y"},
            {attribute_graph("then_branch", then_branch),
             attribute_graph("else_branch", else_branch)});
  return onnx_model(graph);
}

std::string loop_model() {
  Graph body("body");
  body.input("iteration", OnnxType::kInt64, {})
      .input("go_on", OnnxType::kBool, {})
      .input("value", OnnxType::kFloat, {"n"})
      .output("still", OnnxType::kBool, {})
      .output("doubled", OnnxType::kFloat, {"n"})
      .node("Identity", {"go_on"}, {"still"})
      .node("Add", {"value", "value"}, {"doubled"});
  Graph graph;
  graph.input("count", OnnxType::kInt64, {})
      .input("x", OnnxType::kFloat, {"n"})
      .output("y", OnnxType::kFloat, {"n"})
      .initializer(bool_tensor("yes", {}, {1}))
      .node("Loop", {"count", "yes", "x"}, {"y"}, {attribute_graph("body", body)});
  return onnx_model(graph);
}

std::string optional_input_model() {
  Graph graph;
  graph.input("x", OnnxType::kFloat, {2})
      .input("w", OnnxType::kFloat, {2})
      .output("y", OnnxType::kFloat, {2})
      .initializer(float_tensor("w", {2}, {10, 20}))
      .node("Add", {"x", "w"}, {"y"});
  return onnx_model(graph);
}

std::string wrong_output_shape_model() {
  Graph graph;
  // The runtime infers the shape of most operators and refuses a declaration that contradicts it; a
  // reshape to a computed shape can't be inferred.
  graph.input("x", OnnxType::kFloat, {"a", "b"})
      .output("y", OnnxType::kFloat, {1, 2})
      .node("Shape", {"x"}, {"shape"})
      .node("Abs", {"shape"}, {"positive"})
      .node("Reshape", {"x", "positive"}, {"y"});
  return onnx_model(graph);
}

std::string external_data_model(const std::string& file) {
  OnnxTensor w = float_tensor("w", {2}, {});
  w.external_file = file;
  w.external_length = 2 * sizeof(float);
  Graph graph;
  graph.input("x", OnnxType::kFloat, {2})
      .output("y", OnnxType::kFloat, {2})
      .initializer(w)
      .node("Add", {"x", "w"}, {"y"});
  return onnx_model(graph);
}

}  // namespace supernova::test
