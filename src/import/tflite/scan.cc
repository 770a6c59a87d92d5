#include "import/tflite/scan.h"

#include <limits>

namespace supernova::import::tflite {

std::pair<Value*, std::vector<Value*>> scan(Context& c, const std::vector<Value*>& states,
                                            Value* sequence, const StepFunction& step) {
  if (sequence->poison || !sequence->type.rank_known || sequence->rank() == 0) {
    return {c.b.fail("a sequence of unknown shape"), states};
  }
  if (sequence->dims()[0] == Dim(1)) {
    Step done = step(c.b, states, c.b.squeeze(sequence, {0}));
    return {c.b.unsqueeze(done.result, {0}), done.states};
  }
  auto body_graph = std::make_shared<graph::Graph>();
  body_graph->name = "step";
  Builder body = c.b.body(*body_graph);
  std::vector<Value*> inner;
  for (const Value* state : states) inner.push_back(body.input("state", state->type));
  Dims item_dims(sequence->dims().begin() + 1, sequence->dims().end());
  Value* item = body.input("item", graph::Type::of(sequence->type.data_type, item_dims));
  const Step done = step(body, inner, item);
  for (Value* state : done.states) body.output(state, "next_state");
  body.output(done.result, "result");
  const bool failed = body.failed();
  c.b.absorb(body);
  if (failed) return {c.b.fail(""), states};
  std::vector<Value*> inputs = states;
  inputs.push_back(sequence);
  std::vector<Value*> outputs = c.b.op_outputs(
      "Scan", inputs, {{"body", body_graph}, {"num_scan_inputs", int64_t{1}}}, states.size() + 1);
  Value* results = outputs.back();
  outputs.pop_back();
  return {results, outputs};
}

Value* backwards(Builder& b, Value* sequence) {
  return b.slice(sequence, {-1}, {-std::numeric_limits<int64_t>::max()}, {0}, {-1});
}

}  // namespace supernova::import::tflite
