// How importers make a graph. Each call adds a node, works out type and shape of what it gives, and
// computes it at once where all it reads is known, so that shape arithmetic leaves no nodes behind.
//
// Errors do not need to be looked at after every call: the first one for a source operator is noted
// under its name, the result is a poison value, and whatever reads a poison value is poison without
// another error. So an importer walks the whole model and finish() names every operator that can't
// be had, not only the first. One thread at a time.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "import/graph/graph.h"

namespace supernova::import::graph {

// One thing that can't be imported, in the source's words.
struct Problem {
  std::string op;      // "DetectionOutput", "CUSTOM:my_op", "" = not about an operator
  std::string node;    // the operator's name, or its number where it has none
  std::string reason;  // "share_location=false is not supported"
};

class Builder {
 public:
  // Nodes go into `graph`, the model's own by default.
  explicit Builder(Model& model) : Builder(model, model.graph) {}
  Builder(Model& model, Graph& graph) : model_(model), graph_(graph) {}

  Model& model() { return model_; }
  Graph& graph() { return graph_; }

  // ---- where we are in the source
  // What is added from here on comes from this operator of the source.
  void enter(std::string_view op, std::string_view node);
  // Notes why the operator can't be had (the first reason stays) and returns a poison value.
  Value* fail(std::string_view reason);
  bool failed() const { return failed_; }  // since enter()
  const std::vector<Problem>& problems() const { return problems_; }
  // A builder for a body (of If, Loop) inside this one; its problems come back with absorb().
  Builder body(Graph& graph);
  void absorb(Builder& body);

  // ---- values
  Value* input(std::string_view name, Type type);
  // Makes `value` an output of the graph under exactly this name (through an Identity where the
  // value is an input, a constant, or an output already).
  void output(Value* value, std::string_view name);
  Value* constant(Constant content, std::string_view name_hint = "");
  Value* ints(const std::vector<int64_t>& values);  // INT64 [n]
  Value* scalar(float value);                       // FP32 []
  Value* scalar(int64_t value);                     // INT64 []
  // A scalar of the given type: FP32, FP16, BF16, FP64 or any integer.
  Value* scalar_of(tensor::DataType type, double value);
  // An INT64 [n] tensor of these sizes: a constant where all are numbers, else computed from the
  // shapes of `sources` (each symbol must be the size of an axis of one of them).
  Value* sizes(const Dims& dims, std::initializer_list<Value*> sources);

  // ---- nodes
  // One node with one output. `inputs` may hold nulls for optional ones left out.
  Value* op(std::string_view op, const std::vector<Value*>& inputs, Attributes attributes = {});
  std::vector<Value*> op_outputs(std::string_view op, const std::vector<Value*>& inputs,
                                 Attributes attributes, size_t outputs);
  // A node of another domain ("com.microsoft"), whose result types the caller states.
  std::vector<Value*> foreign(std::string_view domain, std::string_view op,
                              const std::vector<Value*>& inputs, Attributes attributes,
                              std::vector<Type> results);
  // Overrides what was inferred, where the source says more (a shape it fixed).
  void state_shape(Value* value, Dims dims);

  // ---- the common ones; they leave out nodes that would do nothing
  Value* add(Value* a, Value* b) { return op("Add", {a, b}); }
  Value* sub(Value* a, Value* b) { return op("Sub", {a, b}); }
  Value* mul(Value* a, Value* b) { return op("Mul", {a, b}); }
  Value* div(Value* a, Value* b) { return op("Div", {a, b}); }
  Value* cast(Value* x, tensor::DataType type);
  Value* transpose(Value* x, const std::vector<int64_t>& permutation);
  // To these sizes; at most one may be anything that is not a number, which becomes -1 when the
  // element count allows it.
  Value* reshape(Value* x, const Dims& dims);
  Value* reshape(Value* x, Value* shape);
  Value* flatten_to_2d(Value* x, int64_t axis);
  Value* unsqueeze(Value* x, const std::vector<int64_t>& axes);
  Value* squeeze(Value* x, const std::vector<int64_t>& axes);
  Value* concat(const std::vector<Value*>& parts, int64_t axis);
  Value* slice(Value* x, const std::vector<int64_t>& starts, const std::vector<int64_t>& ends,
               const std::vector<int64_t>& axes, const std::vector<int64_t>& steps = {});
  std::vector<Value*> split(Value* x, int64_t axis, const std::vector<int64_t>& parts);
  Value* gather(Value* x, Value* indices, int64_t axis);
  // (before, after) for each axis.
  Value* pad(Value* x, const std::vector<std::pair<int64_t, int64_t>>& pads, Value* value = nullptr,
             std::string_view mode = "constant");
  Value* clip(Value* x, float low, float high);
  Value* reduce(std::string_view op, Value* x, const std::vector<int64_t>& axes, bool keep_dims);
  Value* quantize(Value* x, Value* scale, Value* zero_point, int64_t axis = 0);
  Value* dequantize(Value* x, Value* scale, Value* zero_point, int64_t axis = 0);
  Value* resize(Value* x, std::string_view mode, std::string_view coordinates, Value* sizes,
                std::string_view nearest_mode = "floor");

  // ---- the end
  // OK, or one error that lists every problem by operator with node names.
  base::Status finish() const;

 private:
  Value* poison();
  Model& model_;
  Graph& graph_;
  std::string op_;
  std::string node_;
  bool failed_ = false;
  std::vector<Problem> problems_;
};

// "2 things can't be imported:\nDetectionOutput 'det': …;\nReorg 'a', 'b': …"; one alone without
// its first line.
inline constexpr std::string_view kProblemSeparator = ";\n";
std::string describe(const std::vector<Problem>& problems);

}  // namespace supernova::import::graph
