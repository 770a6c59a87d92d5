// What an operator's converter works with: the operator, the values it reads, and where its results
// go. The converters of a family are in ops/; each reads its inputs as real numbers (in) or as they
// are stored (stored), builds nodes through `b`, and hands every result over (out or out_stored).
//
// Quantised tensors: `stored` is the integer tensor, `in` its DequantizeLinear; `out` puts a
// QuantizeLinear behind a result. So a quantised operator becomes DequantizeLinear -> operator ->
// QuantizeLinear, which the runtime joins into one integer kernel.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "import/graph/builder.h"
#include "import/tflite/file.h"
#include "tensor/tflite/names.h"

namespace supernova::import::tflite {

using graph::Attributes;
using graph::Builder;
using graph::Constant;
using graph::Dim;
using graph::Dims;
using graph::Value;
using tensor::DataType;

// Numbers of the schema's ActivationFunctionType.
enum class Activation : int8_t { kNone, kRelu, kReluN1To1, kRelu6, kTanh, kSignBit };

// A variable of the file: what it holds where the conversion is now, as the file has it.
struct Variable {
  Value* value = nullptr;
  bool read = false;  // in a request, with what an earlier one left
  bool set = false;   // in a request
};

// A state tensor of the file (is_variable) that comes in and goes out.
struct StateTensor {
  int32_t number = 0;  // in the graph that has inputs and outputs
  std::string name;
};

inline constexpr std::string_view kStateNote =
    "state inside the model (recurrent layers, variables) starts anew with every request; the "
    "option state=tensors makes it inputs and outputs";

// Everything that outlives one graph of the file: shared by the scopes of all its graphs.
struct Session {
  const File& file;
  Reader& reader;
  std::shared_ptr<const void> owner;  // keeps the file's bytes
  // Where state comes in as inputs and goes out as outputs: the graph that has them. Null where it
  // starts anew with every request.
  Builder* state = nullptr;
  std::map<std::string, Variable, std::less<>> variables;  // by resource name
  std::vector<StateTensor> state_tensors;
  tensor::tflite::Names names;     // of inputs, outputs and state tensors
  std::set<std::string> changing;  // those that a request sets
  std::set<int64_t> started;       // graphs of CALL_ONCE
  std::set<std::string> notes;
  bool exact_activations = false;  // real activations are not rounded for integer weights
  bool starting = false;           // in a graph of CALL_ONCE
  size_t conditional = 0;          // bodies of IF and WHILE right now
  size_t depth = 0;                // graphs inside graphs right now
  size_t conversions = 0;          // operators converted, graphs that are used repeatedly included
};

// One graph of the file while it is converted.
class Scope {
 public:
  Scope(Session& session, const SubGraph& graph) : session_(&session), graph_(&graph) {
    slots_.resize(graph.tensors.size());
  }
  Session& session() { return *session_; }
  const SubGraph& graph() const { return *graph_; }

  // What tensor `number` holds as it is stored: set before, a constant, or a variable's first
  // content; fails where nothing has set it.
  Value* stored(Builder& b, int32_t number);
  // As real numbers.
  Value* real(Builder& b, int32_t number);
  void set(int32_t number, Value* stored) { slots_[number] = {stored, nullptr, nullptr}; }
  // A complex tensor is stored as its real part, with its imaginary part beside.
  void set_complex(int32_t number, Value* real, Value* imaginary) {
    slots_[number] = {real, nullptr, imaginary};
  }
  // Null where the tensor is not complex.
  Value* imaginary(int32_t number) const { return slots_[number].imaginary; }
  bool is_set(int32_t number) const { return slots_[number].stored != nullptr; }

 private:
  Value* state(Builder& b, int32_t number);
  struct Slot {
    Value* stored = nullptr;
    Value* real = nullptr;
    Value* imaginary = nullptr;
  };
  Session* session_;
  const SubGraph* graph_;
  std::vector<Slot> slots_;
};

// Whether the tensor's integers stand for real numbers.
bool is_quantised(const TensorDef& def);
bool is_per_axis(const TensorDef& def);
bool same_scale(const TensorDef& a, const TensorDef& b);
float first_scale(const TensorDef& def);
int64_t first_zero_point(const TensorDef& def);
// The smallest and largest stored number.
std::pair<int64_t, int64_t> stored_range(const TensorDef& def);
// Real numbers from stored ones; `axis` is where the tensor's scales lie by now.
Value* dequantise(Builder& b, Value* stored, const TensorDef& def, int64_t axis = 0);
Value* quantise(Builder& b, Value* real, const TensorDef& def);
// Between stored numbers as the file has them and as they are kept (TensorDef::shifted).
Value* from_file(Builder& b, Value* stored, const TensorDef& def);
Value* to_file(Builder& b, Value* stored, const TensorDef& def);
// The tensor's content as a constant; fails with the reason where the file's content doesn't fit.
Value* constant_of(Builder& b, const TensorDef& def, const std::shared_ptr<const void>& owner);

// The stored numbers that a clamping activation leaves.
std::pair<int64_t, int64_t> clamped_range(const TensorDef& def, Activation activation);
// The real numbers behind an activation.
Value* activated(Builder& b, Value* x, Activation activation);

// Notes what a state holds at first; zeros need no words.
void note_start(Session& session, std::string_view name, const Value* value);

class Context {
 public:
  Context(Builder& builder, Scope& scope, const Operator& op)
      : b(builder), scope_(scope), op_(op) {}

  Builder& b;  // NOLINT: what converters use most

  // ---- the operator
  Scope& scope() { return scope_; }
  Session& session() { return scope_.session(); }
  const Operator& op() const { return op_; }
  const Table& options() const { return op_.options; }
  size_t input_count() const { return op_.inputs.size(); }
  size_t output_count() const { return op_.outputs.size(); }
  // Whether input i is there.
  bool has(size_t i) const { return i < op_.inputs.size() && op_.inputs[i] >= 0; }
  const TensorDef& in_def(size_t i) const;
  const TensorDef& out_def(size_t i = 0) const;
  Activation activation(int slot) const { return static_cast<Activation>(op_.options.byte(slot)); }

  // ---- what it reads; a required input that is left out fails and gives poison
  Value* in(size_t i);
  Value* stored(size_t i);
  // Of a complex input; its real part is what is stored.
  Value* imaginary(size_t i);
  // As the file has it: for operators that don't know of scales.
  Value* as_in_file(size_t i);
  bool quantised(size_t i) const { return has(i) && is_quantised(in_def(i)); }
  // Axes of input i, where they are known; fails otherwise.
  std::optional<size_t> rank(size_t i);
  // A known integer tensor's content.
  std::optional<std::vector<int64_t>> ints(size_t i);
  // As above; fails with "the <what> must be constant".
  std::optional<std::vector<int64_t>> need_ints(size_t i, std::string_view what);
  // A known integer tensor's content in terms of sizes.
  std::optional<Dims> sizes(size_t i);
  // Integers as an INT64 tensor.
  Value* int64s(size_t i);
  // Real numbers with the axes in another order; the order changes before DequantizeLinear.
  Value* in_transposed(size_t i, const std::vector<int64_t>& permutation);
  Value* in_nchw(size_t i) { return in_transposed(i, {0, 3, 1, 2}); }
  // Real numbers of these sizes; the sizes change before DequantizeLinear.
  Value* in_reshaped(size_t i, const Dims& dims);
  // A tensor of a type that the runtime's arithmetic has: small integers and BOOL as INT32.
  Value* widened(Value* x);
  // Weights as real numbers, their axes in another order; `channel` is the axis of the file's order
  // along which several scales must lie, whatever the file says of it.
  Value* weights(size_t i, const std::vector<int64_t>& permutation, int64_t channel);
  // A bias for input `x` and weights `w`; integers count in steps of both scales multiplied. Null
  // where input i is left out.
  Value* bias(size_t i, size_t x, size_t w);

  // ---- what it gives
  // Real numbers; quantised, or cast to the type the file states.
  void out(size_t i, Value* real) { out_activated(i, real, Activation::kNone); }
  void out_activated(size_t i, Value* real, Activation activation);
  // As above, then the axes change their order.
  void out_transposed(size_t i, Value* real, Activation activation,
                      const std::vector<int64_t>& permutation);
  void out_nchw(size_t i, Value* real, Activation activation = Activation::kNone) {
    out_transposed(i, real, activation, {0, 2, 3, 1});
  }
  // Result i as it is stored, behind an activation; for what comes after the last step.
  Value* finish(size_t i, Value* real, Activation activation = Activation::kNone);
  // As it is stored; cast to the type the file states.
  void out_stored(size_t i, Value* stored);
  // As above, for a result as the file has it.
  void out_from_file(size_t i, Value* stored);
  void out_complex(size_t i, Value* real, Value* imaginary);
  // What the operator leaves in input i, a state tensor, for later ones and for the next request.
  void set_state(size_t i, Value* real);
  // Applies `use` to stored numbers where the tensors' scales agree, and to real ones otherwise:
  // for operators that only move elements. Inputs [first, last) and output 0.
  template <typename Use>
  void move_elements(size_t first, size_t last, Use use);

  // ---- common steps
  Value* activate(Value* x, Activation activation) { return activated(b, x, activation); }
  // A scalar of the value's type.
  Value* scalar_like(const Value* x, double value) { return b.scalar_of(x->type.data_type, value); }
  // In [0, rank) or fails.
  std::optional<int64_t> axis(int64_t axis, size_t rank);
  bool require(bool condition, std::string_view reason) {
    if (!condition) b.fail(reason);
    return condition;
  }

 private:
  bool known(size_t i) const { return i < op_.outputs.size() && op_.outputs[i] >= 0; }

  Scope& scope_;
  const Operator& op_;
};

template <typename Use>
void Context::move_elements(size_t first, size_t last, Use use) {
  bool as_stored = true;
  bool in_file = true;  // constants, which are not kept shifted
  for (size_t i = first; i < last; ++i) {
    if (!has(i)) continue;
    as_stored &= same_scale(in_def(i), out_def());
    in_file &= same_scale(in_def(i), tflite::as_in_file(out_def()));
  }
  std::vector<Value*> values;
  for (size_t i = first; i < last; ++i) values.push_back(as_stored || in_file ? stored(i) : in(i));
  Value* result = use(values);
  if (as_stored) {
    out_stored(0, result);
  } else if (in_file) {
    out_from_file(0, result);
  } else {
    out(0, result);
  }
}

}  // namespace supernova::import::tflite
