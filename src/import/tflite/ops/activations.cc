// Activations as operators of their own.
#include <cmath>

#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

void clamped(Context& c, Activation activation) { c.out_activated(0, c.in(0), activation); }

void relu_0_to_1(Context& c) {
  Value* x = c.in(0);
  c.out(0, c.b.op("Clip", {x, c.scalar_like(x, 0), c.scalar_like(x, 1)}));
}

// x * clamp(x / 6 + 1/2, 0, 1)
void hard_swish(Context& c) {
  Value* x = c.in(0);
  c.out(0, c.b.mul(x, c.b.op("HardSigmoid", {x}, {{"alpha", 1.0F / 6.0F}, {"beta", 0.5F}})));
}

void prelu(Context& c) { c.out(0, c.b.op("PRelu", {c.in(0), c.in(1)})); }

void leaky_relu(Context& c) {
  c.out(0, c.b.op("LeakyRelu", {c.in(0)}, {{"alpha", c.options().real(0)}}));
}

// Half of x times 1 + erf(x / sqrt 2), or the approximation by tanh.
void gelu(Context& c) {
  Value* x = c.in(0);
  Value* inner = nullptr;
  if (c.options().flag(0)) {
    Value* cubed = c.b.mul(c.b.mul(c.b.mul(x, x), x), c.b.scalar(0.044715F));
    const auto factor = static_cast<float>(std::sqrt(2.0 / M_PI));
    inner = c.b.op("Tanh", {c.b.mul(c.b.add(x, cubed), c.b.scalar(factor))});
  } else {
    inner = c.b.op("Erf", {c.b.mul(x, c.b.scalar(static_cast<float>(M_SQRT1_2)))});
  }
  Value* half = c.b.mul(x, c.b.scalar(0.5F));
  c.out(0, c.b.mul(half, c.b.add(inner, c.b.scalar(1.0F))));
}

void softmax(Context& c) {
  Value* x = c.in(0);
  const float beta = c.options().real(0);
  const auto rank = c.rank(0);
  if (rank && *rank > 0 && x->dims().back() == Dim(1)) {
    // The only one has it all; the runtime's quantised kernel is wrong here (gives 0).
    c.out(0, c.b.op("Expand", {c.b.scalar(1.0F), c.b.op("Shape", {x})}));
    return;
  }
  if (beta != 1.0F) x = c.b.mul(x, c.b.scalar(beta));
  c.out(0, c.b.op("Softmax", {x}, {{"axis", int64_t{-1}}}));
}

void log_softmax(Context& c) { c.out(0, c.b.op("LogSoftmax", {c.in(0)}, {{"axis", int64_t{-1}}})); }

template <const char* Op>
void one_to_one(Context& c) {
  c.out(0, c.b.op(Op, {c.in(0)}));
}
constexpr char kTanh[] = "Tanh";
constexpr char kSigmoid[] = "Sigmoid";
constexpr char kElu[] = "Elu";

}  // namespace

void register_activations(OpTable& table) {
  table.add("RELU", [](Context& c) { clamped(c, Activation::kRelu); });
  table.add("RELU_N1_TO_1", [](Context& c) { clamped(c, Activation::kReluN1To1); });
  table.add("RELU6", [](Context& c) { clamped(c, Activation::kRelu6); });
  table.add("RELU_0_TO_1", relu_0_to_1);
  table.add("TANH", one_to_one<kTanh>);
  table.add("LOGISTIC", one_to_one<kSigmoid>);
  table.add("ELU", one_to_one<kElu>);
  table.add("HARD_SWISH", hard_swish);
  table.add("PRELU", prelu);
  table.add("LEAKY_RELU", leaky_relu);
  table.add("GELU", gelu);
  table.add("SOFTMAX", softmax);
  table.add("LOG_SOFTMAX", log_softmax);
}

}  // namespace supernova::import::tflite
