// Layers that treat every element alike. Formulas: Caffe's *_layer.cpp; ReLU6, HardSwish,
// HardSigmoid and Mish as the forks that have them.
#include <cmath>

#include "import/caffe/ops.h"

namespace supernova::import::caffe {
namespace {

using Make = Value* (*)(LayerContext&, Value*);

// A converter of one bottom and one top.
template <Make make>
void unary(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1)) return;
  Value* result = make(ctx, ctx.bottoms[0]);
  if (result != nullptr) ctx.give(result);
}

Value* affine(LayerContext& ctx, Value* x, double scale, double shift) {
  Value* out = x;
  if (scale != 1) out = ctx.build.mul(out, ctx.build.scalar(static_cast<float>(scale)));
  if (shift != 0) out = ctx.build.add(out, ctx.build.scalar(static_cast<float>(shift)));
  return out;
}

// A tensor of x's shape that holds one number, without reading x's values into it.
Value* filled_like(LayerContext& ctx, Value* x, double value) {
  const auto shape = graph::constant_dims(x->dims());
  if (shape) {
    return ctx.build.op("Expand",
                        {ctx.build.scalar(static_cast<float>(value)), ctx.build.ints(*shape)});
  }
  return ctx.build.op("Expand",
                      {ctx.build.scalar(static_cast<float>(value)), ctx.build.op("Shape", {x})});
}

Value* relu(LayerContext& ctx, Value* x) {
  const auto slope = static_cast<float>(ctx.params("relu_param").number("negative_slope", 0));
  if (slope == 0) return ctx.build.op("Relu", {x});
  return ctx.build.op("LeakyRelu", {x}, {{"alpha", slope}});
}

Value* prelu(LayerContext& ctx, Value* x) {
  if (!ctx.need_rank(x, 2, 8)) return nullptr;
  const Params params = ctx.params("prelu_param");
  const bool shared = params.flag("channel_shared", false);
  const auto channels = shared ? std::optional<int64_t>(1) : ctx.size(x, 1);
  if (!channels) return nullptr;
  const auto slope = ctx.blob_or_filler(0, {*channels}, params.message("filler"), 0.25F);
  if (!slope) return nullptr;
  Sizes shape(x->rank() - 1, 1);
  shape[0] = *channels;
  return ctx.build.op("PRelu", {x, ctx.build.constant(slope->reshaped(shape))});
}

Value* elu(LayerContext& ctx, Value* x) {
  const auto alpha = static_cast<float>(ctx.params("elu_param").number("alpha", 1));
  return ctx.build.op("Elu", {x}, {{"alpha", alpha}});
}

Value* power(LayerContext& ctx, Value* x) {
  const Params params = ctx.params("power_param");
  const double power = params.number("power", 1);
  const double scale = params.number("scale", 1);
  const double shift = params.number("shift", 0);
  if (power == 0 || scale == 0) {
    return filled_like(ctx, x, power == 0 ? 1 : std::pow(shift, power));
  }
  Value* base = affine(ctx, x, scale, shift);
  if (power == 1) return base;
  if (power == 2) return ctx.build.mul(base, base);
  if (power == 0.5) return ctx.build.op("Sqrt", {base});
  if (power == -1) return ctx.build.op("Reciprocal", {base});
  return ctx.build.op("Pow", {base, ctx.build.scalar(static_cast<float>(power))});
}

// log of the base; nothing for one that has none.
std::optional<double> log_base(LayerContext& ctx, const Params& params) {
  const double base = params.number("base", -1);
  if (base == -1) return 1;
  if (ctx.refuse_if(!(base > 0) || std::isinf(base), base::str_cat("base is ", base))) {
    return std::nullopt;
  }
  return std::log(base);
}

Value* exponential(LayerContext& ctx, Value* x) {
  const Params params = ctx.params("exp_param");
  const auto log = log_base(ctx, params);
  if (!log) return nullptr;
  const double outer = std::exp(*log * params.number("shift", 0));
  return affine(ctx, ctx.build.op("Exp", {affine(ctx, x, *log * params.number("scale", 1), 0)}),
                outer, 0);
}

Value* logarithm(LayerContext& ctx, Value* x) {
  const Params params = ctx.params("log_param");
  const auto log = log_base(ctx, params);
  if (!log || ctx.refuse_if(*log == 0, "base is 1")) return nullptr;
  Value* inner = affine(ctx, x, params.number("scale", 1), params.number("shift", 0));
  return affine(ctx, ctx.build.op("Log", {inner}), 1 / *log, 0);
}

Value* threshold(LayerContext& ctx, Value* x) {
  const double limit = ctx.params("threshold_param").number("threshold", 0);
  Value* above = ctx.build.op("Greater", {x, ctx.build.scalar(static_cast<float>(limit))});
  return ctx.build.cast(above, tensor::DataType::kFp32);
}

Value* relu6(LayerContext& ctx, Value* x) {
  // Forks differ in where they keep the limit.
  double limit = 6;
  for (const char* name : {"relu6_param", "relu_param"}) {
    limit = ctx.params(name).number("threshold", limit);
  }
  return ctx.build.clip(x, 0, static_cast<float>(limit));
}

Value* clip(LayerContext& ctx, Value* x) {
  const Params params = ctx.params("clip_param");
  if (ctx.refuse_if(!params.has("min") || !params.has("max"),
                    "needs clip_param with min and max")) {
    return nullptr;
  }
  return ctx.build.clip(x, static_cast<float>(params.number("min", 0)),
                        static_cast<float>(params.number("max", 0)));
}

Value* swish(LayerContext& ctx, Value* x) {
  const double beta = ctx.params("swish_param").number("beta", 1);
  return ctx.build.mul(x, ctx.build.op("Sigmoid", {affine(ctx, x, beta, 0)}));
}

Value* hard_sigmoid(LayerContext& ctx, Value* x) {
  const Params params = ctx.params("hardsigmoid_param");
  return ctx.build.op("HardSigmoid", {x},
                      {{"alpha", static_cast<float>(params.number("alpha", 0.2))},
                       {"beta", static_cast<float>(params.number("beta", 0.5))}});
}

Value* hard_swish(LayerContext& ctx, Value* x) { return ctx.build.op("HardSwish", {x}); }

Value* mish(LayerContext& ctx, Value* x) {
  return ctx.build.mul(x, ctx.build.op("Tanh", {ctx.build.op("Softplus", {x})}));
}

Value* absolute(LayerContext& ctx, Value* x) { return ctx.build.op("Abs", {x}); }
Value* sigmoid(LayerContext& ctx, Value* x) { return ctx.build.op("Sigmoid", {x}); }
Value* tanh_of(LayerContext& ctx, Value* x) { return ctx.build.op("Tanh", {x}); }
// log(1 + exp(x))
Value* bnll(LayerContext& ctx, Value* x) { return ctx.build.op("Softplus", {x}); }

// Positive and negative parts, one after the other.
Value* crelu(LayerContext& ctx, Value* x) {
  if (!ctx.need_rank(x, 2, 8)) return nullptr;
  const Params params = ctx.params("crelu_param");
  const auto axis = ctx.axis_of(x, params.integer("concat_axis", params.integer("axis", 1)));
  if (!axis) return nullptr;
  const auto slope = static_cast<float>(params.number("negative_slope", 0));
  Value* both = ctx.build.concat({x, ctx.build.op("Neg", {x})}, static_cast<int64_t>(*axis));
  if (slope == 0) return ctx.build.op("Relu", {both});
  return ctx.build.op("LeakyRelu", {both}, {{"alpha", slope}});
}

Value* softmax_over(LayerContext& ctx, Value* x) {
  const auto axis = ctx.axis_of(x, ctx.params("softmax_param").integer("axis", 1));
  if (!axis) return nullptr;
  return ctx.build.op("Softmax", {x}, {{"axis", static_cast<int64_t>(*axis)}});
}

// A loss in a net for use is what it is the loss of: the labels are not there.
void softmax_loss(LayerContext& ctx) {
  if (ctx.bottoms.empty() || ctx.bottoms[0] == nullptr) {
    ctx.fail("has no bottom");
  } else if (Value* result = softmax_over(ctx, ctx.bottoms[0])) {
    ctx.give(result);
  }
}

}  // namespace

void register_activation(OpTable& table) {
  table.add("ReLU", unary<relu>);
  table.add("PReLU", unary<prelu>);
  table.add("ELU", unary<elu>);
  table.add("Sigmoid", unary<sigmoid>);
  table.add("TanH", unary<tanh_of>);
  table.add("AbsVal", unary<absolute>);
  table.add("BNLL", unary<bnll>);
  table.add("Power", unary<power>);
  table.add("Exp", unary<exponential>);
  table.add("Log", unary<logarithm>);
  table.add("Threshold", unary<threshold>);
  table.add("ReLU6", unary<relu6>);
  table.add("Clip", unary<clip>);
  table.add("Swish", unary<swish>);
  table.add("HardSigmoid", unary<hard_sigmoid>);
  table.add("HardSwish", unary<hard_swish>);
  table.add("Mish", unary<mish>);
  table.add("CReLU", unary<crelu>);
  table.add("Softmax", unary<softmax_over>);
  table.add("SoftmaxWithLoss", softmax_loss, "gives the probabilities; the labels are not used");
}

}  // namespace supernova::import::caffe
