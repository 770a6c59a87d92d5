// Layers that change an image's size: Interp (DeepLab, PSPNet: bilinear, corners on corners) and
// the two layers called Upsample: un-pooling by the mask of a MAX Pooling (SegNet, ENet), and
// repeated pixels.
#include "import/caffe/ops.h"

namespace supernova::import::caffe {
namespace {

constexpr int64_t kMaxExtent = int64_t{1} << 20U;

// The size that Interp makes of one of `size`; 0 = what it says is not possible.
int64_t interpolated_size(const Params& params, const std::string& name, int64_t size) {
  const int64_t shrink = params.integer("shrink_factor", 1);
  const int64_t zoom = params.integer("zoom_factor", 1);
  if (shrink < 1 || zoom < 1 || zoom > kMaxExtent) return 0;
  if (params.has("shrink_factor") || params.has("zoom_factor")) {
    const int64_t shrunk = (size - 1) / shrink + 1;
    return shrunk + (shrunk - 1) * (zoom - 1);
  }
  return params.integer(name, 0);
}

void interp(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 2) || !ctx.need_rank(ctx.bottoms[0], 4, 4)) return;
  Value* x = ctx.bottoms[0];
  const Params params = ctx.params("interp_param");
  const auto sizes = ctx.sizes(x, 2);
  if (!sizes) return;
  const int64_t begin = params.integer("pad_beg", 0);
  const int64_t end = params.integer("pad_end", 0);
  if (ctx.refuse_if(begin > 0 || end > 0 || begin < -kMaxExtent || end < -kMaxExtent,
                    "pad_beg and pad_end cut the image: they are at most 0")) {
    return;
  }
  Sizes out;
  for (size_t i = 0; i < 2; ++i) {
    const int64_t cut = (*sizes)[i] + begin + end;
    int64_t size = interpolated_size(params, i == 0 ? "height" : "width", cut);
    if (ctx.bottoms.size() == 2) {
      if (!ctx.need_rank(ctx.bottoms[1], 4, 4)) return;
      const auto like = ctx.size(ctx.bottoms[1], i + 2);
      if (!like) return;
      size = *like;
    }
    if (ctx.refuse_if(cut < 1 || size < 1 || size > kMaxExtent,
                      base::str_cat("makes ", size, " of a size of ", cut))) {
      return;
    }
    out.push_back(size);
  }
  if (begin != 0 || end != 0) {
    x = ctx.build.slice(x, {-begin, -begin}, {(*sizes)[0] + end, (*sizes)[1] + end}, {2, 3});
  }
  if (!ctx.check_count(out)) return;
  Value* target = ctx.build.sizes({x->dims()[0], x->dims()[1], out[0], out[1]}, {x});
  ctx.give(ctx.build.resize(x, "linear", "align_corners", target));
}

// Puts each number where the mask says its maximum was found; zero elsewhere.
void unpool(LayerContext& ctx, const Sizes& out) {
  Value* x = ctx.bottoms[0];
  Value* mask = ctx.bottoms[1];
  const auto all = ctx.sizes(x);
  if (!all || ctx.refuse_if(!(mask->dims() == x->dims()), "its mask has another shape") ||
      !ctx.check_count({(*all)[0], (*all)[1], out[0], out[1]})) {
    return;
  }
  const int64_t area = out[0] * out[1];
  const Dims planes{(*all)[0], (*all)[1], (*all)[2] * (*all)[3]};
  Value* zeros = ctx.build.op(
      "Expand", {ctx.build.scalar(0.0F), ctx.build.ints({(*all)[0], (*all)[1], area})});
  Value* index = ctx.build.cast(ctx.build.reshape(mask, planes), tensor::DataType::kInt64);
  Value* filled = ctx.build.op("ScatterElements", {zeros, index, ctx.build.reshape(x, planes)},
                               {{"axis", int64_t{2}}});
  ctx.give(ctx.build.reshape(filled, Dims{(*all)[0], (*all)[1], out[0], out[1]}));
}

void upsample(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 2) || !ctx.need_rank(ctx.bottoms[0], 4, 4)) return;
  const Params params = ctx.params("upsample_param");
  const auto sizes = ctx.sizes(ctx.bottoms[0], 2);
  if (!sizes) return;
  const int64_t scale = params.integer("scale", 2);
  Sizes out;
  for (const char* axis : {"h", "w"}) {
    const int64_t factor = params.integer(base::str_cat("scale_", axis), scale);
    const int64_t size = (*sizes)[out.size()];
    if (ctx.refuse_if(factor < 1 || factor > 1024, base::str_cat("scale is ", factor))) return;
    const int64_t less = params.flag(base::str_cat("pad_out_", axis), false) ? 1 : 0;
    out.push_back(params.integer(base::str_cat("upsample_", axis), size * factor - less));
    if (ctx.refuse_if(out.back() < 1 || out.back() > kMaxExtent,
                      base::str_cat("makes a size of ", out.back()))) {
      return;
    }
  }
  if (!ctx.check_count(out)) return;
  if (ctx.bottoms.size() == 2) {
    unpool(ctx, out);
    return;
  }
  const std::string mode = params.choice("mode", {"NEAREST", "BILINEAR"}, "NEAREST");
  if (ctx.refuse_if(mode != "NEAREST", "mode BILINEAR is not supported")) return;
  Value* x = ctx.bottoms[0];
  Value* target = ctx.build.sizes({x->dims()[0], x->dims()[1], out[0], out[1]}, {x});
  ctx.give(ctx.build.resize(x, "nearest", "asymmetric", target));
}

}  // namespace

void register_resize(OpTable& table) {
  table.add("Interp", interp, "height and width must be known");
  table.add("Upsample", upsample, "mode BILINEAR is refused; height and width must be known");
}

}  // namespace supernova::import::caffe
