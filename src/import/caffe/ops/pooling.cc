// Pooling and what is made of it: SPP, WITHIN_CHANNEL sums, un-pooling. Caffe rounds sizes up,
// drops a last window that would start in the padding, and divides an average by the part of the
// window that lies in the padded image; ONNX's own rounding is not relied upon: windows are given
// exact pads. Rules: Caffe's PoolingLayer::Reshape and Forward_cpu; round_mode: BVLC master;
// ceil_mode: several forks.
#include "import/caffe/ops/pooling.h"

#include <algorithm>
#include <limits>

namespace supernova::import::caffe {
namespace {

constexpr int64_t kMaxExtent = int64_t{1} << 20U;

int64_t divide_up(int64_t a, int64_t b) { return a >= 0 ? (a + b - 1) / b : -(-a / b); }
int64_t divide_down(int64_t a, int64_t b) { return -divide_up(-a, b); }

bool read_pair(LayerContext& ctx, const Params& params, const std::string& name,
               const std::string& both_name, int64_t otherwise, std::array<int64_t, 2>& out) {
  const int64_t both = params.integer(both_name, otherwise);
  out = {params.integer(name + "_h", both), params.integer(name + "_w", both)};
  const int64_t least = name == "pad" ? 0 : 1;
  const bool fits = std::all_of(out.begin(), out.end(),
                                [&](int64_t size) { return size >= least && size <= kMaxExtent; });
  return !ctx.refuse_if(!fits, base::str_cat(both_name, " is ", out[0], ", ", out[1]));
}

int64_t pooled_size(const PoolAxis& axis, bool round_up) {
  const int64_t room = axis.size + 2 * axis.pad - axis.kernel;
  int64_t out = (round_up ? divide_up(room, axis.stride) : divide_down(room, axis.stride)) + 1;
  return out;
}

// How many elements of a padded image the window at `out` covers.
int64_t covered(const PoolAxis& axis, int64_t out) {
  const int64_t start = out * axis.stride - axis.pad;
  const int64_t end = std::min(start + axis.kernel, axis.size + axis.pad);
  return std::max<int64_t>(end - start, 0);
}

// How far the last window goes past the image.
int64_t pad_after(const PoolAxis& axis) {
  return std::max<int64_t>((axis.out - 1) * axis.stride + axis.kernel - axis.size - axis.pad, 0);
}

graph::Attributes window_attributes(const PoolAxes& axes, bool with_pads) {
  graph::Attributes attributes{{"kernel_shape", Sizes{axes[0].kernel, axes[1].kernel}},
                               {"strides", Sizes{axes[0].stride, axes[1].stride}}};
  if (with_pads) {
    attributes.emplace_back(
        "pads", Sizes{axes[0].pad, axes[1].pad, pad_after(axes[0]), pad_after(axes[1])});
  }
  return attributes;
}

// The image with its border, where the windows' pads are larger than an operator takes.
Value* padded(LayerContext& ctx, Value* x, const PoolAxes& axes, float value) {
  return ctx.build.pad(
      x, {{0, 0}, {0, 0}, {axes[0].pad, pad_after(axes[0])}, {axes[1].pad, pad_after(axes[1])}},
      ctx.build.scalar(value));
}

bool pads_fit(const PoolAxes& axes) {
  return std::all_of(axes.begin(), axes.end(), [](const PoolAxis& axis) {
    return axis.pad < axis.kernel && pad_after(axis) < axis.kernel;
  });
}

bool has_open_size(const Value* x) { return !x->dims()[2].constant() || !x->dims()[3].constant(); }

// Of images whose size is known only when they come: where ONNX's own rounding up is Caffe's.
void pool_open(LayerContext& ctx, const Params& params, bool average, bool round_up) {
  Value* x = ctx.bottoms[0];
  if (params.flag("global_pooling", false)) {
    ctx.give(ctx.build.op(average ? "GlobalAveragePool" : "GlobalMaxPool", {x}));
    return;
  }
  std::array<int64_t, 2> kernel{0, 0};
  std::array<int64_t, 2> stride{1, 1};
  std::array<int64_t, 2> pad{0, 0};
  if (!read_pair(ctx, params, "pad", "pad", 0, pad) ||
      !read_pair(ctx, params, "stride", "stride", 1, stride) ||
      !read_pair(ctx, params, "kernel", "kernel_size", 0, kernel)) {
    return;
  }
  bool same = true;
  for (size_t i = 0; i < 2; ++i) {
    // No last window starts in the padding.
    same = same && pad[i] < kernel[i] && (!round_up || pad[i] + stride[i] <= kernel[i]) &&
           (!average || pad[i] == 0);
  }
  if (ctx.refuse_if(!same || ctx.layer.tops.size() > 1, "needs images of a known size")) return;
  ctx.give(ctx.build.op(average ? "AveragePool" : "MaxPool", {x},
                        {{"kernel_shape", Sizes{kernel[0], kernel[1]}},
                         {"strides", Sizes{stride[0], stride[1]}},
                         {"pads", Sizes{pad[0], pad[1], pad[0], pad[1]}},
                         {"ceil_mode", int64_t{round_up ? 1 : 0}}}));
}

bool read_axes(LayerContext& ctx, const Params& params, PoolAxes& axes, bool round_up) {
  const auto sizes = ctx.sizes(ctx.bottoms[0], 2);
  if (!sizes) return false;
  const bool global = params.flag("global_pooling", false);
  std::array<int64_t, 2> kernel{(*sizes)[0], (*sizes)[1]};
  std::array<int64_t, 2> stride{1, 1};
  std::array<int64_t, 2> pad{0, 0};
  if (!read_pair(ctx, params, "pad", "pad", 0, pad) ||
      !read_pair(ctx, params, "stride", "stride", 1, stride)) {
    return false;
  }
  if (global) {
    if (ctx.refuse_if(pad[0] != 0 || pad[1] != 0, "global_pooling with a pad")) return false;
    stride = {1, 1};
  } else if (ctx.refuse_if(!params.has("kernel_size") && !params.has("kernel_h"),
                           "has no kernel_size") ||
             !read_pair(ctx, params, "kernel", "kernel_size", 0, kernel)) {
    return false;
  }
  for (size_t i = 0; i < 2; ++i) {
    axes[i] = {(*sizes)[i], kernel[i], stride[i], pad[i], 0};
    if (ctx.refuse_if(pad[i] >= kernel[i], base::str_cat("pad ", pad[i], " is not less than the ",
                                                         "kernel's ", kernel[i]))) {
      return false;
    }
    axes[i].out = pooled_size(axes[i], round_up);
  }
  clip_last_window(axes);
  for (const PoolAxis& axis : axes) {
    if (ctx.refuse_if(axis.out < 1, base::str_cat("its kernel of ", axis.kernel,
                                                  " does not fit into ", axis.size))) {
      return false;
    }
  }
  return ctx.check_count({axes[0].out, axes[1].out});
}

// The index of each maximum in its channel's plane, as Caffe numbers them.
Value* plane_index(LayerContext& ctx, Value* index, const PoolAxes& axes) {
  Value* plane = ctx.build.scalar(int64_t{axes[0].size * axes[1].size});
  return ctx.build.cast(ctx.build.op("Mod", {index, plane}), tensor::DataType::kFp32);
}

bool rounds_up(const Params& params) {
  const bool up = params.choice("round_mode", {"CEIL", "FLOOR"}, "CEIL") == "CEIL";
  return params.has("ceil_mode") ? params.flag("ceil_mode", true) : up;
}

void pooling(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1)) return;
  const Params params = ctx.params("pooling_param");
  Value* x = ctx.bottoms[0];
  const std::string method = params.choice("pool", {"MAX", "AVE", "STOCHASTIC"}, "MAX");
  PoolAxes axes;
  if (!ctx.need_rank(x, 4, 4) ||
      ctx.refuse_if(method == "STOCHASTIC", "pool: STOCHASTIC is not supported")) {
    return;
  }
  if (has_open_size(x)) {
    pool_open(ctx, params, method == "AVE", rounds_up(params));
    return;
  }
  if (!read_axes(ctx, params, axes, rounds_up(params))) return;
  if (method == "AVE") {
    ctx.give(average_pool(ctx, x, axes));
    return;
  }
  if (ctx.layer.tops.size() < 2) {
    ctx.give(max_pool(ctx, x, axes));
    return;
  }
  if (ctx.refuse_if(!pads_fit(axes), "a mask of windows outside of the image")) return;
  const auto both = ctx.build.op_outputs("MaxPool", {x}, window_attributes(axes, true), 2);
  ctx.give(both[0]);
  ctx.give(plane_index(ctx, both[1], axes));
}

// Spatial pyramid pooling: 1, 2x2, 4x4, ... windows over the image, flattened and joined.
void spp(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1) || !ctx.need_rank(ctx.bottoms[0], 4, 4)) return;
  const Params params = ctx.params("spp_param");
  const int64_t levels = params.integer("pyramid_height", 0);
  const std::string method = params.choice("pool", {"MAX", "AVE", "STOCHASTIC"}, "MAX");
  const auto sizes = ctx.sizes(ctx.bottoms[0], 2);
  if (!sizes || ctx.refuse_if(method == "STOCHASTIC", "pool: STOCHASTIC is not supported") ||
      ctx.refuse_if(levels < 1 || levels > 10, base::str_cat("pyramid_height is ", levels))) {
    return;
  }
  std::vector<Value*> parts;
  for (int64_t level = 0; level < levels; ++level) {
    const int64_t bins = int64_t{1} << static_cast<uint64_t>(level);
    PoolAxes axes;
    for (size_t i = 0; i < 2; ++i) {
      const int64_t kernel = divide_up((*sizes)[i], bins);
      const int64_t pad = (kernel * bins - (*sizes)[i] + 1) / 2;
      axes[i] = {(*sizes)[i], kernel, kernel, pad, 0};
      if (ctx.refuse_if(pad >= kernel, "its pyramid is higher than the image")) return;
      axes[i].out = pooled_size(axes[i], true);
    }
    clip_last_window(axes);
    Value* pooled = method == "AVE" ? average_pool(ctx, ctx.bottoms[0], axes)
                                    : max_pool(ctx, ctx.bottoms[0], axes);
    parts.push_back(ctx.build.flatten_to_2d(pooled, 1));
  }
  // With one level Caffe hands the pooled image on as it is.
  ctx.give(parts.size() == 1 ? ctx.build.reshape(parts[0], {ctx.bottoms[0]->dims()[0],
                                                            ctx.bottoms[0]->dims()[1], 1, 1})
                             : ctx.build.concat(parts, 1));
}

}  // namespace

void clip_last_window(PoolAxes& axes) {
  // Caffe does it on both axes as soon as one has a pad.
  if (axes[0].pad == 0 && axes[1].pad == 0) return;
  for (PoolAxis& axis : axes) {
    if ((axis.out - 1) * axis.stride >= axis.size + axis.pad) --axis.out;
  }
}

Value* max_pool(LayerContext& ctx, Value* x, const PoolAxes& axes) {
  if (pads_fit(axes)) return ctx.build.op("MaxPool", {x}, window_attributes(axes, true));
  Value* image = padded(ctx, x, axes, -std::numeric_limits<float>::max());
  return ctx.build.op("MaxPool", {image}, window_attributes(axes, false));
}

Value* average_pool(LayerContext& ctx, Value* x, const PoolAxes& axes) {
  const bool fit = pads_fit(axes);
  const auto all = [&](auto holds) { return std::all_of(axes.begin(), axes.end(), holds); };
  const bool no_pads = all([](const PoolAxis& axis) { return axis.pad == 0; });
  const bool all_inside = all([](const PoolAxis& axis) { return pad_after(axis) <= axis.pad; });
  if (fit && (no_pads || all_inside)) {
    graph::Attributes attributes = window_attributes(axes, true);
    attributes.emplace_back("count_include_pad", int64_t{no_pads ? 0 : 1});
    return ctx.build.op("AveragePool", {x}, std::move(attributes));
  }
  // Sums over the padded image, each divided by what its window covers.
  Value* image = padded(ctx, x, axes, 0.0F);
  Value* mean = ctx.build.op("AveragePool", {image}, window_attributes(axes, false));
  // A factor per row and one per column: small, whatever the image.
  for (size_t i = 0; i < 2; ++i) {
    if (!ctx.make_room(axes[i].out)) return mean;
    std::vector<float> factors;
    for (int64_t at = 0; at < axes[i].out; ++at) {
      factors.push_back(static_cast<float>(axes[i].kernel) /
                        static_cast<float>(covered(axes[i], at)));
    }
    const Sizes shape = i == 0 ? Sizes{1, 1, axes[0].out, 1} : Sizes{1, 1, 1, axes[1].out};
    mean = ctx.build.mul(mean, ctx.build.constant(Constant::floats(shape, factors)));
  }
  return mean;
}

void register_pooling(OpTable& table) {
  table.add("Pooling", pooling, "STOCHASTIC is refused");
  table.add("SPP", spp, "STOCHASTIC is refused; height and width must be known");
}

}  // namespace supernova::import::caffe
