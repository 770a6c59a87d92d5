// Comparisons, logic, and choosing by a condition.
#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

// Stored numbers compare as real ones do where the scales agree.
std::pair<Value*, Value*> comparable(Context& c) {
  const bool as_stored = same_scale(c.in_def(0), c.in_def(1));
  Value* a = as_stored ? c.stored(0) : c.in(0);
  Value* b = as_stored ? c.stored(1) : c.in(1);
  c.require(a->type.data_type != DataType::kBytes, "comparing strings is not supported");
  return {c.widened(a), c.widened(b)};
}

void compare(Context& c, std::string_view op, bool negate) {
  const auto [a, b] = comparable(c);
  if (c.b.failed()) return;
  Value* result = c.b.op(op, {a, b});
  c.out_stored(0, negate ? c.b.op("Not", {result}) : result);
}

void logic(Context& c, std::string_view op) {
  c.out_stored(0, c.b.op(op, {c.stored(0), c.stored(1)}));
}

// `rows`: a condition of one axis chooses whole rows.
void select(Context& c, bool rows) {
  const auto condition_rank = c.rank(0);
  const auto rank = c.rank(1);
  if (!condition_rank || !rank) return;
  Value* condition = c.stored(0);
  if (rows && *condition_rank == 1 && *rank > 1) {
    std::vector<int64_t> axes;
    for (size_t i = 1; i < *rank; ++i) axes.push_back(static_cast<int64_t>(i));
    condition = c.b.unsqueeze(condition, axes);
  }
  c.move_elements(1, 3, [&](const std::vector<Value*>& values) {
    return c.b.op("Where", {condition, c.widened(values[0]), c.widened(values[1])});
  });
}

// Where the condition holds, as rows of indices.
void where(Context& c) {
  Value* found = c.b.op("NonZero", {c.widened(c.stored(0))});
  c.out_stored(0, c.b.transpose(found, {1, 0}));
}

}  // namespace

void register_compare(OpTable& table) {
  const auto add = [&](std::string_view name, std::string_view op, bool negate = false) {
    table.add(
        name, [op, negate](Context& c) { compare(c, op, negate); }, "strings");
  };
  add("EQUAL", "Equal");
  add("NOT_EQUAL", "Equal", true);
  add("LESS", "Less");
  add("LESS_EQUAL", "LessOrEqual");
  add("GREATER", "Greater");
  add("GREATER_EQUAL", "GreaterOrEqual");
  table.add("LOGICAL_AND", [](Context& c) { logic(c, "And"); });
  table.add("LOGICAL_OR", [](Context& c) { logic(c, "Or"); });
  table.add("LOGICAL_NOT", [](Context& c) { c.out_stored(0, c.b.op("Not", {c.stored(0)})); });
  table.add("SELECT", [](Context& c) { select(c, true); });
  table.add("SELECT_V2", [](Context& c) { select(c, false); });
  table.add("WHERE", where);
}

}  // namespace supernova::import::tflite
