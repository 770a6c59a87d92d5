// What the families of infer_*.cc share; private to the folder.
#pragma once

#include <map>
#include <string_view>

#include "import/graph/infer.h"

namespace supernova::import::graph {

// A node whose outputs are to be typed. Inputs that are left out read as nothing known.
class Inference {
 public:
  Inference(Model& model, Node& node) : model_(model), node_(node) {}

  Model& model() { return model_; }
  const Node& node() const { return node_; }
  size_t input_count() const { return node_.inputs.size(); }
  const Value* input(size_t i) const { return i < node_.inputs.size() ? node_.inputs[i] : nullptr; }
  const Type& type(size_t i) const;
  tensor::DataType data_type(size_t i) const { return type(i).data_type; }
  bool rank_known(size_t i) const { return type(i).rank_known; }
  const Dims& dims(size_t i) const { return type(i).dims; }
  // Content of an integer input as numbers, where it is known.
  std::optional<std::vector<int64_t>> integers(size_t i) const;
  // As sizes, where it is known in terms of them.
  std::optional<Dims> elements(size_t i) const;
  // An axis in [0, rank), counted from the end where negative; an error beyond.
  static base::Result<size_t> axis(int64_t axis, size_t rank);

  // Results; an output that nobody wants is passed over.
  void set(size_t i, Type type);
  void set(size_t i, tensor::DataType data_type, Dims dims) {
    set(i, Type::of(data_type, std::move(dims)));
  }
  void set_unknown(size_t i, tensor::DataType data_type) {
    set(i, Type::of_unknown_rank(data_type));
  }
  // `rank` sizes that nothing is known of.
  static Dims unknown_dims(size_t rank);

 private:
  Model& model_;
  Node& node_;
};

using InferFunction = base::Status (*)(Inference&);
using InferTable = std::map<std::string_view, InferFunction>;

void add_elementwise(InferTable& table);
void add_shape_operators(InferTable& table);
void add_indexing(InferTable& table);
void add_neural(InferTable& table);
void add_reductions(InferTable& table);
void add_quantisation(InferTable& table);
void add_control_flow(InferTable& table);

// Sizes of two operands of an element-wise operator joined; an error where they don't fit.
base::Result<Dims> broadcast(const Dims& a, const Dims& b);

}  // namespace supernova::import::graph
