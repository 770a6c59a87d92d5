// Graphs that use other graphs of the file.
#include <algorithm>
#include <utility>

#include "import/tflite/convert.h"
#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

namespace control_slot {
enum If { kThen, kElse };
enum While { kCondition, kBody };
}  // namespace control_slot

std::vector<Value*> stored_from(Context& c, size_t first) {
  std::vector<Value*> out;
  for (size_t i = first; i < c.input_count(); ++i) out.push_back(c.as_in_file(i));
  return out;
}

void give(Context& c, const std::vector<Value*>& results) {
  if (!c.require(results.size() == c.output_count() || c.b.failed(),
                 "the graph gives another number of results")) {
    return;
  }
  for (size_t i = 0; i < results.size() && i < c.output_count(); ++i)
    c.out_from_file(i, results[i]);
}

std::shared_ptr<graph::Graph> branch(Context& c, int64_t number,
                                     const std::vector<Value*>& inputs) {
  auto body_graph = std::make_shared<graph::Graph>();
  body_graph->name = base::str_cat("graph_", number);
  Builder body = c.b.body(*body_graph);
  ++c.session().conditional;
  const auto results = convert_call(body, c.session(), number, inputs);
  --c.session().conditional;
  for (size_t i = 0; i < results.size() && !results[i]->poison; ++i) {
    // Both branches must give one type.
    Value* value = results[i];
    const DataType type = data_type(as_in_file(c.out_def(i)).type);
    if (type != DataType::kInvalid && type != DataType::kBytes) value = body.cast(value, type);
    body.output(value, "result");
  }
  c.b.absorb(body);
  return body_graph;
}

void if_operator(Context& c) {
  const auto inputs = stored_from(c, 1);
  const auto then_body = branch(c, c.options().integer(control_slot::kThen), inputs);
  const auto else_body = branch(c, c.options().integer(control_slot::kElse), inputs);
  if (c.b.failed()) return;
  Value* condition = c.b.reshape(c.stored(0), c.b.ints({}));
  give(c,
       c.b.op_outputs("If", {condition}, {{"then_branch", then_body}, {"else_branch", else_body}},
                      c.output_count()));
}

// Sizes that the file leaves open, or that differ from what comes in, may change with each turn.
graph::Type carried_type(Context& c, const Value* first, const TensorDef& def) {
  graph::Type type = first->type;
  if (!type.rank_known) return type;
  if (type.dims.size() != def.shape.size()) return graph::Type::of_unknown_rank(type.data_type);
  for (size_t i = 0; i < type.dims.size(); ++i) {
    const bool open = i < def.signature.size() && def.signature[i] < 0;
    if (open || !(type.dims[i] == Dim(def.shape[i]))) type.dims[i] = c.b.model().fresh_dim();
  }
  return type;
}

Value* condition_of(Builder& b, Context& c, const std::vector<Value*>& values) {
  const auto results =
      convert_call(b, c.session(), c.options().integer(control_slot::kCondition), values);
  if (results.size() != 1) return b.fail("the graph of the condition must give one result");
  return results[0]->poison ? results[0] : b.reshape(results[0], b.ints({}));
}

void while_operator(Context& c) {
  const std::vector<Value*> first = stored_from(c, 0);
  const int64_t number = c.options().integer(control_slot::kBody);
  const File& file = c.session().file;
  if (!c.require(number >= 0 && number < static_cast<int64_t>(file.subgraphs.size()) &&
                     file.subgraphs[number].inputs.size() == first.size(),
                 "its body does not take its values")) {
    return;
  }
  const SubGraph& body_source = file.subgraphs[number];
  auto body_graph = std::make_shared<graph::Graph>();
  body_graph->name = base::str_cat("graph_", number);
  Builder body = c.b.body(*body_graph);
  body.input("turn", graph::Type::of(DataType::kInt64, {}));
  body.input("go_on", graph::Type::of(DataType::kBool, {}));
  std::vector<Value*> inner;
  for (size_t i = 0; i < first.size(); ++i) {
    const int32_t tensor = body_source.inputs[i];
    inner.push_back(
        tensor < 0 ? first[i]
                   : body.input("carried", carried_type(c, first[i], body_source.tensors[tensor])));
  }
  ++c.session().conditional;
  std::vector<Value*> next = convert_call(body, c.session(), number, inner);
  if (!body.failed() && next.size() == first.size()) {
    body.output(condition_of(body, c, next), "go_on");
    for (size_t i = 0; i < next.size(); ++i) {
      if (next[i]->poison) continue;
      body.output(body.cast(next[i], first[i]->type.data_type), "carried");
    }
  }
  --c.session().conditional;
  c.b.absorb(body);
  if (c.b.failed() || !c.require(next.size() == first.size(), "its body gives other values"))
    return;
  std::vector<Value*> inputs{nullptr, condition_of(c.b, c, first)};
  inputs.insert(inputs.end(), first.begin(), first.end());
  give(c, c.b.op_outputs("Loop", inputs, {{"body", body_graph}}, first.size()));
}

void call(Context& c) {
  give(c, convert_call(c.b, c.session(), c.options().number<uint32_t>(0), stored_from(c, 0)));
}

void call_once(Context& c) {
  const int64_t number = c.options().integer(0);
  if (!c.require(c.session().conditional == 0, "is not supported inside IF and WHILE") ||
      !c.session().started.insert(number).second) {
    return;
  }
  const bool outer = std::exchange(c.session().starting, true);
  (void)convert_call(c.b, c.session(), number, {});
  c.session().starting = outer;
}

void composite(Context& c) {
  const Table& options = c.op().options2;
  give(c, convert_call(c.b, c.session(), options.integer(1), stored_from(c, 0)));
}

}  // namespace

void register_control(OpTable& table) {
  table.add("IF", if_operator);
  table.add("WHILE", while_operator);
  table.add("CALL", call);
  table.add("CALL_ONCE", call_once);
  table.add("STABLEHLO_COMPOSITE", composite);
}

}  // namespace supernova::import::tflite
