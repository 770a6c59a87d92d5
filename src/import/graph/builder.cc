#include "import/graph/builder.h"

#include <algorithm>

#include "import/graph/infer.h"
#include "import/onnx/schema.h"
#include "tensor/half.h"

namespace supernova::import::graph {
namespace {

using tensor::DataType;

bool has(const std::vector<Value*>& values, const Value* value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

template <typename T>
Constant scalar_content(DataType type, double value) {
  return Constant::of<T>(type, {}, {static_cast<T>(value)});
}

}  // namespace

void Builder::enter(std::string_view op, std::string_view node) {
  op_ = std::string(op);
  node_ = std::string(node);
  failed_ = false;
}

Value* Builder::poison() {
  Value* value = model_.new_value("");
  value->poison = true;
  return value;
}

Value* Builder::fail(std::string_view reason) {
  if (!failed_) problems_.push_back({op_, node_, std::string(reason)});
  failed_ = true;
  return poison();
}

Builder Builder::body(Graph& graph) {
  Builder out(model_, graph);
  out.enter(op_, node_);
  return out;
}

void Builder::absorb(Builder& body) {
  if (!body.problems_.empty()) failed_ = true;
  problems_.insert(problems_.end(), body.problems_.begin(), body.problems_.end());
  body.problems_.clear();
}

Value* Builder::input(std::string_view name, Type type) {
  Value* value = model_.new_value(name);
  value->type = std::move(type);
  graph_.inputs.push_back(value);
  return value;
}

void Builder::output(Value* value, std::string_view name) {
  if (value->poison) return;
  const bool own = std::any_of(graph_.nodes.begin(), graph_.nodes.end(),
                               [&](const Node& node) { return &node == value->producer; });
  if (!own || has(graph_.outputs, value)) {
    // Not through op(): an Identity of a constant would be folded away again.
    Node& node = graph_.nodes.emplace_back();
    node.op = "Identity";
    node.source = std::string(name);
    node.inputs = {value};
    Value* copy = model_.new_value(name);
    copy->type = value->type;
    copy->producer = &node;
    node.outputs = {copy};
    value = copy;
  }
  value->name = std::string(name);
  graph_.outputs.push_back(value);
}

Value* Builder::constant(Constant content, std::string_view name_hint) {
  Value* value = model_.new_value(name_hint);
  value->type = Type::of(content.type(), to_dims(content.shape()));
  value->constant = std::move(content);
  return value;
}

Value* Builder::ints(const std::vector<int64_t>& values) {
  return constant(Constant::int64s(values));
}
Value* Builder::scalar(float value) { return constant(Constant::scalar(value)); }
Value* Builder::scalar(int64_t value) { return constant(Constant::scalar(value)); }

Value* Builder::scalar_of(DataType type, double value) {
  switch (type) {
    case DataType::kFp32:
      return constant(scalar_content<float>(type, value));
    case DataType::kFp64:
      return constant(scalar_content<double>(type, value));
    case DataType::kFp16:
      return constant(
          Constant::of<uint16_t>(type, {}, {tensor::float_to_half(static_cast<float>(value))}));
    case DataType::kBf16:
      return constant(
          Constant::of<uint16_t>(type, {}, {tensor::float_to_bfloat(static_cast<float>(value))}));
    case DataType::kInt64:
      return constant(scalar_content<int64_t>(type, value));
    case DataType::kInt32:
      return constant(scalar_content<int32_t>(type, value));
    case DataType::kInt16:
      return constant(scalar_content<int16_t>(type, value));
    case DataType::kInt8:
      return constant(scalar_content<int8_t>(type, value));
    case DataType::kUint64:
      return constant(scalar_content<uint64_t>(type, value));
    case DataType::kUint32:
      return constant(scalar_content<uint32_t>(type, value));
    case DataType::kUint16:
      return constant(scalar_content<uint16_t>(type, value));
    case DataType::kUint8:
      return constant(scalar_content<uint8_t>(type, value));
    case DataType::kBool:
      return constant(scalar_content<uint8_t>(type, value != 0 ? 1 : 0));
    default:
      return fail(base::str_cat("no number of type ", tensor::data_type_name(type)));
  }
}

Value* Builder::sizes(const Dims& dims, std::initializer_list<Value*> sources) {
  if (const auto numbers = constant_dims(dims)) return ints(*numbers);
  std::vector<Value*> parts;
  for (const Dim& dim : dims) {
    if (const auto number = dim.constant()) {
      parts.push_back(ints({*number}));
      continue;
    }
    Value* found = nullptr;
    for (Value* source : sources) {
      for (size_t axis = 0; axis < source->rank() && found == nullptr; ++axis) {
        const Dim& have = source->dims()[axis];
        if (have.is_constant()) continue;
        const auto factor = exact_div(dim, have);
        const auto offset = (dim - have).constant();
        const bool scaled = factor && factor->is_constant();
        if (!scaled && !offset) continue;
        found = gather(op("Shape", {source}), ints({static_cast<int64_t>(axis)}), 0);
        if (scaled && !(*factor == Dim(1))) found = mul(found, ints({*factor->constant()}));
        if (!scaled && *offset != 0) found = add(found, ints({*offset}));
      }
    }
    if (found == nullptr) {
      return fail(base::str_cat("the size ", dim.to_string(), " can't be computed in the graph"));
    }
    parts.push_back(found);
  }
  Value* out = concat(parts, 0);
  if (!out->poison) out->elements = dims;
  return out;
}

std::vector<Value*> Builder::op_outputs(std::string_view op, const std::vector<Value*>& inputs,
                                        Attributes attributes, size_t outputs) {
  const bool poisoned = std::any_of(inputs.begin(), inputs.end(), [](const Value* value) {
    return value != nullptr && value->poison;
  });
  if (poisoned || failed_) return std::vector<Value*>(outputs, poison());
  Node& node = graph_.nodes.emplace_back();
  node.op = std::string(op);
  node.inputs = inputs;
  node.attributes = std::move(attributes);
  node.source = node_;
  for (size_t i = 0; i < outputs; ++i) {
    Value* value = model_.new_value("");
    value->producer = &node;
    node.outputs.push_back(value);
  }
  const std::vector<Value*> results = node.outputs;
  if (const base::Status status = infer(model_, node); !status.ok()) {
    graph_.nodes.pop_back();
    return std::vector<Value*>(outputs, fail(base::message(status)));
  }
  if (fold(model_, node)) {
    for (Value* value : results) value->producer = nullptr;
    graph_.nodes.pop_back();
  }
  return results;
}

Value* Builder::op(std::string_view op, const std::vector<Value*>& inputs, Attributes attributes) {
  return op_outputs(op, inputs, std::move(attributes), 1).front();
}

std::vector<Value*> Builder::foreign(std::string_view domain, std::string_view op,
                                     const std::vector<Value*>& inputs, Attributes attributes,
                                     std::vector<Type> results) {
  const bool poisoned = std::any_of(inputs.begin(), inputs.end(), [](const Value* value) {
    return value != nullptr && value->poison;
  });
  if (poisoned || failed_) return std::vector<Value*>(results.size(), poison());
  const auto known = std::any_of(model_.domains.begin(), model_.domains.end(),
                                 [&](const auto& entry) { return entry.first == domain; });
  if (!known) model_.domains.emplace_back(std::string(domain), 1);
  Node& node = graph_.nodes.emplace_back();
  node.op = std::string(op);
  node.domain = std::string(domain);
  node.inputs = inputs;
  node.attributes = std::move(attributes);
  node.source = node_;
  for (Type& type : results) {
    Value* value = model_.new_value("");
    value->type = std::move(type);
    value->producer = &node;
    node.outputs.push_back(value);
  }
  return node.outputs;
}

void Builder::state_shape(Value* value, Dims dims) {
  if (value->poison) return;
  value->type.rank_known = true;
  value->type.dims = std::move(dims);
}

Value* Builder::cast(Value* x, DataType type) {
  if (x->poison || x->type.data_type == type) return x;
  return op("Cast", {x}, {{"to", onnx::element_type_of(type)}});
}

Value* Builder::transpose(Value* x, const std::vector<int64_t>& permutation) {
  if (std::is_sorted(permutation.begin(), permutation.end())) return x;
  return op("Transpose", {x}, {{"perm", permutation}});
}

Value* Builder::reshape(Value* x, const Dims& dims) {
  if (x->poison || (x->type.rank_known && x->dims() == dims)) return x;
  std::vector<int64_t> wanted;
  size_t open = 0;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (const auto size = dims[i].constant()) {
      wanted.push_back(*size);
    } else if (x->type.rank_known && i < x->rank() && x->dims()[i] == dims[i]) {
      wanted.push_back(0);  // copied
    } else {
      wanted.push_back(-1);
      ++open;
    }
  }
  // A size 0 in the shape means "copy", so a tensor without elements needs another way to say it.
  const bool empty =
      std::any_of(dims.begin(), dims.end(), [](const Dim& dim) { return dim == Dim(0); });
  Value* out = nullptr;
  if (open <= 1 && !empty) {
    out = op("Reshape", {x, ints(wanted)});
  } else if (const auto numbers = constant_dims(dims)) {
    out = op("Reshape", {x, ints(*numbers)}, {{"allowzero", int64_t{1}}});
  } else {
    out = op("Reshape", {x, sizes(dims, {x})});
  }
  state_shape(out, dims);
  return out;
}

Value* Builder::reshape(Value* x, Value* shape) { return op("Reshape", {x, shape}); }

Value* Builder::flatten_to_2d(Value* x, int64_t axis) {
  return op("Flatten", {x}, {{"axis", axis}});
}

Value* Builder::unsqueeze(Value* x, const std::vector<int64_t>& axes) {
  return axes.empty() ? x : op("Unsqueeze", {x, ints(axes)});
}

Value* Builder::squeeze(Value* x, const std::vector<int64_t>& axes) {
  return axes.empty() ? x : op("Squeeze", {x, ints(axes)});
}

Value* Builder::concat(const std::vector<Value*>& parts, int64_t axis) {
  return parts.size() == 1 ? parts.front() : op("Concat", parts, {{"axis", axis}});
}

Value* Builder::slice(Value* x, const std::vector<int64_t>& starts,
                      const std::vector<int64_t>& ends, const std::vector<int64_t>& axes,
                      const std::vector<int64_t>& steps) {
  std::vector<Value*> inputs = {x, ints(starts), ints(ends), ints(axes)};
  if (!steps.empty()) inputs.push_back(ints(steps));
  return op("Slice", inputs);
}

std::vector<Value*> Builder::split(Value* x, int64_t axis, const std::vector<int64_t>& parts) {
  return op_outputs("Split", {x, ints(parts)}, {{"axis", axis}}, parts.size());
}

Value* Builder::gather(Value* x, Value* indices, int64_t axis) {
  return op("Gather", {x, indices}, {{"axis", axis}});
}

Value* Builder::pad(Value* x, const std::vector<std::pair<int64_t, int64_t>>& pads, Value* value,
                    std::string_view mode) {
  std::vector<int64_t> both;
  bool any = false;
  for (const auto& [before, after] : pads) {
    both.push_back(before);
    any = any || before != 0 || after != 0;
  }
  if (!any) return x;
  for (const auto& [before, after] : pads) both.push_back(after);
  std::vector<Value*> inputs = {x, ints(both)};
  if (value != nullptr) inputs.push_back(value);
  Attributes attributes;
  if (mode != "constant") attributes.emplace_back("mode", std::string(mode));
  return op("Pad", inputs, std::move(attributes));
}

Value* Builder::clip(Value* x, float low, float high) {
  if (x->poison) return x;
  return op("Clip", {x, scalar_of(x->type.data_type, low), scalar_of(x->type.data_type, high)});
}

Value* Builder::reduce(std::string_view op_name, Value* x, const std::vector<int64_t>& axes,
                       bool keep_dims) {
  Attributes attributes = {{"keepdims", int64_t{keep_dims ? 1 : 0}}};
  if (op_name == "ReduceSum") return op(op_name, {x, ints(axes)}, std::move(attributes));
  attributes.emplace_back("axes", axes);
  return op(op_name, {x}, std::move(attributes));
}

Value* Builder::quantize(Value* x, Value* scale, Value* zero_point, int64_t axis) {
  Attributes attributes;
  if (!scale->poison && scale->rank() == 1) attributes.emplace_back("axis", axis);
  return op("QuantizeLinear", {x, scale, zero_point}, std::move(attributes));
}

Value* Builder::dequantize(Value* x, Value* scale, Value* zero_point, int64_t axis) {
  Attributes attributes;
  if (!scale->poison && scale->rank() == 1) attributes.emplace_back("axis", axis);
  return op("DequantizeLinear", {x, scale, zero_point}, std::move(attributes));
}

Value* Builder::resize(Value* x, std::string_view mode, std::string_view coordinates, Value* sizes,
                       std::string_view nearest_mode) {
  Attributes attributes = {{"mode", std::string(mode)},
                           {"coordinate_transformation_mode", std::string(coordinates)}};
  if (mode == "nearest") attributes.emplace_back("nearest_mode", std::string(nearest_mode));
  return op("Resize", {x, nullptr, nullptr, sizes}, std::move(attributes));
}

base::Status Builder::finish() const {
  if (problems_.empty()) return absl::OkStatus();
  return absl::UnimplementedError(describe(problems_));
}

std::string describe(const std::vector<Problem>& problems) {
  // Equal reasons of one operator are said once, with all its nodes.
  struct Group {
    const Problem* first;
    std::vector<std::string> nodes;
  };
  std::vector<Group> groups;
  for (const Problem& problem : problems) {
    auto at = std::find_if(groups.begin(), groups.end(), [&](const Group& group) {
      return group.first->op == problem.op && group.first->reason == problem.reason;
    });
    if (at == groups.end()) at = groups.insert(groups.end(), {&problem, {}});
    if (!problem.node.empty()) at->nodes.push_back(base::str_cat("'", problem.node, "'"));
  }
  constexpr size_t kMaxNodes = 8;
  std::vector<std::string> lines;
  for (Group& group : groups) {
    std::string line = group.first->op;
    if (!group.nodes.empty()) {
      const size_t more = group.nodes.size() > kMaxNodes ? group.nodes.size() - kMaxNodes : 0;
      group.nodes.resize(group.nodes.size() - more);
      line += base::str_cat(line.empty() ? "" : " ", base::str_join(group.nodes, ", "));
      if (more > 0) line += base::str_cat(" and ", more, " more");
    }
    line += base::str_cat(line.empty() ? "" : ": ", group.first->reason);
    lines.push_back(std::move(line));
  }
  if (lines.size() == 1) return lines.front();
  return base::str_cat(lines.size(), " things can't be imported:\n",
                       base::str_join(lines, kProblemSeparator));
}

}  // namespace supernova::import::graph
