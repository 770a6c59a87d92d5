// Normalisation layers. Formulas: Caffe's batch_norm, scale, bias, lrn and mvn layers; Normalize:
// SSD's fork; BN: the forks of SegNet (two blobs) and PSPNet (four).
#include <algorithm>
#include <cmath>

#include "import/caffe/ops.h"
#include "import/caffe/ops/pooling.h"

namespace supernova::import::caffe {
namespace {

constexpr float kBatchNormEps = 1e-5F;

Value* channel_constant(LayerContext& ctx, const std::vector<float>& values) {
  return ctx.build.constant(Constant::floats({static_cast<int64_t>(values.size())}, values));
}

std::vector<float> repeated(float value, int64_t count) {
  return std::vector<float>(static_cast<size_t>(count), value);
}

// Statistics of the batch itself, where a net asks for them at use.
Value* normalised_by_batch(LayerContext& ctx, Value* x, float eps) {
  Sizes axes;
  for (size_t i = 0; i < x->rank(); ++i) {
    if (i != 1) axes.push_back(static_cast<int64_t>(i));
  }
  Value* centred = ctx.build.sub(x, ctx.build.reduce("ReduceMean", x, axes, true));
  Value* variance = ctx.build.reduce("ReduceMean", ctx.build.mul(centred, centred), axes, true);
  Value* deviation = ctx.build.op("Sqrt", {ctx.build.add(variance, ctx.build.scalar(eps))});
  return ctx.build.div(centred, deviation);
}

Value* batch_normalisation(LayerContext& ctx, Value* x, Value* scale, Value* bias, Value* mean,
                           Value* variance, float eps) {
  return ctx.build.op("BatchNormalization", {x, scale, bias, mean, variance}, {{"epsilon", eps}});
}

void batch_norm(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1)) return;
  Value* x = ctx.bottoms[0];
  const Params params = ctx.params("batch_norm_param");
  const auto eps = static_cast<float>(params.number("eps", kBatchNormEps));
  if (!ctx.need_rank(x, 2, 8)) return;
  if (!params.flag("use_global_stats", true)) {
    ctx.give(normalised_by_batch(ctx, x, eps));
    return;
  }
  const auto channels = ctx.size(x, 1);
  if (!channels) return;
  const auto mean = ctx.blob(0, {*channels});
  const auto variance = mean ? ctx.blob(1, {*channels}) : std::nullopt;
  const auto count = variance ? ctx.blob(2, {1}) : std::nullopt;
  if (!count) return;
  const float total = count->values<float>().front();
  const float factor = total == 0 ? 0 : 1 / total;
  std::vector<float> means = mean->values<float>();
  std::vector<float> variances = variance->values<float>();
  for (float& value : means) value *= factor;
  for (float& value : variances) value *= factor;
  // NVIDIA's fork keeps the Scale layer's blobs here too.
  std::vector<float> scale = repeated(1, *channels);
  std::vector<float> bias = repeated(0, *channels);
  if (ctx.blob_count() == 5) {
    const auto scales = ctx.blob(3, {*channels});
    const auto biases = scales ? ctx.blob(4, {*channels}) : std::nullopt;
    if (!biases) return;
    scale = scales->values<float>();
    bias = biases->values<float>();
  }
  ctx.give(batch_normalisation(ctx, x, channel_constant(ctx, scale), channel_constant(ctx, bias),
                               channel_constant(ctx, means), channel_constant(ctx, variances),
                               eps));
}

void bn(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1) || !ctx.need_rank(ctx.bottoms[0], 2, 8)) return;
  Value* x = ctx.bottoms[0];
  const auto channels = ctx.size(x, 1);
  if (!channels) return;
  const auto scale = ctx.blob(0, {*channels});
  const auto shift = scale ? ctx.blob(1, {*channels}) : std::nullopt;
  if (!shift) return;
  std::vector<float> means = repeated(0, *channels);
  std::vector<float> variances = repeated(1, *channels);
  float eps = 0;
  if (ctx.blob_count() > 2) {
    const auto mean = ctx.blob(2, {*channels});
    const auto variance = mean ? ctx.blob(3, {*channels}) : std::nullopt;
    if (!variance) return;
    means = mean->values<float>();
    variances = variance->values<float>();
    eps = static_cast<float>(ctx.params("bn_param").number("eps", kBatchNormEps));
  }
  ctx.give(batch_normalisation(ctx, x, ctx.build.constant(*scale), ctx.build.constant(*shift),
                               channel_constant(ctx, means), channel_constant(ctx, variances),
                               eps));
}

bool holds_only(const Value* value, float number) {
  if (value == nullptr || !value->constant) return false;
  const std::vector<float> values = value->constant->values<float>();
  return std::all_of(values.begin(), values.end(), [&](float at) { return at == number; });
}

// Scale after BatchNorm, the usual pair: one normalisation that does both.
Value* joined_with_batch_norm(LayerContext& ctx, Value* x, const Constant& scale,
                              const std::optional<Constant>& bias) {
  const graph::Node* node = x->producer;
  if (node == nullptr || node->op != "BatchNormalization" || node->inputs.size() != 5 ||
      !holds_only(node->inputs[1], 1) || !holds_only(node->inputs[2], 0) ||
      scale.count() != node->inputs[1]->constant->count()) {
    return nullptr;
  }
  Value* shift = bias ? ctx.build.constant(*bias) : node->inputs[2];
  return batch_normalisation(ctx, node->inputs[0], ctx.build.constant(scale), shift,
                             node->inputs[3], node->inputs[4],
                             node->float_or("epsilon", kBatchNormEps));
}

// The shape under which a parameter that spans `sizes` from `axis` on is stretched over x.
Sizes stretched(const Value* x, size_t axis, const Sizes& sizes) {
  Sizes shape(sizes);
  shape.resize(std::max(x->rank() - axis, sizes.size()), 1);
  return shape;
}

// The sizes of x that a parameter spans, from axis and num_axes of its layer.
std::optional<Sizes> spanned(LayerContext& ctx, const Value* x, size_t axis, int64_t num_axes) {
  const size_t end = num_axes < 0 ? x->rank() : axis + static_cast<size_t>(num_axes);
  if (ctx.refuse_if(num_axes < -1 || end > x->rank(), base::str_cat("num_axes is ", num_axes))) {
    return std::nullopt;
  }
  return ctx.sizes(x, axis, end);
}

// The second bottom, stretched over the first from `axis` on.
Value* second_bottom(LayerContext& ctx, size_t axis) {
  Value* x = ctx.bottoms[0];
  Value* y = ctx.bottoms[1];
  if (ctx.refuse_if(axis + y->rank() > x->rank(),
                    base::str_cat("its second bottom has shape ", graph::to_string(y->dims())))) {
    return nullptr;
  }
  for (size_t i = 0; i < y->rank(); ++i) {
    const bool fits = y->dims()[i] == x->dims()[axis + i] || y->dims()[i] == Dim(1);
    if (ctx.refuse_if(!fits, base::str_cat("its bottoms have shapes ", graph::to_string(x->dims()),
                                           " and ", graph::to_string(y->dims())))) {
      return nullptr;
    }
  }
  const size_t missing = x->rank() - axis - y->rank();
  if (missing == 0) return y;
  Sizes axes;
  for (size_t i = 0; i < missing; ++i) axes.push_back(static_cast<int64_t>(y->rank() + i));
  return ctx.build.unsqueeze(y, axes);
}

void scale(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 2)) return;
  Value* x = ctx.bottoms[0];
  const Params params = ctx.params("scale_param");
  const auto axis = ctx.axis_of(x, params.integer("axis", 1), true);
  if (!axis) return;
  const bool two = ctx.bottoms.size() == 2;
  const bool has_bias = params.flag("bias_term", false);
  if (two && !has_bias) {
    Value* factor = second_bottom(ctx, *axis);
    if (factor != nullptr) ctx.give(ctx.build.mul(x, factor));
    return;
  }
  const auto span =
      two ? ctx.sizes(ctx.bottoms[1]) : spanned(ctx, x, *axis, params.integer("num_axes", 1));
  std::optional<Constant> bias;
  if (!span) return;
  if (has_bias) {
    bias = ctx.blob_or_filler(two ? 0 : 1, *span, params.message("bias_filler"), 0.0F);
    if (!bias) return;
  }
  Value* factor = nullptr;
  if (two) {
    factor = second_bottom(ctx, *axis);
    if (factor == nullptr) return;
  } else {
    const auto weight = ctx.blob_or_filler(0, *span, params.message("filler"), 1.0F);
    if (!weight) return;
    Value* joined =
        *axis == 1 && span->size() == 1 ? joined_with_batch_norm(ctx, x, *weight, bias) : nullptr;
    if (joined != nullptr) {
      ctx.give(joined);
      return;
    }
    factor = ctx.build.constant(weight->reshaped(stretched(x, *axis, *span)));
  }
  Value* scaled = ctx.build.mul(x, factor);
  ctx.give(
      bias ? ctx.build.add(scaled, ctx.build.constant(bias->reshaped(stretched(x, *axis, *span))))
           : scaled);
}

void bias(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 2)) return;
  Value* x = ctx.bottoms[0];
  const Params params = ctx.params("bias_param");
  const auto axis = ctx.axis_of(x, params.integer("axis", 1), true);
  if (!axis) return;
  if (ctx.bottoms.size() == 2) {
    Value* term = second_bottom(ctx, *axis);
    if (term != nullptr) ctx.give(ctx.build.add(x, term));
    return;
  }
  const auto span = spanned(ctx, x, *axis, params.integer("num_axes", 1));
  if (!span) return;
  const auto term = ctx.blob_or_filler(0, *span, params.message("filler"), 0.0F);
  if (!term) return;
  ctx.give(ctx.build.add(x, ctx.build.constant(term->reshaped(stretched(x, *axis, *span)))));
}

// Over channels with the usual exponent, 0.75, of which two roots make: several times as fast as
// the runtime's LRN, which takes a power for each number.
Value* lrn_by_roots(graph::Builder& b, Value* x, int64_t size, float alpha, float k) {
  const int64_t pad = (size - 1) / 2;
  Value* squares = b.unsqueeze(b.mul(x, x), {1});
  Value* mean = b.op("AveragePool", {squares},
                     {{"kernel_shape", std::vector<int64_t>{size, 1, 1}},
                      {"pads", std::vector<int64_t>{pad, 0, 0, pad, 0, 0}},
                      {"count_include_pad", int64_t{1}}});
  Value* sum = b.add(b.mul(b.squeeze(mean, {1}), b.scalar(alpha)), b.scalar(k));
  Value* root = b.op("Sqrt", {sum});
  return b.div(x, b.mul(root, b.op("Sqrt", {root})));
}

void lrn(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1) || !ctx.need_rank(ctx.bottoms[0], 4, 4)) return;
  Value* x = ctx.bottoms[0];
  const Params params = ctx.params("lrn_param");
  const int64_t size = params.integer("local_size", 5);
  const auto alpha = static_cast<float>(params.number("alpha", 1));
  const auto beta = static_cast<float>(params.number("beta", 0.75));
  const auto k = static_cast<float>(params.number("k", 1));
  if (ctx.refuse_if(size < 1 || size % 2 == 0 || size > 10001,
                    base::str_cat("local_size is ", size, "; it must be odd"))) {
    return;
  }
  if (params.choice("norm_region", {"ACROSS_CHANNELS", "WITHIN_CHANNEL"}, "ACROSS_CHANNELS") ==
      "ACROSS_CHANNELS") {
    if (beta == 0.75F) {
      ctx.give(lrn_by_roots(ctx.build, x, size, alpha, k));
      return;
    }
    ctx.give(
        ctx.build.op("LRN", {x}, {{"size", size}, {"alpha", alpha}, {"beta", beta}, {"bias", k}}));
    return;
  }
  const auto sizes = ctx.sizes(x, 2);
  if (!sizes) return;
  const int64_t pad = (size - 1) / 2;
  const PoolAxes axes{PoolAxis{(*sizes)[0], size, 1, pad, (*sizes)[0]},
                      PoolAxis{(*sizes)[1], size, 1, pad, (*sizes)[1]}};
  Value* mean = average_pool(ctx, ctx.build.mul(x, x), axes);
  Value* base = ctx.build.add(ctx.build.mul(mean, ctx.build.scalar(alpha)), ctx.build.scalar(1.0F));
  ctx.give(ctx.build.mul(x, ctx.build.op("Pow", {base, ctx.build.scalar(-beta)})));
}

void mvn(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1) || !ctx.need_rank(ctx.bottoms[0], 2, 8)) return;
  Value* x = ctx.bottoms[0];
  const Params params = ctx.params("mvn_param");
  Sizes axes;
  for (size_t i = params.flag("across_channels", false) ? 1 : 2; i < x->rank(); ++i) {
    axes.push_back(static_cast<int64_t>(i));
  }
  // Without spatial axes each number is its own mean.
  Value* mean = axes.empty() ? x : ctx.build.reduce("ReduceMean", x, axes, true);
  Value* centred = ctx.build.sub(x, mean);
  if (!params.flag("normalize_variance", true)) {
    ctx.give(centred);
    return;
  }
  Value* square = ctx.build.mul(centred, centred);
  Value* variance = axes.empty() ? square : ctx.build.reduce("ReduceMean", square, axes, true);
  const auto eps = static_cast<float>(params.number("eps", 1e-9));
  Value* deviation = ctx.build.add(ctx.build.op("Sqrt", {variance}), ctx.build.scalar(eps));
  ctx.give(ctx.build.div(centred, deviation));
}

// x / sqrt(sum of squares + eps) * scale, over an item or over its channels at each place.
void normalize(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1) || !ctx.need_rank(ctx.bottoms[0], 2, 4)) return;
  Value* x = ctx.bottoms[0];
  const Params root = ctx.root();
  const Params params = ctx.params(root.has("norm_param") ? "norm_param" : "normalize_param");
  const auto channels = ctx.size(x, 1);
  if (!channels) return;
  const bool shared = params.flag("channel_shared", true);
  const auto weight =
      ctx.blob_or_filler(0, {shared ? 1 : *channels}, params.message("scale_filler"), 1.0F);
  if (!weight) return;
  Sizes axes{1};
  if (params.flag("across_spatial", true)) {
    for (size_t i = 2; i < x->rank(); ++i) axes.push_back(static_cast<int64_t>(i));
  }
  const auto eps = static_cast<float>(params.number("eps", 1e-10));
  Value* sum = ctx.build.reduce("ReduceSum", ctx.build.mul(x, x), axes, true);
  Value* norm = ctx.build.op("Sqrt", {ctx.build.add(sum, ctx.build.scalar(eps))});
  Sizes shape(x->rank() - 1, 1);
  shape[0] = shared ? 1 : *channels;
  ctx.give(ctx.build.mul(ctx.build.div(x, norm), ctx.build.constant(weight->reshaped(shape))));
}

// x / (L2 norm of the item's channels); the fork's layer has no parameters.
void l2_normalization(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1) || !ctx.need_rank(ctx.bottoms[0], 2, 8)) return;
  Value* x = ctx.bottoms[0];
  Sizes axes;
  for (size_t i = 1; i < x->rank(); ++i) axes.push_back(static_cast<int64_t>(i));
  Value* norm =
      ctx.build.op("Sqrt", {ctx.build.reduce("ReduceSum", ctx.build.mul(x, x), axes, true)});
  ctx.give(ctx.build.div(x, norm));
}

}  // namespace

void register_normalise(OpTable& table) {
  table.add("BatchNorm", batch_norm);
  table.add("BN", bn);
  table.add("Scale", scale);
  table.add("Bias", bias);
  table.add("LRN", lrn, "an even local_size is refused");
  table.add("MVN", mvn);
  table.add("Normalize", normalize);
  for (const char* name : {"L2Normalization", "L2Normalize"}) {
    table.add(name, l2_normalization);
  }
}

}  // namespace supernova::import::caffe
