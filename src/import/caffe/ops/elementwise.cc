// Layers that join blobs element by element.
#include <algorithm>

#include "import/caffe/ops.h"

namespace supernova::import::caffe {
namespace {

bool same_shapes(LayerContext& ctx) {
  for (const Value* bottom : ctx.bottoms) {
    if (ctx.refuse_if(
            !(bottom->dims() == ctx.bottoms[0]->dims()),
            base::str_cat("its bottoms have shapes ", graph::to_string(ctx.bottoms[0]->dims()),
                          " and ", graph::to_string(bottom->dims())))) {
      return false;
    }
  }
  return true;
}

Value* scaled(LayerContext& ctx, Value* x, float factor) {
  return factor == 1 ? x : ctx.build.mul(x, ctx.build.scalar(factor));
}

Value* weighted_sum(LayerContext& ctx, const std::vector<float>& coefficients) {
  Value* sum = scaled(ctx, ctx.bottoms[0], coefficients[0]);
  for (size_t i = 1; i < ctx.bottoms.size(); ++i) {
    const float factor = coefficients[i];
    sum = factor == -1 ? ctx.build.sub(sum, ctx.bottoms[i])
                       : ctx.build.add(sum, scaled(ctx, ctx.bottoms[i], factor));
  }
  return sum;
}

void eltwise(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1000) || !same_shapes(ctx)) return;
  const Params params = ctx.params("eltwise_param");
  const std::string operation = params.choice("operation", {"PROD", "SUM", "MAX"}, "SUM");
  std::vector<float> coefficients = params.numbers("coeff");
  const bool has_coefficients = !coefficients.empty();
  if (ctx.refuse_if(has_coefficients && coefficients.size() != ctx.bottoms.size(),
                    base::str_cat("has ", coefficients.size(), " coeff for ", ctx.bottoms.size(),
                                  " bottoms")) ||
      ctx.refuse_if(has_coefficients && operation != "SUM", "has coeff, but does not add") ||
      ctx.refuse_if(operation == "MAX" && ctx.layer.tops.size() > 1, "a second top of MAX")) {
    return;
  }
  coefficients.resize(ctx.bottoms.size(), 1.0F);
  if (operation == "SUM") {
    ctx.give(weighted_sum(ctx, coefficients));
    return;
  }
  Value* out = ctx.bottoms[0];
  for (size_t i = 1; i < ctx.bottoms.size(); ++i) {
    out = operation == "PROD" ? ctx.build.mul(out, ctx.bottoms[i])
                              : ctx.build.op("Max", {out, ctx.bottoms[i]});
  }
  ctx.give(out);
}

// a * x + y with a [n, c, 1, 1] or [n, c], of the fork of Squeeze-and-Excitation nets.
void axpy(LayerContext& ctx) {
  if (!ctx.need_bottoms(3, 3) || !ctx.need_rank(ctx.bottoms[1], 4, 4)) return;
  Value* factor = ctx.bottoms[0];
  if (!ctx.need_rank(factor, 2, 4)) return;
  Sizes missing;
  for (size_t i = factor->rank(); i < 4; ++i) missing.push_back(static_cast<int64_t>(i));
  if (!missing.empty()) factor = ctx.build.unsqueeze(factor, missing);
  ctx.give(ctx.build.add(ctx.build.mul(ctx.bottoms[1], factor), ctx.bottoms[2]));
}

}  // namespace

void register_elementwise(OpTable& table) {
  table.add("Eltwise", eltwise);
  table.add("Axpy", axpy);
}

}  // namespace supernova::import::caffe
