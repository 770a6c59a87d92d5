// Resizing of pictures [n, h, w, c].
#include <algorithm>
#include <cmath>

#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

struct Options {
  bool align_corners;
  bool half_pixel;
};

// [n, c, h, w] as the resize wants its sizes.
Value* wanted_sizes(Context& c, Value* nchw) {
  const auto size = c.ints(1);
  const Dims& d = nchw->dims();
  if (size && size->size() == 2 && !nchw->poison) {
    return c.b.sizes({d[0], d[1], Dim((*size)[0]), Dim((*size)[1])}, {nchw});
  }
  return c.b.concat({c.b.slice(c.b.op("Shape", {nchw}), {0}, {2}, {0}), c.int64s(1)}, 0);
}

bool is_picture(Context& c) {
  const auto rank = c.rank(0);
  return rank && c.require(*rank == 4, "the tensor must have four axes");
}

std::string_view coordinates(const Options& options) {
  if (options.align_corners) return "align_corners";
  return options.half_pixel ? "half_pixel" : "asymmetric";
}

void resize_bilinear(Context& c) {
  if (!is_picture(c)) return;
  const Options options{c.options().flag(2), c.options().flag(3)};
  Value* x = c.in_nchw(0);
  c.out_nchw(0, c.b.resize(x, "linear", coordinates(options), wanted_sizes(c, x)));
}

// Which element each result takes, in the arithmetic of the original (single precision).
std::vector<int64_t> nearest(int64_t from, int64_t to, const Options& options) {
  const bool corners = options.align_corners && to > 1;
  const float scale = corners ? static_cast<float>(from - 1) / static_cast<float>(to - 1)
                              : static_cast<float>(from) / static_cast<float>(to);
  const float offset = options.half_pixel ? 0.5F : 0.0F;
  std::vector<int64_t> out;
  for (int64_t i = 0; i < to; ++i) {
    const float at = (static_cast<float>(i) + offset) * scale;
    const auto index =
        static_cast<int64_t>(options.align_corners ? std::round(at) : std::floor(at));
    out.push_back(std::clamp<int64_t>(index, 0, from - 1));
  }
  return out;
}

// True where each element is simply repeated.
bool repeats(const std::vector<int64_t>& indices, int64_t from) {
  const auto to = static_cast<int64_t>(indices.size());
  if (from <= 0 || to % from != 0) return false;
  for (int64_t i = 0; i < to; ++i) {
    if (indices[i] != i / (to / from)) return false;
  }
  return true;
}

void resize_nearest(Context& c) {
  if (!is_picture(c)) return;
  const Options options{c.options().flag(0), c.options().flag(1)};
  const auto size = c.ints(1);
  const auto spatial = graph::constant_dims({c.stored(0)->dims()[1], c.stored(0)->dims()[2]});
  if (!size || size->size() != 2 || !spatial) {
    Value* x = c.in_nchw(0);
    c.out_nchw(0, c.b.resize(x, "nearest", coordinates(options), wanted_sizes(c, x),
                             options.align_corners ? "round_prefer_ceil" : "floor"));
    return;
  }
  constexpr int64_t kMaxSize = 1 << 16;
  if (!c.require(std::min((*size)[0], (*size)[1]) > 0 &&
                     std::max((*size)[0], (*size)[1]) <= kMaxSize &&
                     std::min((*spatial)[0], (*spatial)[1]) > 0,
                 "a size is not positive or beyond reason")) {
    return;
  }
  const auto rows = nearest((*spatial)[0], (*size)[0], options);
  const auto columns = nearest((*spatial)[1], (*size)[1], options);
  const DataType type = c.stored(0)->type.data_type;
  const bool simple = repeats(rows, (*spatial)[0]) && repeats(columns, (*spatial)[1]);
  if (simple && same_scale(c.in_def(0), c.out_def()) &&
      (type == DataType::kFp32 || type == DataType::kInt8 || type == DataType::kUint8)) {
    Value* x = c.b.transpose(c.stored(0), {0, 3, 1, 2});
    Value* y = c.b.resize(x, "nearest", "asymmetric", wanted_sizes(c, x), "floor");
    c.out_stored(0, c.b.transpose(y, {0, 2, 3, 1}));
    return;
  }
  c.move_elements(0, 1, [&](const auto& x) {
    return c.b.gather(c.b.gather(x[0], c.b.ints(rows), 1), c.b.ints(columns), 2);
  });
}

}  // namespace

void register_resize(OpTable& table) {
  table.add("RESIZE_BILINEAR", resize_bilinear);
  table.add("RESIZE_NEAREST_NEIGHBOR", resize_nearest);
}

}  // namespace supernova::import::tflite
