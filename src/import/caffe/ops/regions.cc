// Pooling of regions of interest: rows of image, left, top, right, bottom in pixels of the image.
#include <numeric>

#include "import/caffe/ops.h"

namespace supernova::import::caffe {
namespace {

using graph::Builder;
using tensor::DataType;

constexpr int64_t kMaxGroups = 64;

Value* rows_of_five(LayerContext& ctx) {
  Value* rois = ctx.bottoms[1];
  return rois->rank() == 2 ? rois : ctx.build.reshape(rois, Dims{rois->dims()[0], 5});
}

void roi_pooling(LayerContext& ctx) {
  if (!ctx.need_bottoms(2, 2) || !ctx.need_rank(ctx.bottoms[0], 4, 4)) return;
  const Params params = ctx.params("roi_pooling_param");
  const int64_t height = params.integer("pooled_h", 0);
  const int64_t width = params.integer("pooled_w", 0);
  if (ctx.refuse_if(height < 1 || width < 1 || height > 1024 || width > 1024,
                    base::str_cat("pools to ", height, " x ", width))) {
    return;
  }
  ctx.give(
      ctx.build.op("MaxRoiPool", {ctx.bottoms[0], rows_of_five(ctx)},
                   {{"pooled_shape", Sizes{height, width}},
                    {"spatial_scale", static_cast<float>(params.number("spatial_scale", 1))}}));
}

// ---- R-FCN's pooling: bin (i, j) of `groups` x `groups` is the mean of a channel of its own

struct Bins {
  Value* first;  // FP32 [regions, groups], whole numbers
  Value* last;   // one behind
};

// Where the bins of each region lie along an axis of `size`, whose columns in `rois` are `from` and
// `from` + 2.
Bins bins_of(Builder& b, Value* rois, int64_t from, int64_t groups, float scale, int64_t size) {
  const auto edge = [&](int64_t column, float more) {
    Value* pixel = b.slice(rois, {column}, {column + 1}, {1});
    Value* rounded = b.op("Floor", {b.add(pixel, b.scalar(0.5F))});
    return b.mul(more == 0 ? rounded : b.add(rounded, b.scalar(more)), b.scalar(scale));
  };
  Value* start = edge(from, 0);
  Value* length = b.op("Max", {b.sub(edge(from + 2, 1), start), b.scalar(0.1F)});
  Value* bin = b.div(length, b.scalar(static_cast<float>(groups)));
  std::vector<float> numbers(groups);
  std::iota(numbers.begin(), numbers.end(), 0.0F);
  Value* grid = b.constant(Constant::floats({1, groups}, numbers));
  const auto side = [&](std::string_view round, Value* number) {
    Value* at = b.op(round, {b.add(b.mul(number, bin), start)});
    return b.clip(at, 0, static_cast<float>(size));
  };
  return {side("Floor", grid), side("Ceil", b.add(grid, b.scalar(1.0F)))};
}

// Sums of all that lies above and left, with a row and a column of zeros before: FP64
// [images, groups, groups, height + 1, width + 1, channels].
Value* running_sums(Builder& b, Value* x, int64_t groups, int64_t channels) {
  const Dims dims = x->dims();
  x = b.reshape(x, Dims{dims[0], Dim(channels), Dim(groups), Dim(groups), dims[2], dims[3]});
  x = b.cast(b.transpose(x, {0, 2, 3, 4, 5, 1}), DataType::kFp64);
  x = b.pad(x, {{0, 0}, {0, 0}, {0, 0}, {1, 0}, {1, 0}, {0, 0}});
  for (const int64_t axis : {3, 4}) x = b.op("CumSum", {x, b.scalar(axis)});
  return x;
}

// What `sums` have at row y and column x (both [regions, groups]) of each region's image and bin:
// [regions, groups, groups, channels].
Value* sums_at(Builder& b, Value* sums, Value* image, Value* y, Value* x, int64_t groups) {
  std::vector<int64_t> numbers(groups);
  std::iota(numbers.begin(), numbers.end(), 0);
  Value* grid = b.ints(numbers);
  const auto whole = [&](Value* value) { return b.cast(value, DataType::kInt64); };
  Value* zeros = b.sub(image, image);  // of all bins
  zeros = b.add(zeros, b.constant(Constant::of<int64_t>(
                           DataType::kInt64, {1, groups, groups, 1},
                           std::vector<int64_t>(static_cast<size_t>(groups * groups), 0))));
  const std::vector<Value*> parts{image, b.unsqueeze(grid, {1, 2}), b.unsqueeze(grid, {1}),
                                  b.unsqueeze(whole(y), {2, 3}), b.unsqueeze(whole(x), {1, 3})};
  std::vector<Value*> indices;
  for (Value* part : parts) indices.push_back(b.add(zeros, part));
  return b.op("GatherND", {sums, b.concat(indices, 3)});
}

void position_sensitive_pooling(LayerContext& ctx) {
  if (!ctx.need_bottoms(2, 2) || !ctx.need_rank(ctx.bottoms[0], 4, 4)) return;
  const Params params = ctx.params("psroi_pooling_param");
  const int64_t groups = params.integer("group_size", 0);
  const int64_t channels = params.integer("output_dim", 0);
  const auto scale = static_cast<float>(params.number("spatial_scale", 1));
  const auto sizes = ctx.sizes(ctx.bottoms[0], 1);
  if (!sizes || ctx.refuse_if(groups < 1 || groups > kMaxGroups || channels < 1,
                              base::str_cat("has ", groups, " groups of ", channels))) {
    return;
  }
  if (ctx.refuse_if(
          (*sizes)[0] % (groups * groups) != 0 || (*sizes)[0] / (groups * groups) != channels,
          base::str_cat("needs ", channels, " x ", groups, " x ", groups, " channels, not ",
                        (*sizes)[0]))) {
    return;
  }
  Builder& b = ctx.build;
  Value* rois = rows_of_five(ctx);
  Value* image = b.cast(b.slice(rois, {0}, {1}, {1}), DataType::kInt64);
  image = b.unsqueeze(image, {2, 3});
  const Bins columns = bins_of(b, rois, 1, groups, scale, (*sizes)[2]);
  const Bins rows = bins_of(b, rois, 2, groups, scale, (*sizes)[1]);
  Value* sums = running_sums(b, ctx.bottoms[0], groups, channels);
  const auto at = [&](Value* y, Value* x) { return sums_at(b, sums, image, y, x, groups); };
  Value* sum = b.sub(b.add(at(rows.last, columns.last), at(rows.first, columns.first)),
                     b.add(at(rows.first, columns.last), at(rows.last, columns.first)));
  Value* height = b.unsqueeze(b.sub(rows.last, rows.first), {2, 3});
  Value* width = b.unsqueeze(b.sub(columns.last, columns.first), {1, 3});
  Value* area = b.op("Max", {b.mul(height, width), b.scalar(1.0F)});  // an empty bin is zero
  ctx.give(b.transpose(b.div(b.cast(sum, DataType::kFp32), area), {0, 3, 1, 2}));
}

}  // namespace

void register_regions(OpTable& table) {
  table.add("ROIPooling", roi_pooling);
  table.add("PSROIPooling", position_sensitive_pooling, "channels, height and width must be known");
}

}  // namespace supernova::import::caffe
