// LSTM layers. Gates: input, forget, cell, output; weights [cells, in] and [cells, out] for each.
// With or without peepholes, projection, layer normalisation, clipping and a separate input gate.
// Quantised layers are computed with real numbers, rounded to the states' own steps.
#include <array>
#include <cmath>

#include "import/tflite/hybrid.h"
#include "import/tflite/ops.h"
#include "import/tflite/scan.h"

namespace supernova::import::tflite {
namespace {

enum Gate { kInput, kForget, kCell, kOutput, kGates };
constexpr float kLayerNormEpsilon = 1e-8F;

// Input numbers of one direction.
struct Inputs {
  size_t weights = 1;    // four
  size_t recurrent = 5;  // four
  size_t peepholes = 9;  // three: input, forget, output
  size_t biases = 12;    // four
  size_t projection = 16;
  size_t projection_bias = 17;
  size_t hidden = 18;
  size_t cell = 19;
  size_t norms = 20;  // four
};

struct Layer {
  Inputs at;
  Activation activation = Activation::kTanh;
  float cell_clip = 0;
  float projection_clip = 0;
  bool coupled = false;  // the input gate is what the forget gate leaves
  bool normalised = false;
  Rounding rounding = Rounding::kNone;
  std::array<Value*, kGates> recurrent{};  // transposed
  std::array<Value*, kGates> peephole{};
  std::array<Value*, kGates> norm{};
  std::array<Value*, kGates> bias{};
  Value* projection = nullptr;  // transposed
  Value* projection_bias = nullptr;
  const TensorDef* hidden_steps = nullptr;  // of a quantised layer
  const TensorDef* inner_steps = nullptr;   // before the projection
  const TensorDef* cell_steps = nullptr;
};

Value* rounded(Builder& b, Value* x, const TensorDef* steps) {
  return steps != nullptr ? dequantise(b, quantise(b, x, *steps), *steps) : x;
}

// Integer biases count in steps of 2^-20 or of the scales multiplied; layer-normalised ones in
// steps of their own.
Value* gate_bias(Context& c, const Layer& layer, size_t gate) {
  const size_t i = layer.at.biases + gate;
  if (!c.has(i)) return nullptr;
  const TensorDef& def = c.in_def(i);
  if (def.type != Element::kInt32) return c.in(i);
  if (layer.normalised) return dequantise(c.b, c.stored(i), def);
  return c.bias(i, 0, layer.at.weights + gate);
}

void read_gates(Context& c, Layer& layer) {
  for (size_t gate = layer.coupled ? kForget : kInput; gate < kGates; ++gate) {
    layer.recurrent[gate] = c.weights(layer.at.recurrent + gate, {1, 0}, 0);
    layer.bias[gate] = gate_bias(c, layer, gate);
    if (layer.normalised) layer.norm[gate] = c.in(layer.at.norms + gate);
    // The cell gate has no peephole, so the output's comes third.
    const size_t peephole = layer.at.peepholes + (gate == kOutput ? 2 : gate);
    if (gate != kCell && c.has(peephole)) layer.peephole[gate] = c.in(peephole);
  }
  if (c.has(layer.at.projection)) {
    layer.projection = c.weights(layer.at.projection, {1, 0}, 0);
  }
}

void read_steps(Context& c, Layer& layer) {
  const SubGraph& graph = c.scope().graph();
  const TensorDef& hidden = c.in_def(layer.at.hidden);
  if (!c.quantised(0) || !is_quantised(hidden)) return;
  layer.hidden_steps = &hidden;
  layer.cell_steps = &c.in_def(layer.at.cell);
  const auto& inner = c.op().intermediates;
  if (layer.projection != nullptr && inner.size() == 5 && inner[4] >= 0) {
    const TensorDef& def = graph.tensors[inner[4]];
    if (is_quantised(def)) layer.inner_steps = &def;
  }
}

Layer read_layer(Context& c, const Inputs& at, bool may_normalise, int asymmetric) {
  Layer layer;
  layer.at = at;
  layer.rounding = rounding_of(c, 0, at.weights + kOutput, asymmetric);
  layer.activation = c.activation(0);
  layer.cell_clip = c.options().real(1);
  layer.projection_clip = c.options().real(2);
  layer.coupled = !c.has(at.weights);
  layer.normalised = may_normalise && c.has(at.norms + kForget);
  read_gates(c, layer);
  read_steps(c, layer);
  if (layer.projection != nullptr && c.has(at.projection_bias)) {
    const TensorDef& def = c.in_def(at.projection_bias);
    const bool whole = def.type == Element::kInt32;
    const float step =
        first_scale(layer.inner_steps != nullptr ? *layer.inner_steps : c.in_def(at.hidden)) *
        first_scale(c.in_def(at.projection));
    layer.projection_bias =
        whole ? c.b.mul(c.b.cast(c.stored(at.projection_bias), DataType::kFp32), c.b.scalar(step))
              : c.in(at.projection_bias);
  }
  return layer;
}

Value* normalise(Builder& b, Value* x, Value* factor) {
  Value* centred = b.sub(x, b.reduce("ReduceMean", x, {-1}, true));
  Value* variance = b.reduce("ReduceMean", b.mul(centred, centred), {-1}, true);
  Value* deviation = b.op("Sqrt", {b.add(variance, b.scalar(kLayerNormEpsilon))});
  return b.mul(b.div(centred, deviation), factor);
}

Value* gate_value(Builder& b, const Layer& layer, size_t gate, Value* from_input, Value* hidden,
                  Value* cell) {
  Value* z = b.add(from_input, b.op("MatMul", {hidden, layer.recurrent[gate]}));
  if (layer.peephole[gate] != nullptr) z = b.add(z, b.mul(cell, layer.peephole[gate]));
  if (layer.normalised) z = normalise(b, z, layer.norm[gate]);
  if (layer.bias[gate] != nullptr) z = b.add(z, layer.bias[gate]);
  return gate == kCell ? activated(b, z, layer.activation) : b.op("Sigmoid", {z});
}

// States: hidden [batch, out], cell [batch, cells]; the item: what each gate has from the input.
Step make_step(Builder& b, const Layer& layer, const std::vector<Value*>& states, Value* item) {
  const size_t first = layer.coupled ? kForget : kInput;
  std::vector<Value*> from_input(kGates, nullptr);
  for (size_t gate = first; gate < kGates; ++gate) {
    from_input[gate] = b.gather(item, b.scalar(static_cast<int64_t>(gate - first)), 0);
  }
  Value* before = round_rows(b, states[0], layer.rounding);
  const auto gate = [&](size_t which, Value* cell) {
    return gate_value(b, layer, which, from_input[which], before, cell);
  };
  Value* forget = gate(kForget, states[1]);
  Value* input = layer.coupled ? b.sub(b.scalar(1.0F), forget) : gate(kInput, states[1]);
  Value* cell = b.add(b.mul(forget, states[1]), b.mul(input, gate(kCell, nullptr)));
  if (layer.cell_clip > 0) cell = b.clip(cell, -layer.cell_clip, layer.cell_clip);
  cell = rounded(b, cell, layer.cell_steps);
  Value* hidden = b.mul(gate(kOutput, cell), activated(b, cell, layer.activation));
  if (layer.projection != nullptr) {
    hidden = round_rows(b, rounded(b, hidden, layer.inner_steps), layer.rounding);
    hidden = b.op("MatMul", {hidden, layer.projection});
    if (layer.projection_bias != nullptr) hidden = b.add(hidden, layer.projection_bias);
    if (layer.projection_clip > 0) {
      hidden = b.clip(hidden, -layer.projection_clip, layer.projection_clip);
    }
  }
  hidden = rounded(b, hidden, layer.hidden_steps);
  return {{hidden, cell}, hidden};
}

// What ONNX's own operator computes.
bool is_plain(const Layer& layer) {
  return !layer.coupled && !layer.normalised && layer.projection == nullptr &&
         layer.cell_clip <= 0 && layer.hidden_steps == nullptr &&
         layer.rounding == Rounding::kNone && layer.activation == Activation::kTanh;
}

// One weight from four, in ONNX's order of gates: input, output, forget, cell.
template <typename Of>
Value* joined(Context& c, Of of) {
  Value* all = c.b.concat({of(kInput), of(kOutput), of(kForget), of(kCell)}, 0);
  return c.b.unsqueeze(all, {0});
}

Value* run_plain(Context& c, Layer& layer, Value* sequence) {
  const Dims& cells = c.stored(layer.at.weights + kCell)->dims();
  const auto count = cells.empty() ? std::nullopt : cells[0].constant();
  if (!count) return c.b.fail("the number of cells is not known");
  const auto zeros = [&] {
    return c.b.constant(Constant::floats({*count}, std::vector<float>(*count, 0)));
  };
  Value* w = joined(c, [&](size_t gate) { return c.weights(layer.at.weights + gate, {0, 1}, 0); });
  Value* r = joined(c, [&](size_t gate) {
    return c.weights(layer.at.recurrent + gate, {0, 1}, 0);
  });
  Value* bias = joined(
      c, [&](size_t gate) { return layer.bias[gate] != nullptr ? layer.bias[gate] : zeros(); });
  Value* no_second =
      c.b.constant(Constant::floats({1, kGates * *count}, std::vector<float>(kGates * *count, 0)));
  std::vector<Value*> inputs{sequence,
                             w,
                             r,
                             c.b.concat({bias, no_second}, 1),
                             nullptr,
                             c.b.unsqueeze(c.in(layer.at.hidden), {0}),
                             c.b.unsqueeze(c.in(layer.at.cell), {0})};
  if (layer.peephole[kForget] != nullptr) {
    inputs.push_back(c.b.unsqueeze(
        c.b.concat({layer.peephole[kInput], layer.peephole[kOutput], layer.peephole[kForget]}, 0),
        {0}));
  }
  const auto y = c.b.op_outputs("LSTM", inputs, {{"hidden_size", *count}}, 3);
  c.set_state(layer.at.hidden, c.b.squeeze(y[1], {0}));
  c.set_state(layer.at.cell, c.b.squeeze(y[2], {0}));
  return c.b.squeeze(y[0], {1});
}

// [time, batch, out] from [time, batch, in].
Value* run(Context& c, Layer& layer, Value* sequence) {
  if (is_plain(layer)) return run_plain(c, layer, sequence);
  sequence = round_rows(c.b, sequence, layer.rounding);
  std::vector<Value*> parts;
  for (size_t gate = layer.coupled ? kForget : kInput; gate < kGates; ++gate) {
    Value* w = c.weights(layer.at.weights + gate, {1, 0}, 0);
    parts.push_back(c.b.unsqueeze(c.b.op("MatMul", {sequence, w}), {1}));
  }
  Value* items = c.b.concat(parts, 1);
  const auto [results, states] =
      scan(c, {c.in(layer.at.hidden), c.in(layer.at.cell)}, items,
           [&](Builder& b, const std::vector<Value*>& before, Value* item) {
             return make_step(b, layer, before, item);
           });
  c.set_state(layer.at.hidden, states[0]);
  c.set_state(layer.at.cell, states[1]);
  return results;
}

bool is_sequence(Context& c) {
  const auto rank = c.rank(0);
  return rank && c.require(*rank == 3, "the input must have three axes");
}

void sequence_lstm(Context& c) {
  if (!is_sequence(c) || !c.require(!c.options().flag(5), "diagonal weights are not supported")) {
    return;
  }
  const bool time_major = c.options().flag(3);
  Layer layer = read_layer(c, Inputs(), c.input_count() > 20, 4);
  Value* y = run(c, layer, time_major ? c.in(0) : c.in_transposed(0, {1, 0, 2}));
  c.out(0, time_major ? y : c.b.transpose(y, {1, 0, 2}));
}

void bidirectional_lstm(Context& c) {
  if (!is_sequence(c) || !c.require(!c.has(39), "an auxiliary input is not supported")) return;
  const bool time_major = c.options().flag(4, true);
  Layer ahead = read_layer(c, {1, 5, 9, 12, 16, 17, 35, 36, 0}, false, 5);
  Layer behind = read_layer(c, {18, 22, 26, 29, 33, 34, 37, 38, 0}, false, 5);
  Value* x = time_major ? c.in(0) : c.in_transposed(0, {1, 0, 2});
  Value* forward = run(c, ahead, x);
  Value* back = backwards(c.b, run(c, behind, backwards(c.b, x)));
  const auto order = [&](Value* y) { return time_major ? y : c.b.transpose(y, {1, 0, 2}); };
  if (c.options().flag(3)) {
    c.out(0, order(c.b.concat({forward, back}, 2)));
  } else {
    c.out(0, order(forward));
    c.out(1, order(back));
  }
}

// Inputs: data, earlier result, weights [4 cells, in + cells], bias, earlier state; gates in the
// order input, cell, forget, output.
void basic_lstm(Context& c) {
  const auto state_rank = c.rank(4);
  if (!state_rank || !c.require(*state_rank == 2, "the state must have two axes")) return;
  const auto cells = c.stored(4)->dims()[1].constant();
  if (!c.require(cells && *cells > 0, "the number of cells must be fixed")) return;
  Value* x = c.b.concat({c.in(0), c.in(1)}, 1);
  Value* z =
      c.b.op("Gemm", {x, c.weights(2, {0, 1}, 0), c.bias(3, 0, 2)}, {{"transB", int64_t{1}}});
  const auto gates = c.b.split(z, 1, std::vector<int64_t>(kGates, *cells));
  const auto sigmoid = [&](Value* value) { return c.b.op("Sigmoid", {value}); };
  Value* fresh = c.b.mul(sigmoid(gates[0]), c.b.op("Tanh", {gates[1]}));
  Value* cell = c.b.add(fresh, c.b.mul(sigmoid(gates[2]), c.in(4)));
  Value* y = c.b.mul(sigmoid(gates[3]), c.b.op("Tanh", {cell}));
  c.out(0, y);
  c.out(1, cell);
  c.out(2, x);
  c.out(3, z);
  c.set_state(1, y);
  c.set_state(4, cell);
}

void lstm(Context& c) {
  constexpr int8_t kBasic = 1;
  if (c.options().byte(3) == kBasic) {
    basic_lstm(c);
    return;
  }
  Layer layer = read_layer(c, Inputs(), c.input_count() > 20, 4);
  Value* y = run(c, layer, c.b.unsqueeze(c.in(0), {0}));
  // Older files list scratch tensors before the result.
  c.out(c.output_count() - 1, c.b.squeeze(y, {0}));
  for (size_t i = 0; i + 1 < c.output_count(); ++i) {
    c.out_stored(i, c.b.scalar(0.0F));  // scratch memory that nothing reads
  }
}

}  // namespace

void register_lstm(OpTable& table) {
  table.add("LSTM", lstm);
  table.add("UNIDIRECTIONAL_SEQUENCE_LSTM", sequence_lstm, "diagonal recurrent weights");
  table.add("BIDIRECTIONAL_SEQUENCE_LSTM", bidirectional_lstm, "an auxiliary input");
}

}  // namespace supernova::import::tflite
