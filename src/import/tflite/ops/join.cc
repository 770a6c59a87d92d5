// Joining tensors and taking them apart.
#include <numeric>

#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

namespace join_slot {
enum Pack { kCount, kPackAxis };
enum Concatenation { kAxis, kActivation };
}  // namespace join_slot

void pack(Context& c) {
  const auto rank = c.rank(0);
  if (!rank) return;
  const auto axis = c.axis(c.options().integer(join_slot::kPackAxis), *rank + 1);
  if (!axis) return;
  c.move_elements(0, c.input_count(), [&](const std::vector<Value*>& values) {
    std::vector<Value*> parts;
    for (Value* value : values) parts.push_back(c.b.unsqueeze(value, {*axis}));
    return c.b.concat(parts, *axis);
  });
}

void concatenation(Context& c) {
  const auto rank = c.rank(0);
  if (!rank) return;
  const auto axis = c.axis(c.options().integer(join_slot::kAxis), *rank);
  if (!axis) return;
  const Activation activation = c.activation(join_slot::kActivation);
  if (activation == Activation::kNone) {
    c.move_elements(0, c.input_count(),
                    [&](const auto& values) { return c.b.concat(values, *axis); });
    return;
  }
  std::vector<Value*> values;
  for (size_t i = 0; i < c.input_count(); ++i) values.push_back(c.in(i));
  c.out_activated(0, c.b.concat(values, *axis), activation);
}

// Hands on parts of input `from`: as stored where the scales agree.
template <typename Cut>
void give_parts(Context& c, size_t from, Cut cut) {
  bool as_stored = true;
  for (size_t i = 0; i < c.output_count(); ++i) {
    as_stored &= same_scale(c.in_def(from), c.out_def(i));
  }
  const std::vector<Value*> parts = cut(as_stored ? c.stored(from) : c.in(from));
  for (size_t i = 0; i < parts.size(); ++i) {
    if (as_stored) {
      c.out_stored(i, parts[i]);
    } else {
      c.out(i, parts[i]);
    }
  }
}

void unpack(Context& c) {
  const auto rank = c.rank(0);
  if (!rank) return;
  const auto axis = c.axis(c.options().integer(join_slot::kPackAxis), *rank);
  if (!axis) return;
  const Dim& size = c.stored(0)->dims()[*axis];
  if (!c.require(!size.is_constant() || size == Dim(static_cast<int64_t>(c.output_count())),
                 "the number of results is not the size of the axis")) {
    return;
  }
  give_parts(c, 0, [&](Value* x) {
    std::vector<Value*> parts;
    for (size_t i = 0; i < c.output_count(); ++i) {
      parts.push_back(c.b.gather(x, c.b.scalar(static_cast<int64_t>(i)), *axis));
    }
    return parts;
  });
}

void split_at(Context& c, size_t data, size_t axis_input,
              std::optional<std::vector<int64_t>> sizes) {
  const auto axes = c.need_ints(axis_input, "axis");
  const auto rank = c.rank(data);
  if (!axes || !rank || !c.require(axes->size() == 1, "the axis must be one number")) return;
  const auto axis = c.axis(axes->front(), *rank);
  if (!axis) return;
  const auto total = c.stored(data)->dims()[*axis].constant();
  const auto count = static_cast<int64_t>(c.output_count());
  if (!sizes) {
    if (!c.require(total && count > 0 && *total % count == 0, "the axis does not divide evenly")) {
      return;
    }
    sizes = std::vector<int64_t>(count, *total / count);
  }
  int64_t given = 0;
  int64_t* open = nullptr;
  for (int64_t& size : *sizes) {
    if (size < 0) {
      open = &size;
    } else {
      given += size;
    }
  }
  if (open != nullptr && total) *open = *total - given;
  if (!c.require(static_cast<int64_t>(sizes->size()) == count &&
                     (open == nullptr || (total && *open >= 0)),
                 "the sizes of the parts don't fit")) {
    return;
  }
  give_parts(c, data, [&](Value* x) {
    return count == 1 ? std::vector<Value*>{x} : c.b.split(x, *axis, *sizes);
  });
}

void split(Context& c) { split_at(c, 1, 0, std::nullopt); }

void split_v(Context& c) {
  auto sizes = c.need_ints(1, "sizes of the parts");
  if (sizes) split_at(c, 0, 2, std::move(sizes));
}

}  // namespace

void register_join(OpTable& table) {
  table.add("PACK", pack);
  table.add("UNPACK", unpack);
  table.add("CONCATENATION", concatenation);
  table.add("SPLIT", split, "an axis that is not constant");
  table.add("SPLIT_V", split_v, "an axis or sizes that are not constant");
}

}  // namespace supernova::import::tflite
