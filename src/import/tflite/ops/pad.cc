// Padding, and moving between space, depth and batch.
#include <algorithm>

#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

constexpr int64_t kMaxPadding = 1 << 24;
using Pads = std::vector<std::pair<int64_t, int64_t>>;

std::optional<Pads> pads_of(Context& c, const std::vector<int64_t>& numbers, size_t axes) {
  if (!c.require(numbers.size() == 2 * axes, "the paddings don't fit the axes"))
    return std::nullopt;
  Pads out;
  for (size_t i = 0; i < axes; ++i) {
    out.emplace_back(numbers[2 * i], numbers[2 * i + 1]);
    const auto [low, high] = std::minmax(numbers[2 * i], numbers[2 * i + 1]);
    if (!c.require(low >= 0 && high <= kMaxPadding, "a padding is negative or beyond reason")) {
      return std::nullopt;
    }
  }
  return out;
}

// `fill` is of x's type; null = zero.
Value* padded(Context& c, Value* x, Value* fill) {
  const auto rank = c.rank(0);
  if (!rank) return x;
  if (const auto numbers = c.ints(1)) {
    const auto pads = pads_of(c, *numbers, *rank);
    return pads ? c.b.pad(x, *pads, fill) : x;
  }
  Value* both = c.b.reshape(c.b.transpose(c.int64s(1), {1, 0}), c.b.ints({-1}));
  return c.b.op("Pad", {x, both, fill != nullptr ? fill : c.scalar_like(x, 0)});
}

// Quantised tensors are padded as stored, with the number that stands for zero.
void pad(Context& c) {
  const TensorDef& def = c.in_def(0);
  const bool bytes = def.type == Element::kInt8 || def.type == Element::kUint8;
  if (is_quantised(def) && bytes && same_scale(def, c.out_def())) {
    const auto zero = static_cast<double>(first_zero_point(def));
    Value* x = c.stored(0);
    c.out_stored(0, padded(c, x, c.scalar_like(x, zero)));
    return;
  }
  Value* x = c.widened(c.in(0));
  c.out(0, padded(c, x, nullptr));
}

void pad_v2(Context& c) {
  const TensorDef& def = c.in_def(0);
  const bool bytes = def.type == Element::kInt8 || def.type == Element::kUint8;
  const bool as_stored = bytes && same_scale(def, c.out_def()) && same_scale(def, c.in_def(2));
  Value* x = as_stored ? c.stored(0) : c.widened(c.in(0));
  Value* fill = as_stored ? c.stored(2) : c.widened(c.in(2));
  Value* y = padded(c, x, c.b.reshape(fill, c.b.ints({})));
  if (as_stored) {
    c.out_stored(0, y);
  } else {
    c.out(0, y);
  }
}

// Where each element of a mirrored axis comes from.
std::vector<int64_t> mirror(int64_t size, int64_t before, int64_t after, bool edge_twice) {
  std::vector<int64_t> from;
  for (int64_t i = -before; i < size + after; ++i) {
    int64_t at = i;
    if (at < 0) at = edge_twice ? -at - 1 : -at;
    if (at >= size) at = edge_twice ? 2 * size - 1 - at : 2 * size - 2 - at;
    from.push_back(at);
  }
  return from;
}

void mirror_pad(Context& c) {
  const auto rank = c.rank(0);
  const auto numbers = c.need_ints(1, "paddings");
  if (!rank || !numbers) return;
  const auto pads = pads_of(c, *numbers, *rank);
  if (!pads) return;
  const bool edge_twice = c.options().byte(0) == 1;
  const Dims dims = c.stored(0)->dims();
  if (!edge_twice && c.in_def(0).type == Element::kFloat32) {
    c.out(0, c.b.pad(c.in(0), *pads, nullptr, "reflect"));
    return;
  }
  for (size_t i = 0; i < *rank; ++i) {
    const auto [before, after] = (*pads)[i];
    if (before == 0 && after == 0) continue;
    const auto size = dims[i].constant();
    const int64_t most = size ? *size - (edge_twice ? 0 : 1) : 0;
    if (!c.require(before <= most && after <= most, "the padding is wider than the tensor")) return;
  }
  c.move_elements(0, 1, [&](const std::vector<Value*>& input) {
    Value* x = input[0];
    for (size_t i = 0; i < *rank; ++i) {
      const auto [before, after] = (*pads)[i];
      if (before == 0 && after == 0) continue;
      const auto from = mirror(*dims[i].constant(), before, after, edge_twice);
      x = c.b.gather(x, c.b.ints(from), static_cast<int64_t>(i));
    }
    return x;
  });
}

// The number of blocks along an axis.
Dim blocks(Context& c, const Dim& size, int64_t block) {
  const auto exact = exact_div(size, Dim(block));
  if (exact) return *exact;
  if (size.is_constant()) {
    c.b.fail(base::str_cat("a size of ", *size.constant(), " is no multiple of ", block));
  }
  return floor_div(size, Dim(block));
}

bool is_float(Context& c) { return c.in_def(0).type == Element::kFloat32; }

std::optional<int64_t> block_size(Context& c) {
  const auto rank = c.rank(0);
  const int64_t block = c.options().integer(0);
  if (!rank || !c.require(*rank == 4, "the tensor must have four axes") ||
      !c.require(block > 0 && block <= 1024, "the block's size is not positive or too large")) {
    return std::nullopt;
  }
  return block;
}

void space_to_depth(Context& c) {
  const auto block = block_size(c);
  if (!block) return;
  if (is_float(c)) {
    c.out_nchw(0, c.b.op("SpaceToDepth", {c.in_nchw(0)}, {{"blocksize", *block}}));
    return;
  }
  const Dims d = c.stored(0)->dims();
  const Dim h = blocks(c, d[1], *block);
  const Dim w = blocks(c, d[2], *block);
  c.move_elements(0, 1, [&](const auto& x) {
    Value* y = c.b.reshape(x[0], Dims{d[0], h, Dim(*block), w, Dim(*block), d[3]});
    y = c.b.transpose(y, {0, 1, 3, 2, 4, 5});
    return c.b.reshape(y, Dims{d[0], h, w, d[3] * Dim(*block * *block)});
  });
}

void depth_to_space(Context& c) {
  const auto block = block_size(c);
  if (!block) return;
  if (is_float(c)) {
    c.out_nchw(0, c.b.op("DepthToSpace", {c.in_nchw(0)}, {{"blocksize", *block}}));
    return;
  }
  const Dims d = c.stored(0)->dims();
  const Dim depth = blocks(c, d[3], *block * *block);
  c.move_elements(0, 1, [&](const auto& x) {
    Value* y = c.b.reshape(x[0], Dims{d[0], d[1], d[2], Dim(*block), Dim(*block), depth});
    y = c.b.transpose(y, {0, 1, 3, 2, 4, 5});
    return c.b.reshape(y, Dims{d[0], d[1] * Dim(*block), d[2] * Dim(*block), depth});
  });
}

struct Blocks {
  std::vector<int64_t> sizes;
  Pads edges;
};

std::optional<Blocks> read_blocks(Context& c) {
  const auto rank = c.rank(0);
  const auto sizes = c.need_ints(1, "block's sizes");
  const auto edges = c.need_ints(2, "paddings or crops");
  if (!rank || !sizes || !edges) return std::nullopt;
  const bool sane = std::all_of(sizes->begin(), sizes->end(),
                                [](int64_t size) { return size > 0 && size <= 4096; });
  if (!c.require(sane && sizes->size() < *rank, "the block's sizes don't fit")) return std::nullopt;
  const auto pads = pads_of(c, *edges, sizes->size());
  if (!pads) return std::nullopt;
  return Blocks{*sizes, *pads};
}

// [n, s..., rest] -> [block... * n, s / block..., rest]
void space_to_batch(Context& c) {
  const auto plan = read_blocks(c);
  if (!plan) return;
  const size_t count = plan->sizes.size();
  const TensorDef& def = c.in_def(0);
  const Dims from = c.stored(0)->dims();
  Pads pads(from.size());
  std::copy(plan->edges.begin(), plan->edges.end(), pads.begin() + 1);
  Dims split{from[0]};
  Dims joined{from[0]};
  std::vector<int64_t> order;
  for (size_t i = 0; i < count; ++i) {
    const Dim size = from[i + 1] + Dim(pads[i + 1].first + pads[i + 1].second);
    joined.push_back(blocks(c, size, plan->sizes[i]));
    split.push_back(joined.back());
    split.emplace_back(plan->sizes[i]);
    joined[0] = joined[0] * Dim(plan->sizes[i]);
    order.push_back(static_cast<int64_t>(2 + 2 * i));
  }
  order.push_back(0);
  for (size_t i = 0; i < count; ++i) order.push_back(static_cast<int64_t>(1 + 2 * i));
  for (size_t i = count + 1; i < from.size(); ++i) {
    order.push_back(static_cast<int64_t>(split.size()));
    split.push_back(from[i]);
    joined.push_back(from[i]);
  }
  if (c.b.failed()) return;
  c.move_elements(0, 1, [&](const std::vector<Value*>& input) {
    Value* x = input[0];
    const bool zero_point = is_quantised(def) && same_scale(def, c.out_def());
    const auto zero = zero_point ? static_cast<double>(first_zero_point(def)) : 0.0;
    x = c.b.pad(x, pads, c.scalar_like(x, zero));
    return c.b.reshape(c.b.transpose(c.b.reshape(x, split), order), joined);
  });
}

void batch_to_space(Context& c) {
  const auto plan = read_blocks(c);
  if (!plan) return;
  const size_t count = plan->sizes.size();
  const Dims from = c.stored(0)->dims();
  Dims split;
  Dim batch = from[0];
  for (const int64_t size : plan->sizes) {
    split.emplace_back(size);
    batch = blocks(c, batch, size);
  }
  split.push_back(batch);
  split.insert(split.end(), from.begin() + 1, from.end());
  Dims joined{batch};
  std::vector<int64_t> order{static_cast<int64_t>(count)};
  std::vector<int64_t> axes;
  std::vector<int64_t> starts;
  std::vector<int64_t> ends;
  for (size_t i = 0; i < count; ++i) {
    order.push_back(static_cast<int64_t>(count + 1 + i));
    order.push_back(static_cast<int64_t>(i));
    joined.push_back(from[i + 1] * Dim(plan->sizes[i]));
    const auto [before, after] = plan->edges[i];
    if (before == 0 && after == 0) continue;
    axes.push_back(static_cast<int64_t>(i + 1));
    starts.push_back(before);
    ends.push_back(after == 0 ? int64_t{1} << 40 : -after);
  }
  for (size_t i = count + 1; i < from.size(); ++i) {
    order.push_back(static_cast<int64_t>(count + i));
    joined.push_back(from[i]);
  }
  if (c.b.failed()) return;
  c.move_elements(0, 1, [&](const std::vector<Value*>& x) {
    Value* y = c.b.transpose(c.b.reshape(x[0], split), order);
    y = c.b.reshape(y, joined);
    return axes.empty() ? y : c.b.slice(y, starts, ends, axes);
  });
}

}  // namespace

void register_pad(OpTable& table) {
  table.add("PAD", pad);
  table.add("PADV2", pad_v2);
  table.add("MIRROR_PAD", mirror_pad, "paddings that are not constant");
  table.add("SPACE_TO_DEPTH", space_to_depth);
  table.add("DEPTH_TO_SPACE", depth_to_space);
  table.add("SPACE_TO_BATCH_ND", space_to_batch, "blocks that are not constant");
  table.add("BATCH_TO_SPACE_ND", batch_to_space, "blocks that are not constant");
}

}  // namespace supernova::import::tflite
