// The hub's graph while it is being made: values with a type and a shape, nodes in the order they
// run, weights by reference. Importers make it through Builder (builder.h), passes (passes.h)
// change it, write_onnx (write_onnx.h) turns it into a file. One thread at a time.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "import/graph/constant.h"
#include "import/graph/dim.h"

namespace supernova::import::graph {

class Graph;
struct Node;

// What may be known of a value before it runs.
struct Type {
  tensor::DataType data_type = tensor::DataType::kInvalid;  // kInvalid = not known
  bool rank_known = false;
  Dims dims;  // with rank_known

  static Type of(tensor::DataType data_type, Dims dims) {
    return {data_type, true, std::move(dims)};
  }
  static Type of_unknown_rank(tensor::DataType data_type) { return {data_type, false, {}}; }
};

// One tensor: a graph's input, a constant, or an output of a node. Owned by its Model, at one
// address for as long as that lives; a subgraph reads values of the graphs around it directly.
struct Value {
  std::string name;  // unique in the model when it is written
  Type type;
  std::optional<Constant> constant;  // content, where it is known
  // Content of a small INT64 or INT32 tensor of at most one axis, where it is known in terms of
  // sizes: how a shape that is computed inside the graph stays known.
  std::optional<Dims> elements;
  const Node* producer = nullptr;  // none for inputs and constants
  // Stands for what could not be made: nodes that would read it are not made, and no error comes of
  // it beyond the one that was noted when it was made.
  bool poison = false;

  const Dims& dims() const { return type.dims; }
  size_t rank() const { return type.dims.size(); }
};

using Attribute =
    std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                 std::vector<std::string>, Constant, std::shared_ptr<Graph>>;
using Attributes = std::vector<std::pair<std::string, Attribute>>;

struct Node {
  std::string op;
  std::string domain;           // "" = ai.onnx
  std::vector<Value*> inputs;   // null = an optional input that is left out
  std::vector<Value*> outputs;  // null = an optional output that is left out
  Attributes attributes;
  std::string source;  // name of the source's operator that this was made from

  const Attribute* find(std::string_view name) const;
  int64_t int_or(std::string_view name, int64_t otherwise) const;
  float float_or(std::string_view name, float otherwise) const;
  std::string string_or(std::string_view name, std::string_view otherwise) const;
  std::vector<int64_t> ints_or(std::string_view name, std::vector<int64_t> otherwise) const;
};

// A list of nodes with inputs and outputs; the model's own, or the body of an If or Loop.
class Graph {
 public:
  std::string name;
  std::vector<Value*> inputs;
  std::vector<Value*> outputs;
  std::deque<Node> nodes;  // addresses stay when nodes are added at the end
};

// What makes one ONNX file.
class Model {
 public:
  Graph graph;
  int64_t opset = 17;
  // Opsets of other domains in use; "com.microsoft" -> 1.
  std::vector<std::pair<std::string, int64_t>> domains;
  std::string producer_name;
  std::vector<std::pair<std::string, std::string>> metadata;

  Value* new_value(std::string_view name_hint);
  // A size of its own that nothing else has.
  static Dim fresh_dim();
  const std::deque<Value>& values() const { return values_; }
  std::deque<Value>& values() { return values_; }

 private:
  std::deque<Value> values_;
};

}  // namespace supernova::import::graph
