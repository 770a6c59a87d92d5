#include "import/tflite/convert.h"

#include <algorithm>
#include <set>

#include "import/tflite/ops.h"
#include "tensor/tflite/names.h"

namespace supernova::import::tflite {
const OpTable& op_table() {
  static const OpTable built = [] {
    OpTable table;
    register_ops(table);
    return table;
  }();
  return built;
}

namespace {

using tensor::tflite::Names;
using tensor::tflite::node_name;

constexpr size_t kMaxDepth = 16;
constexpr size_t kMaxConversions = 1U << 19U;

std::string_view why_unknown(std::string_view name) {
  if (name.starts_with("CUSTOM:Flex")) {
    return "needs TensorFlow's own kernels (Select TF ops); convert the model with TFLITE_BUILTINS "
           "only";
  }
  if (name.starts_with("CUSTOM:")) return "a custom operator that is not known here";
  if (name.starts_with("STABLEHLO_")) {
    return "StableHLO operators are not supported; convert the model with built-in operators";
  }
  return "is not supported";
}

void poison_outputs(Builder& b, Scope& scope, const Operator& op, Value* poison) {
  for (const int32_t number : op.outputs) {
    if (number >= 0 && !scope.is_set(number)) {
      scope.set(number, poison != nullptr ? poison : b.fail("gives no result"));
    }
  }
}

bool is_complex(const Scope& scope, const std::vector<int32_t>& tensors) {
  return !tensors.empty() && tensors[0] >= 0 &&
         scope.graph().tensors[tensors[0]].type == Element::kComplex64;
}

// An operator that moves elements does so to the real and to the imaginary part.
void convert_parts(Context& context, Scope& scope, const Operator& op,
                   const OpTable::Entry& entry) {
  Value* real = scope.stored(context.b, op.inputs[0]);
  Value* imaginary = scope.imaginary(op.inputs[0]);
  if (imaginary == nullptr) {
    context.b.fail("complex numbers from outside are not supported");
    return;
  }
  entry.convert(context);
  if (!scope.is_set(op.outputs[0])) return;
  Value* moved = scope.stored(context.b, op.outputs[0]);
  scope.set(op.inputs[0], imaginary);
  entry.convert(context);
  Value* moved_imaginary = scope.stored(context.b, op.outputs[0]);
  scope.set_complex(op.inputs[0], real, imaginary);
  scope.set_complex(op.outputs[0], moved, moved_imaginary);
}

bool moves_elements(std::string_view op) {
  static const std::set<std::string_view> kMoving{
      "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "SLICE", "STRIDED_SLICE", "GATHER", "TILE"};
  return kMoving.contains(op);
}

void convert_entry(Context& context, Scope& scope, const Operator& op,
                   const OpTable::Entry& entry) {
  const bool gives = is_complex(scope, op.outputs);
  const bool takes = is_complex(scope, op.inputs);
  const bool known =
      op.name == "RFFT2D" || op.name == "COMPLEX_ABS" || op.name == "REAL" || op.name == "IMAG";
  if (known || (!takes && !gives)) {
    entry.convert(context);
  } else if (takes && gives && moves_elements(op.name)) {
    convert_parts(context, scope, op, entry);
  } else {
    context.b.fail("complex numbers are not supported here");
  }
}

void convert_operator(Builder& b, Scope& scope, const Operator& op) {
  for (const int32_t number : op.outputs) {
    if (number >= 0) scope.set(number, nullptr);
  }
  const OpTable::Entry* entry = op_table().find(op.name);
  if (entry == nullptr) {
    poison_outputs(b, scope, op, b.fail(why_unknown(op.name)));
    return;
  }
  if (++scope.session().conversions > kMaxConversions) {
    poison_outputs(b, scope, op, b.fail("graphs use each other too many times"));
    return;
  }
  for (const int32_t number : op.inputs) {
    if (number < 0) continue;
    Value* value = scope.stored(b, number);
    if (!value->poison) continue;
    poison_outputs(b, scope, op, value);
    return;
  }
  Context context(b, scope, op);
  convert_entry(context, scope, op, *entry);
  if (!scope.session().reader.ok()) b.fail(base::message(scope.session().reader.status()));
  poison_outputs(b, scope, op, b.failed() ? b.fail("") : nullptr);
}

void convert_operators(Builder& b, Scope& scope) {
  const SubGraph& graph = scope.graph();
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const Operator& op = graph.operators[i];
    b.enter(op.name, node_name(graph, op, i));
    convert_operator(b, scope, op);
  }
}

// What the file declares of an input; open sizes are -1.
tensor::TensorInfo declared(const TensorDef& def, const std::string& name) {
  tensor::TensorInfo info;
  info.name = name;
  const auto& sizes = def.signature.empty() ? def.shape : def.signature;
  info.shape.assign(sizes.begin(), sizes.end());
  return info;
}

void fix_sizes(const InputShapes& shapes, const std::string& name, Dims& dims) {
  const auto at = shapes.find(name);
  for (size_t i = 0; at != shapes.end() && i < std::min(dims.size(), at->second.size()); ++i) {
    if (at->second[i] >= 0 && !dims[i].is_constant()) dims[i] = Dim(at->second[i]);
  }
}

graph::Type input_type(const TensorDef& def, const std::string& name) {
  Dims dims = graph::to_dims(def.shape);
  for (size_t i = 0; i < def.signature.size(); ++i) {
    if (def.signature[i] >= 0) continue;
    dims[i] = Dim::symbol(i == 0 ? std::string("batch") : base::str_cat(name, "_", i));
  }
  return graph::Type::of(data_type(def.type), std::move(dims));
}

base::Status add_inputs(Builder& b, Scope& scope, const InputShapes& shapes) {
  const SubGraph& graph = scope.graph();
  Names& names = scope.session().names;
  std::vector<tensor::TensorInfo> all;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const int32_t number = graph.inputs[i];
    if (number < 0) continue;
    const TensorDef& def = graph.tensors[number];
    const std::string name = names.give(def, "input", i);
    b.enter("", name);
    if (data_type(def.type) == DataType::kInvalid) {
      b.fail(base::str_cat("input '", name, "' has type ", element_name(def.type),
                           ", which is not supported"));
    }
    if (scope.is_set(number)) continue;
    graph::Type type = input_type(as_in_file(def), name);
    all.push_back(declared(def, name));
    fix_sizes(shapes, name, type.dims);
    scope.set(number, from_file(b, b.input(name, std::move(type)), def));
  }
  return check_input_shapes(shapes, all);
}

// Before state tensors have theirs.
std::vector<std::string> name_outputs(Scope& scope) {
  const SubGraph& graph = scope.graph();
  std::vector<std::string> out(graph.outputs.size());
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const int32_t number = graph.outputs[i];
    if (number < 0) continue;
    out[i] = scope.session().names.give(graph.tensors[number], "output", i);
  }
  return out;
}

void add_output(Builder& b, Scope& scope, int32_t number, const std::string& name) {
  b.enter("", name);
  Value* value = to_file(b, scope.stored(b, number), scope.graph().tensors[number]);
  if (!value->poison) b.output(value, name);
}

void add_outputs(Builder& b, Scope& scope, const std::vector<std::string>& names) {
  const SubGraph& graph = scope.graph();
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    if (graph.outputs[i] >= 0) add_output(b, scope, graph.outputs[i], names[i]);
  }
}

// What requests leave behind: outputs, or a note that it goes.
void add_state(Builder& b, Scope& scope) {
  Session& session = scope.session();
  const std::vector<StateTensor> states = session.state_tensors;
  for (const auto& [number, name] : states) {
    TensorDef next;
    const std::string wanted = base::str_cat(name, ".next");
    next.name = wanted;
    add_output(b, scope, number, session.names.give(next, "", static_cast<size_t>(number)));
  }
  for (const auto& [name, variable] : session.variables) {
    if (!variable.set) continue;
    if (session.state == nullptr) {
      session.notes.insert(std::string(kStateNote));
      continue;
    }
    b.enter("", name);
    if (!variable.value->poison) b.output(variable.value, base::str_cat(name, ".next"));
  }
}

}  // namespace

std::vector<Value*> convert_call(Builder& b, Session& session, int64_t number,
                                 const std::vector<Value*>& inputs) {
  if (number < 0 || number >= static_cast<int64_t>(session.file.subgraphs.size())) {
    b.fail(base::str_cat("uses graph ", number, ", but there are ", session.file.subgraphs.size()));
    return {};
  }
  if (session.depth >= kMaxDepth) {
    b.fail("graphs are nested too deep, or in a circle");
    return {};
  }
  const SubGraph& graph = session.file.subgraphs[number];
  if (graph.inputs.size() != inputs.size()) {
    b.fail(base::str_cat("gives ", inputs.size(), " values to graph ", number, ", which takes ",
                         graph.inputs.size()));
    return {};
  }
  ++session.depth;
  Scope scope(session, graph);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const int32_t number = graph.inputs[i];
    if (number >= 0) scope.set(number, from_file(b, inputs[i], graph.tensors[number]));
  }
  convert_operators(b, scope);
  std::vector<Value*> results;
  for (const int32_t output : graph.outputs) {
    results.push_back(output >= 0 ? to_file(b, scope.stored(b, output), graph.tensors[output])
                                  : b.fail("a result is missing"));
  }
  --session.depth;
  return results;
}

base::Status convert(const File& file, Reader& reader, const std::shared_ptr<const void>& owner,
                     const Wishes& wishes, graph::Model& model,
                     tensor::ModelDescription& description) {
  const SubGraph& graph = file.subgraphs[wishes.graph];
  if (graph.outputs.empty()) return absl::InvalidArgumentError("the model has no outputs");
  Builder b(model);
  Session session{.file = file, .reader = reader, .owner = owner};
  session.exact_activations = wishes.exact_activations;
  if (wishes.state_as_tensors) {
    session.state = &b;
    session.changing = changing_variables(file);
  }
  Scope scope(session, graph);
  SN_TRY(add_inputs(b, scope, wishes.shapes));
  const std::vector<std::string> outputs = name_outputs(scope);
  convert_operators(b, scope);
  add_outputs(b, scope, outputs);
  add_state(b, scope);
  SN_TRY(reader.status());
  SN_TRY(b.finish());
  description.notes.insert(description.notes.end(), session.notes.begin(), session.notes.end());
  return absl::OkStatus();
}

}  // namespace supernova::import::tflite
