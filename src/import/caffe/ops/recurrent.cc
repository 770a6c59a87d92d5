// RNN and LSTM, unrolled over their steps as Caffe does it. Bottoms: x [steps, streams, ...], the
// markers of continuation [steps, streams], an input that stays the same [streams, ...], and with
// expose_hidden the first states. A request starts with states of zero where they are not given.
#include "import/caffe/ops.h"

namespace supernova::import::caffe {
namespace {

constexpr int64_t kMaxSteps = 1024;

struct Recurrence {
  int64_t steps = 0;
  int64_t streams = 0;
  int64_t hidden = 0;
  bool exposed = false;
  Value* x = nullptr;          // [steps, streams, features]
  Value* cont = nullptr;       // [steps, streams]
  Value* fixed = nullptr;      // [streams, features], null without one
  std::vector<Value*> states;  // [streams, hidden] each
};

Value* matrix_of(LayerContext& ctx, Value* value, size_t axis) {
  return ctx.build.flatten_to_2d(value, static_cast<int64_t>(axis));
}

bool read_recurrence(LayerContext& ctx, size_t state_count, Recurrence& out) {
  const Params params = ctx.params("recurrent_param");
  out.hidden = params.integer("num_output", 0);
  out.exposed = params.flag("expose_hidden", false);
  const size_t exposed = out.exposed ? state_count : 0;
  if (!ctx.need_bottoms(2 + exposed, 3 + exposed) || !ctx.need_rank(ctx.bottoms[0], 2, 8) ||
      !ctx.need_rank(ctx.bottoms[1], 2, 2)) {
    return false;
  }
  const auto sizes = ctx.sizes(ctx.bottoms[0]);
  const auto markers = sizes ? ctx.sizes(ctx.bottoms[1]) : std::nullopt;
  if (!markers) return false;
  out.steps = (*sizes)[0];
  out.streams = (*sizes)[1];
  if (ctx.refuse_if(out.hidden < 1 || out.hidden > int64_t{1} << 20U,
                    base::str_cat("num_output is ", out.hidden)) ||
      ctx.refuse_if(out.steps > kMaxSteps,
                    base::str_cat(out.steps, " steps; at most ", kMaxSteps, " are unrolled")) ||
      ctx.refuse_if((*markers)[0] != out.steps || (*markers)[1] != out.streams,
                    "its second bottom does not have the first one's steps and streams")) {
    return false;
  }
  out.x = ctx.bottoms[0];
  out.cont = ctx.bottoms[1];
  const bool fixed = ctx.bottoms.size() > 2 + exposed;
  if (fixed) out.fixed = ctx.bottoms[2];
  for (size_t i = 0; i < state_count; ++i) {
    if (out.exposed) {
      Value* given = ctx.bottoms[ctx.bottoms.size() - state_count + i];
      out.states.push_back(ctx.build.reshape(given, Dims{out.streams, out.hidden}));
    } else {
      const auto count = static_cast<size_t>(out.streams * out.hidden);
      if (!ctx.check_count({out.streams, out.hidden}) || !ctx.make_room(out.streams * out.hidden)) {
        return false;
      }
      out.states.push_back(ctx.build.constant(
          Constant::floats({out.streams, out.hidden}, std::vector<float>(count, 0.0F))));
    }
  }
  return true;
}

// y = x W^T (+ b) for a blob W [outputs, inputs].
Value* transformed(LayerContext& ctx, Value* matrix, size_t blob, int64_t outputs,
                   std::optional<size_t> bias) {
  const auto inputs = ctx.size(matrix, 1);
  if (!inputs) return nullptr;
  const auto weights = ctx.blob(blob, {outputs, *inputs});
  if (!weights) return nullptr;
  std::vector<Value*> operands{matrix, ctx.build.constant(*weights)};
  if (bias) {
    const auto term = ctx.blob(*bias, {outputs});
    if (!term) return nullptr;
    operands.push_back(ctx.build.constant(*term));
  }
  return ctx.build.op("Gemm", operands, {{"transB", int64_t{1}}});
}

// What every step gets from outside, [streams, outputs] each.
std::vector<Value*> step_inputs(LayerContext& ctx, const Recurrence& in, int64_t outputs) {
  Value* all = transformed(ctx, matrix_of(ctx, in.x, 2), 0, outputs, 1);
  if (all == nullptr) return {};
  std::vector<Value*> steps =
      in.steps == 1 ? std::vector<Value*>{all}
                    : ctx.build.split(all, 0, Sizes(static_cast<size_t>(in.steps), in.streams));
  if (in.fixed == nullptr) return steps;
  Value* fixed = transformed(ctx, matrix_of(ctx, in.fixed, 1), 2, outputs, std::nullopt);
  if (fixed == nullptr) return {};
  for (Value*& step : steps) step = ctx.build.add(step, fixed);
  return steps;
}

// The markers of each step as columns [streams, 1].
std::vector<Value*> step_markers(LayerContext& ctx, const Recurrence& in) {
  Value* column = ctx.build.reshape(in.cont, Dims{in.steps * in.streams, 1});
  return in.steps == 1
             ? std::vector<Value*>{column}
             : ctx.build.split(column, 0, Sizes(static_cast<size_t>(in.steps), in.streams));
}

Value* joined_steps(LayerContext& ctx, const Recurrence& in, const std::vector<Value*>& steps) {
  Value* rows = steps.size() == 1 ? steps[0] : ctx.build.concat(steps, 0);
  return ctx.build.reshape(rows, Dims{in.steps, in.streams, in.hidden});
}

void give_state(LayerContext& ctx, const Recurrence& in, Value* state) {
  ctx.give(ctx.build.reshape(state, Dims{1, in.streams, in.hidden}));
}

void lstm(LayerContext& ctx) {
  Recurrence in;
  if (!read_recurrence(ctx, 2, in)) return;
  const std::vector<Value*> inputs = step_inputs(ctx, in, 4 * in.hidden);
  if (inputs.empty()) return;
  const std::vector<Value*> markers = step_markers(ctx, in);
  const size_t hidden_blob = in.fixed != nullptr ? 3 : 2;
  Value* h = in.states[0];
  Value* c = in.states[1];
  std::vector<Value*> outputs;
  for (size_t t = 0; t < inputs.size() && !ctx.failed(); ++t) {
    Value* carried =
        transformed(ctx, ctx.build.mul(h, markers[t]), hidden_blob, 4 * in.hidden, std::nullopt);
    if (carried == nullptr) return;
    // Input, forget and output gates, then the candidate.
    const std::vector<Value*> gates =
        ctx.build.split(ctx.build.add(carried, inputs[t]), 1, Sizes(4, in.hidden));
    if (ctx.failed()) return;
    Value* input = ctx.build.op("Sigmoid", {gates[0]});
    Value* forget = ctx.build.mul(ctx.build.op("Sigmoid", {gates[1]}), markers[t]);
    Value* output = ctx.build.op("Sigmoid", {gates[2]});
    Value* candidate = ctx.build.op("Tanh", {gates[3]});
    c = ctx.build.add(ctx.build.mul(forget, c), ctx.build.mul(input, candidate));
    h = ctx.build.mul(output, ctx.build.op("Tanh", {c}));
    outputs.push_back(h);
  }
  if (ctx.failed()) return;
  ctx.give(joined_steps(ctx, in, outputs));
  if (!in.exposed) return;
  give_state(ctx, in, h);
  give_state(ctx, in, c);
}

void rnn(LayerContext& ctx) {
  Recurrence in;
  if (!read_recurrence(ctx, 1, in)) return;
  const std::vector<Value*> inputs = step_inputs(ctx, in, in.hidden);
  if (inputs.empty()) return;
  const std::vector<Value*> markers = step_markers(ctx, in);
  const size_t hidden_blob = in.fixed != nullptr ? 3 : 2;
  Value* h = in.states[0];
  std::vector<Value*> outputs;
  for (size_t t = 0; t < inputs.size() && !ctx.failed(); ++t) {
    Value* carried =
        transformed(ctx, ctx.build.mul(h, markers[t]), hidden_blob, in.hidden, std::nullopt);
    if (carried == nullptr) return;
    h = ctx.build.op("Tanh", {ctx.build.add(carried, inputs[t])});
    Value* out = transformed(ctx, h, hidden_blob + 1, in.hidden, hidden_blob + 2);
    if (out == nullptr) return;
    outputs.push_back(ctx.build.op("Tanh", {out}));
  }
  if (ctx.failed()) return;
  ctx.give(joined_steps(ctx, in, outputs));
  if (in.exposed) give_state(ctx, in, h);
}

}  // namespace

void register_recurrent(OpTable& table) {
  const char* const notes = "at most 1024 steps; states start from zero in every request";
  table.add("LSTM", lstm, notes);
  table.add("RNN", rnn, notes);
}

}  // namespace supernova::import::caffe
