// Padding, and moving between space, depth and batch.
#include <algorithm>
#include <numeric>

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

bool are_block_sizes(const std::vector<int64_t>& sizes) {
  return std::all_of(sizes.begin(), sizes.end(),
                     [](int64_t size) { return size > 0 && size <= 4096; });
}

std::optional<Blocks> read_blocks(Context& c) {
  const auto rank = c.rank(0);
  const auto sizes = c.need_ints(1, "block's sizes");
  const auto edges = c.need_ints(2, "paddings or crops");
  if (!rank || !sizes || !edges) return std::nullopt;
  const bool sane = are_block_sizes(*sizes) && sizes->size() < *rank;
  if (!c.require(sane, "the block's sizes don't fit")) return std::nullopt;
  const auto pads = pads_of(c, *edges, sizes->size());
  if (!pads) return std::nullopt;
  return Blocks{*sizes, *pads};
}

// The same where only a request knows: INT64 tensors, of `count` elements each.
struct OpenBlocks {
  size_t count = 0;
  Value* sizes = nullptr;
  Value* before = nullptr;
  Value* after = nullptr;
};

Value* part(Builder& b, Value* x, size_t from, size_t to) {
  return b.slice(x, {static_cast<int64_t>(from)}, {static_cast<int64_t>(to)}, {0});
}

// Whether the graph must compute the shapes, as more than the batch is not known before a request.
bool is_open(Context& c, const Dims& dims) {
  return !c.ints(1) || !c.ints(2) || dims.empty() ||
         std::any_of(dims.begin() + 1, dims.end(),
                     [](const Dim& dim) { return !dim.is_constant(); });
}

std::optional<OpenBlocks> read_open_blocks(Context& c) {
  const auto rank = c.rank(0);
  const auto block_rank = c.rank(1);
  if (!rank || !block_rank) return std::nullopt;
  const auto known = c.stored(1)->dims().empty() ? std::nullopt : c.stored(1)->dims()[0].constant();
  const bool fits =
      *block_rank == 1 && known && *known >= 0 && *known < static_cast<int64_t>(*rank);
  if (!c.require(fits, "the number of the block's sizes must be fixed")) return std::nullopt;
  OpenBlocks out;
  out.count = static_cast<size_t>(*known);
  const auto sizes = c.ints(1);
  if (!c.require(!sizes || are_block_sizes(*sizes), "the block's sizes don't fit")) {
    return std::nullopt;
  }
  out.sizes = sizes ? c.b.ints(*sizes) : c.b.op("Max", {c.int64s(1), c.b.ints({1})});
  if (const auto edges = c.ints(2)) {
    const auto pads = pads_of(c, *edges, out.count);
    if (!pads) return std::nullopt;
    std::vector<int64_t> before;
    std::vector<int64_t> after;
    for (const auto& [first, last] : *pads) {
      before.push_back(first);
      after.push_back(last);
    }
    out.before = c.b.ints(before);
    out.after = c.b.ints(after);
    return out;
  }
  Value* both = c.b.reshape(c.int64s(2), c.b.ints({*known, 2}));
  const auto side = [&](int64_t which) { return c.b.gather(both, c.b.scalar(which), 1); };
  out.before = side(0);
  out.after = side(1);
  return out;
}

// One of `a`, one of `b`, one of `a`, ...; as many of each.
Value* in_turn(Builder& b, Value* first, Value* second) {
  Value* pairs = b.concat({b.unsqueeze(first, {1}), b.unsqueeze(second, {1})}, 1);
  return b.reshape(pairs, b.ints({-1}));
}

Value* whole_block(Builder& b, const OpenBlocks& plan) {
  return b.reduce("ReduceProd", plan.sizes, {0}, true);
}

// `shape` holds no "copy": a size of zero is one.
Value* to_shape(Builder& b, Value* x, Value* shape) {
  return b.op("Reshape", {x, shape}, {{"allowzero", int64_t{1}}});
}

// Axes of [n, cut..., rest] with each of the cut ones in two parts -> [blocks..., n, cuts...,
// rest].
std::vector<int64_t> blocks_first(size_t count, size_t rank) {
  std::vector<int64_t> order;
  for (size_t i = 0; i < count; ++i) order.push_back(static_cast<int64_t>(2 + 2 * i));
  order.push_back(0);
  for (size_t i = 0; i < count; ++i) order.push_back(static_cast<int64_t>(1 + 2 * i));
  for (size_t i = 2 * count + 1; i < rank + count; ++i) order.push_back(static_cast<int64_t>(i));
  return order;
}

// Axes of [blocks..., n, cuts..., rest] -> [n, cut and block in turn..., rest].
std::vector<int64_t> blocks_in_place(size_t count, size_t rank) {
  std::vector<int64_t> order{static_cast<int64_t>(count)};
  for (size_t i = 0; i < count; ++i) {
    order.push_back(static_cast<int64_t>(count + 1 + i));
    order.push_back(static_cast<int64_t>(i));
  }
  for (size_t i = 2 * count + 1; i < rank + count; ++i) order.push_back(static_cast<int64_t>(i));
  return order;
}

// What pads `x`, which is as stored or real.
Value* zero_for(Context& c, const Value* x) {
  const TensorDef& def = c.in_def(0);
  const bool as_stored = is_quantised(def) && x->type.data_type != DataType::kFp32;
  return c.scalar_like(x, as_stored ? static_cast<double>(first_zero_point(def)) : 0.0);
}

void space_to_batch_open(Context& c) {
  const auto plan = read_open_blocks(c);
  if (!plan) return;
  Builder& b = c.b;
  const size_t rank = c.stored(0)->rank();
  const size_t count = plan->count;
  c.move_elements(0, 1, [&](const std::vector<Value*>& input) {
    Value* x = input[0];
    Value* first = b.ints({0});
    Value* rest = b.ints(std::vector<int64_t>(rank - 1 - count, 0));
    Value* pads = b.concat({first, plan->before, rest, first, plan->after, rest}, 0);
    x = b.op("Pad", {x, pads, zero_for(c, x)});
    Value* shape = b.op("Shape", {x});
    Value* cuts = b.div(part(b, shape, 1, 1 + count), plan->sizes);
    Value* batch = part(b, shape, 0, 1);
    Value* others = part(b, shape, 1 + count, rank);
    x = to_shape(b, x, b.concat({batch, in_turn(b, cuts, plan->sizes), others}, 0));
    x = b.transpose(x, blocks_first(count, rank));
    return to_shape(b, x, b.concat({b.mul(batch, whole_block(b, *plan)), cuts, others}, 0));
  });
}

void batch_to_space_open(Context& c) {
  const auto plan = read_open_blocks(c);
  if (!plan) return;
  Builder& b = c.b;
  const size_t rank = c.stored(0)->rank();
  const size_t count = plan->count;
  c.move_elements(0, 1, [&](const std::vector<Value*>& input) {
    Value* shape = b.op("Shape", {input[0]});
    Value* cuts = part(b, shape, 1, 1 + count);
    Value* batch = b.div(part(b, shape, 0, 1), whole_block(b, *plan));
    Value* others = part(b, shape, 1 + count, rank);
    Value* x = to_shape(b, input[0], b.concat({plan->sizes, batch, cuts, others}, 0));
    x = b.transpose(x, blocks_in_place(count, rank));
    Value* whole = b.mul(cuts, plan->sizes);
    x = to_shape(b, x, b.concat({batch, whole, others}, 0));
    std::vector<int64_t> axes(count);
    std::iota(axes.begin(), axes.end(), int64_t{1});
    return b.op("Slice", {x, plan->before, b.sub(whole, plan->after), b.ints(axes)});
  });
}

// [n, s..., rest] -> [block... * n, s / block..., rest]
void space_to_batch(Context& c) {
  if (!c.rank(0)) return;
  const Dims from = c.stored(0)->dims();
  if (is_open(c, from)) {
    space_to_batch_open(c);
    return;
  }
  const auto plan = read_blocks(c);
  if (!plan) return;
  const size_t count = plan->sizes.size();
  Pads pads(from.size());
  std::copy(plan->edges.begin(), plan->edges.end(), pads.begin() + 1);
  Dims split{from[0]};
  Dims joined{from[0]};
  for (size_t i = 0; i < count; ++i) {
    const Dim size = from[i + 1] + Dim(pads[i + 1].first + pads[i + 1].second);
    joined.push_back(blocks(c, size, plan->sizes[i]));
    split.push_back(joined.back());
    split.emplace_back(plan->sizes[i]);
    joined[0] = joined[0] * Dim(plan->sizes[i]);
  }
  split.insert(split.end(), from.begin() + count + 1, from.end());
  joined.insert(joined.end(), from.begin() + count + 1, from.end());
  if (c.b.failed()) return;
  c.move_elements(0, 1, [&](const std::vector<Value*>& input) {
    Value* x = c.b.pad(input[0], pads, zero_for(c, input[0]));
    x = c.b.transpose(c.b.reshape(x, split), blocks_first(count, from.size()));
    return c.b.reshape(x, joined);
  });
}

void batch_to_space(Context& c) {
  if (!c.rank(0)) return;
  const Dims from = c.stored(0)->dims();
  if (is_open(c, from)) {
    batch_to_space_open(c);
    return;
  }
  const auto plan = read_blocks(c);
  if (!plan) return;
  const size_t count = plan->sizes.size();
  Dims split;
  Dim batch = from[0];
  for (const int64_t size : plan->sizes) {
    split.emplace_back(size);
    batch = blocks(c, batch, size);
  }
  split.push_back(batch);
  split.insert(split.end(), from.begin() + 1, from.end());
  Dims joined{batch};
  std::vector<int64_t> axes;
  std::vector<int64_t> starts;
  std::vector<int64_t> ends;
  for (size_t i = 0; i < count; ++i) {
    joined.push_back(from[i + 1] * Dim(plan->sizes[i]));
    const auto [before, after] = plan->edges[i];
    if (before == 0 && after == 0) continue;
    axes.push_back(static_cast<int64_t>(i + 1));
    starts.push_back(before);
    ends.push_back(after == 0 ? int64_t{1} << 40 : -after);
  }
  joined.insert(joined.end(), from.begin() + count + 1, from.end());
  if (c.b.failed()) return;
  c.move_elements(0, 1, [&](const std::vector<Value*>& x) {
    Value* y = c.b.transpose(c.b.reshape(x[0], split), blocks_in_place(count, from.size()));
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
  table.add("SPACE_TO_BATCH_ND", space_to_batch, "an unknown number of the block's sizes");
  table.add("BATCH_TO_SPACE_ND", batch_to_space, "an unknown number of the block's sizes");
}

}  // namespace supernova::import::tflite
