// Arithmetic, element by element. Sizes of 1 stretch as in ONNX.
#include <cmath>

#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

bool is_real(const Value* x) {
  return x->type.data_type == DataType::kFp32 || x->type.data_type == DataType::kFp64;
}

// `op` on two operands, with a fused activation where there is an option for it.
void arithmetic(Context& c, std::string_view op, bool fused) {
  Value* y = c.b.op(op, {c.widened(c.in(0)), c.widened(c.in(1))});
  c.out_activated(0, y, fused ? c.activation(0) : Activation::kNone);
}

void squared_difference(Context& c) {
  Value* difference = c.b.sub(c.widened(c.in(0)), c.widened(c.in(1)));
  c.out(0, c.b.mul(difference, difference));
}

// The remainder with the divisor's sign.
Value* floor_mod_of(Context& c, Value* a, Value* b) {
  if (!is_real(a)) return c.b.op("Mod", {a, b});
  Value* rest = c.b.op("Mod", {a, b}, {{"fmod", int64_t{1}}});
  Value* zero = c.scalar_like(a, 0);
  Value* some = c.b.op("Not", {c.b.op("Equal", {rest, zero})});
  Value* other_sign = c.b.op("Xor", {c.b.op("Less", {rest, zero}), c.b.op("Less", {b, zero})});
  return c.b.op("Where", {c.b.op("And", {some, other_sign}), c.b.add(rest, b), rest});
}

void floor_div(Context& c) {
  Value* a = c.widened(c.in(0));
  Value* b = c.widened(c.in(1));
  if (is_real(a)) {
    c.out(0, c.b.op("Floor", {c.b.div(a, b)}));
  } else {
    c.out(0, c.b.div(c.b.sub(a, floor_mod_of(c, a, b)), b));
  }
}

void floor_mod(Context& c) { c.out(0, floor_mod_of(c, c.widened(c.in(0)), c.widened(c.in(1)))); }

void add_n(Context& c) {
  Value* sum = c.in(0);
  for (size_t i = 1; i < c.input_count(); ++i) sum = c.b.add(sum, c.in(i));
  c.out(0, sum);
}

// The angle of (x, y), from the quotient's and the quadrant.
void atan2(Context& c) {
  Value* y = c.in(0);
  Value* x = c.in(1);
  Value* zero = c.scalar_like(x, 0);
  Value* pi = c.scalar_like(x, M_PI);
  Value* half = c.scalar_like(x, M_PI_2);
  Value* slope = c.b.op("Atan", {c.b.div(y, x)});
  Value* below = c.b.op("Less", {y, zero});
  Value* left = c.b.op("Where", {below, c.b.sub(slope, pi), c.b.add(slope, pi)});
  Value* upright = c.b.op("Where", {c.b.op("Equal", {y, zero}), zero,
                                    c.b.op("Where", {below, c.b.op("Neg", {half}), half})});
  Value* not_right = c.b.op("Where", {c.b.op("Less", {x, zero}), left, upright});
  c.out(0, c.b.op("Where", {c.b.op("Less", {zero, x}), slope, not_right}));
}

void unary(Context& c, std::string_view op) { c.out(0, c.b.op(op, {c.widened(c.in(0))})); }

void rsqrt(Context& c) {
  Value* x = c.in(0);
  c.out(0, c.b.div(c.scalar_like(x, 1), c.b.op("Sqrt", {x})));
}

void square(Context& c) {
  Value* x = c.widened(c.in(0));
  c.out(0, c.b.mul(x, x));
}

}  // namespace

void register_elementwise(OpTable& table) {
  const auto fused = [&](std::string_view name, std::string_view op) {
    table.add(name, [op](Context& c) { arithmetic(c, op, true); });
  };
  const auto plain = [&](std::string_view name, std::string_view op) {
    table.add(name, [op](Context& c) { arithmetic(c, op, false); });
  };
  const auto one = [&](std::string_view name, std::string_view op) {
    table.add(name, [op](Context& c) { unary(c, op); });
  };
  fused("ADD", "Add");
  fused("SUB", "Sub");
  fused("MUL", "Mul");
  fused("DIV", "Div");
  plain("POW", "Pow");
  plain("MAXIMUM", "Max");
  plain("MINIMUM", "Min");
  table.add("SQUARED_DIFFERENCE", squared_difference);
  table.add("FLOOR_DIV", floor_div);
  table.add("FLOOR_MOD", floor_mod);
  table.add("ADD_N", add_n);
  table.add("ATAN2", atan2);
  one("ABS", "Abs");
  one("NEG", "Neg");
  one("EXP", "Exp");
  one("LOG", "Log");
  one("SQRT", "Sqrt");
  one("SIN", "Sin");
  one("COS", "Cos");
  one("FLOOR", "Floor");
  one("CEIL", "Ceil");
  one("ROUND", "Round");
  one("SIGN", "Sign");
  table.add("RSQRT", rsqrt);
  table.add("SQUARE", square);
}

}  // namespace supernova::import::tflite
