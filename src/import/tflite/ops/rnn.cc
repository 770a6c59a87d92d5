// Plain recurrent layers: h = act(x W^T + h R^T + bias). Weights: [units, in], [units, units].
#include "import/tflite/hybrid.h"
#include "import/tflite/ops.h"
#include "import/tflite/scan.h"

namespace supernova::import::tflite {
namespace {

// Input numbers of one direction.
struct Inputs {
  size_t weights;
  size_t recurrent;
  size_t bias;
  size_t state;
};

Value* product(Builder& b, Value* x, Value* transposed) { return b.op("MatMul", {x, transposed}); }

// [time, batch, units] from [time, batch, in].
Value* run(Context& c, Value* sequence, const Inputs& at, Activation activation, int asymmetric) {
  const Rounding rounding = rounding_of(c, 0, at.weights, asymmetric);
  Value* r = c.weights(at.recurrent, {1, 0}, 0);
  Value* x = product(c.b, round_rows(c.b, sequence, rounding), c.weights(at.weights, {1, 0}, 0));
  if (c.has(at.bias)) x = c.b.add(x, c.in(at.bias));
  const auto [results, states] =
      scan(c, {c.in(at.state)}, x, [&](Builder& b, const std::vector<Value*>& h, Value* item) {
        Value* before = product(b, round_rows(b, h[0], rounding), r);
        Value* next = activated(b, b.add(item, before), activation);
        return Step{{next}, next};
      });
  c.set_state(at.state, states[0]);
  return results;
}

void rnn(Context& c) {
  Value* y = run(c, c.b.unsqueeze(c.in(0), {0}), {1, 2, 3, 4}, c.activation(0), 1);
  c.out(0, c.b.squeeze(y, {0}));
}

void sequence_rnn(Context& c) {
  const auto rank = c.rank(0);
  if (!rank || !c.require(*rank == 3, "the input must have three axes")) return;
  const bool time_major = c.options().flag(0);
  Value* x = time_major ? c.in(0) : c.in_transposed(0, {1, 0, 2});
  Value* y = run(c, x, {1, 2, 3, 4}, c.activation(1), 2);
  c.out(0, time_major ? y : c.b.transpose(y, {1, 0, 2}));
}

void bidirectional_rnn(Context& c) {
  const auto rank = c.rank(0);
  if (!rank || !c.require(*rank == 3, "the input must have three axes") ||
      !c.require(!c.has(9), "an auxiliary input is not supported")) {
    return;
  }
  const bool time_major = c.options().flag(0);
  Value* x = time_major ? c.in(0) : c.in_transposed(0, {1, 0, 2});
  Value* forward = run(c, x, {1, 2, 3, 4}, c.activation(1), 3);
  Value* back = backwards(c.b, run(c, backwards(c.b, x), {5, 6, 7, 8}, c.activation(1), 3));
  const auto order = [&](Value* y) { return time_major ? y : c.b.transpose(y, {1, 0, 2}); };
  if (c.options().flag(2)) {
    c.out(0, order(c.b.concat({forward, back}, 2)));
  } else {
    c.out(0, order(forward));
    c.out(1, order(back));
  }
}

}  // namespace

void register_rnn(OpTable& table) {
  table.add("RNN", rnn);
  table.add("UNIDIRECTIONAL_SEQUENCE_RNN", sequence_rnn);
  table.add("BIDIRECTIONAL_SEQUENCE_RNN", bidirectional_rnn, "an auxiliary input");
}

}  // namespace supernova::import::tflite
