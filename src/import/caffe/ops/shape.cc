// Layers that move, cut, join and choose elements.
#include <algorithm>

#include "import/caffe/ops.h"

namespace supernova::import::caffe {
namespace {

constexpr int64_t kMaxTiles = int64_t{1} << 20U;

void concat(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 10000)) return;
  const Params params = ctx.params("concat_param");
  const auto axis =
      ctx.axis_of(ctx.bottoms[0], params.has("concat_dim") ? params.integer("concat_dim", 1)
                                                           : params.integer("axis", 1));
  if (!axis) return;
  for (const Value* bottom : ctx.bottoms) {
    bool fits = bottom->rank() == ctx.bottoms[0]->rank();
    for (size_t i = 0; fits && i < bottom->rank(); ++i) {
      fits = i == *axis || bottom->dims()[i] == ctx.bottoms[0]->dims()[i];
    }
    if (ctx.refuse_if(!fits, base::str_cat("its bottoms have shapes ",
                                           graph::to_string(ctx.bottoms[0]->dims()), " and ",
                                           graph::to_string(bottom->dims())))) {
      return;
    }
  }
  ctx.give(ctx.bottoms.size() == 1 ? ctx.bottoms[0]
                                   : ctx.build.concat(ctx.bottoms, static_cast<int64_t>(*axis)));
}

// Sizes of the parts from slice_point, or equal ones.
std::optional<Sizes> slice_parts(LayerContext& ctx, const Params& params, int64_t size) {
  const auto tops = static_cast<int64_t>(ctx.layer.tops.size());
  Sizes points = params.integers("slice_point");
  if (points.empty()) {
    if (ctx.refuse_if(tops == 0 || size % tops != 0,
                      base::str_cat("can't cut ", size, " into ", tops, " equal parts"))) {
      return std::nullopt;
    }
    return Sizes(static_cast<size_t>(tops), size / tops);
  }
  points.push_back(size);
  Sizes parts;
  int64_t previous = 0;
  bool fits = static_cast<int64_t>(points.size()) == tops;
  for (const int64_t point : points) {
    fits = fits && point > previous && point <= size;
    if (!fits) break;
    parts.push_back(point - previous);
    previous = point;
  }
  if (ctx.refuse_if(!fits, base::str_cat("slice_point ", base::str_join(points, ", "),
                                         " does not cut an axis of ", size, " into ", tops))) {
    return std::nullopt;
  }
  return parts;
}

void slice(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1)) return;
  Value* x = ctx.bottoms[0];
  const Params params = ctx.params("slice_param");
  const auto axis = ctx.axis_of(
      x, params.has("slice_dim") ? params.integer("slice_dim", 1) : params.integer("axis", 1));
  const auto size = axis ? ctx.size(x, *axis) : std::nullopt;
  if (!size) return;
  const auto parts = slice_parts(ctx, params, *size);
  if (!parts) return;
  if (parts->size() == 1) {
    ctx.give(x);
    return;
  }
  for (Value* part : ctx.build.split(x, static_cast<int64_t>(*axis), *parts)) ctx.give(part);
}

void split(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1)) return;
  for (size_t i = 0; i < ctx.layer.tops.size(); ++i) ctx.give(ctx.bottoms[0]);
}

// Layers that do nothing at use.
void pass_on(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1)) return;
  ctx.give(ctx.bottoms[0]);
}

void flatten(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1)) return;
  Value* x = ctx.bottoms[0];
  const Params params = ctx.params("flatten_param");
  const auto start = ctx.axis_of(x, params.integer("axis", 1));
  const auto end = start ? ctx.axis_of(x, params.integer("end_axis", -1)) : std::nullopt;
  if (!end || ctx.refuse_if(*end < *start, "end_axis lies before axis")) return;
  const auto begin = x->dims().begin();
  Dims shape(begin, begin + static_cast<int64_t>(*start));
  shape.push_back(graph::product(
      Dims(begin + static_cast<int64_t>(*start), begin + static_cast<int64_t>(*end) + 1)));
  shape.insert(shape.end(), begin + static_cast<int64_t>(*end) + 1, x->dims().end());
  ctx.give(ctx.build.reshape(x, shape));
}

// The axes [start, end) of the bottom are replaced by those of the parameter.
struct ReshapePlan {
  size_t start = 0;
  size_t end = 0;
  Sizes dims;
};

bool plan_reshape(LayerContext& ctx, const Value* x, ReshapePlan& plan) {
  const Params params = ctx.params("reshape_param");
  const auto rank = static_cast<int64_t>(x->rank());
  int64_t start = params.integer("axis", 0);
  if (start < 0) start += rank + 1;
  const int64_t count = params.integer("num_axes", -1);
  const bool in_range = start >= 0 && start <= rank && count >= -1 && count <= rank;
  const int64_t end = !in_range ? -1 : count == -1 ? rank : start + count;
  plan.dims = params.message("shape").shape(-1);
  const bool fits = in_range && end >= start && end <= rank;
  if (ctx.refuse_if(!fits, base::str_cat("axis and num_axes are not of a blob with ", rank))) {
    return false;
  }
  plan.start = static_cast<size_t>(start);
  plan.end = static_cast<size_t>(end);
  return !ctx.failed() && ctx.param_status().ok();
}

void reshape(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1)) return;
  Value* x = ctx.bottoms[0];
  ReshapePlan plan;
  if (!plan_reshape(ctx, x, plan)) return;
  const Dims& old = x->dims();
  Dims shape(old.begin(), old.begin() + static_cast<int64_t>(plan.start));
  std::optional<size_t> inferred;
  for (size_t i = 0; i < plan.dims.size(); ++i) {
    const int64_t size = plan.dims[i];
    if (size == 0 &&
        ctx.refuse_if(plan.start + i >= old.size(), "dim: 0 stands where its bottom has no axis")) {
      return;
    }
    if (size == -1 && ctx.refuse_if(inferred.has_value(), "has dim: -1 twice")) return;
    if (size == -1) inferred = shape.size();
    shape.push_back(size == 0 ? old[plan.start + i] : Dim(size == -1 ? 1 : size));
  }
  shape.insert(shape.end(), old.begin() + static_cast<int64_t>(plan.end), old.end());
  const Dim total = graph::product(old);
  const Dim given = graph::product(shape);
  if (inferred) {
    const auto rest = exact_div(total, given);
    if (ctx.refuse_if(!rest, base::str_cat("can't make ", graph::to_string(old), " into ",
                                           base::str_join(plan.dims, ", ")))) {
      return;
    }
    shape[*inferred] = *rest;
  } else if (ctx.refuse_if(!(total == given), base::str_cat("can't make ", graph::to_string(old),
                                                            " into ", graph::to_string(shape)))) {
    return;
  }
  ctx.give(ctx.build.reshape(x, shape));
}

void permute(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1)) return;
  Value* x = ctx.bottoms[0];
  Sizes order = ctx.params("permute_param").integers("order");
  const auto rank = static_cast<int64_t>(x->rank());
  for (int64_t axis = 0; axis < rank; ++axis) {  // those not named keep their order behind
    if (std::find(order.begin(), order.end(), axis) == order.end()) order.push_back(axis);
  }
  if (ctx.refuse_if(
          static_cast<int64_t>(order.size()) != rank,
          base::str_cat("order ", base::str_join(order, ", "), " is not one of ", rank, " axes"))) {
    return;
  }
  ctx.give(ctx.build.transpose(x, order));
}

void crop(LayerContext& ctx) {
  if (!ctx.need_bottoms(2, 2)) return;
  Value* x = ctx.bottoms[0];
  const Value* like = ctx.bottoms[1];
  const Params params = ctx.params("crop_param");
  if (ctx.refuse_if(ctx.layer.old && !params.exists(),
                    "is of the fork that finds the offset by itself; give it in crop_param")) {
    return;
  }
  const auto axis = ctx.axis_of(x, params.integer("axis", 2));
  const Sizes offsets = params.integers("offset");
  if (!axis || ctx.refuse_if(like->rank() != x->rank(), "its bottoms differ in axes")) return;
  const size_t cropped = x->rank() - *axis;
  if (ctx.refuse_if(offsets.size() > 1 && offsets.size() != cropped,
                    base::str_cat("has ", offsets.size(), " offsets for ", cropped, " axes"))) {
    return;
  }
  Sizes starts;
  Sizes ends;
  Sizes axes;
  for (size_t i = *axis; i < x->rank(); ++i) {
    const int64_t offset = offsets.empty() ? 0 : offsets[offsets.size() == 1 ? 0 : i - *axis];
    if (offset == 0 && x->dims()[i] == like->dims()[i]) continue;
    const auto have = ctx.size(x, i);
    const auto want = have ? ctx.size(like, i) : std::nullopt;
    if (!want || ctx.refuse_if(
                     offset < 0 || offset > *have - *want,
                     base::str_cat("can't take ", *want, " of ", *have, " from ", offset, " on"))) {
      return;
    }
    starts.push_back(offset);
    ends.push_back(offset + *want);
    axes.push_back(static_cast<int64_t>(i));
  }
  ctx.give(axes.empty() ? x : ctx.build.slice(x, starts, ends, axes));
}

// As much from both ends of an axis.
void crop_center(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1)) return;
  Value* x = ctx.bottoms[0];
  const Sizes cut = ctx.params("crop_center_param").integers("crop_size");
  if (ctx.refuse_if(cut.size() != x->rank(),
                    base::str_cat("has ", cut.size(), " crop_size for ", x->rank(), " axes"))) {
    return;
  }
  Sizes starts;
  Sizes ends;
  Sizes axes;
  for (size_t i = 0; i < cut.size(); ++i) {
    if (cut[i] == 0) continue;
    const auto have = ctx.size(x, i);
    if (!have || ctx.refuse_if(cut[i] < 0 || cut[i] > (*have - 1) / 2,
                               base::str_cat("can't cut ", cut[i], " from both ends of ", *have))) {
      return;
    }
    starts.push_back(cut[i]);
    ends.push_back(*have - cut[i]);
    axes.push_back(static_cast<int64_t>(i));
  }
  ctx.give(axes.empty() ? x : ctx.build.slice(x, starts, ends, axes));
}

void tile(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1)) return;
  Value* x = ctx.bottoms[0];
  const Params params = ctx.params("tile_param");
  const auto axis = ctx.axis_of(x, params.integer("axis", 1));
  const int64_t tiles = params.integer("tiles", 0);
  if (!axis || ctx.refuse_if(tiles < 1 || tiles > kMaxTiles, base::str_cat("tiles is ", tiles))) {
    return;
  }
  Sizes repeats(x->rank(), 1);
  repeats[*axis] = tiles;
  ctx.give(tiles == 1 ? x : ctx.build.op("Tile", {x, ctx.build.ints(repeats)}));
}

void reduction(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1)) return;
  Value* x = ctx.bottoms[0];
  const Params params = ctx.params("reduction_param");
  const std::string operation =
      params.choice("operation", {"SUM", "ASUM", "SUMSQ", "MEAN"}, "SUM", 1);
  const auto axis = ctx.axis_of(x, params.integer("axis", 0), true);
  const auto coeff = static_cast<float>(params.number("coeff", 1));
  if (!axis) return;
  Sizes axes;
  for (size_t i = *axis; i < x->rank(); ++i) axes.push_back(static_cast<int64_t>(i));
  Value* elements = x;
  if (operation == "ASUM") elements = ctx.build.op("Abs", {x});
  if (operation == "SUMSQ") elements = ctx.build.mul(x, x);
  Value* out = axes.empty() ? elements
                            : ctx.build.reduce(operation == "MEAN" ? "ReduceMean" : "ReduceSum",
                                               elements, axes, false);
  ctx.give(coeff == 1 ? out : ctx.build.mul(out, ctx.build.scalar(coeff)));
}

// Indices (as numbers of the blob's type) and values of the largest elements along an axis.
std::pair<Value*, Value*> largest(LayerContext& ctx, Value* x, int64_t axis, int64_t count) {
  if (count == 1) {  // of equal ones Caffe takes the last
    Value* index =
        ctx.build.op("ArgMax", {x},
                     {{"axis", axis}, {"keepdims", int64_t{1}}, {"select_last_index", int64_t{1}}});
    return {ctx.build.cast(index, tensor::DataType::kFp32),
            ctx.build.reduce("ReduceMax", x, {axis}, true)};
  }
  const auto both =
      ctx.build.op_outputs("TopK", {x, ctx.build.ints({count})},
                           {{"axis", axis}, {"largest", int64_t{1}}, {"sorted", int64_t{1}}}, 2);
  return {ctx.build.cast(both[1], tensor::DataType::kFp32), both[0]};
}

void arg_max(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1)) return;
  Value* x = ctx.bottoms[0];
  const Params params = ctx.params("argmax_param");
  const bool values = params.flag("out_max_val", false);
  const int64_t count = params.integer("top_k", 1);
  const bool has_axis = params.has("axis");
  const auto axis = ctx.axis_of(x, params.integer("axis", 0));
  if (!axis) return;
  Value* items = has_axis ? x : ctx.build.flatten_to_2d(x, 1);
  if (ctx.failed()) return;
  const auto along = static_cast<int64_t>(has_axis ? *axis : 1);
  const auto size = items->dims()[static_cast<size_t>(along)].constant();
  if (ctx.refuse_if(count < 1 || (size && count > *size), base::str_cat("top_k is ", count))) {
    return;
  }
  const auto [indices, numbers] = largest(ctx, items, along, count);
  if (has_axis) {
    ctx.give(values ? numbers : indices);
    return;
  }
  Dims shape(std::max<size_t>(x->rank(), 3), Dim(1));
  shape[0] = x->dims()[0];
  shape[1] = values ? 2 : 1;
  shape[2] = count;
  Value* both = values ? ctx.build.concat({indices, numbers}, 1) : indices;
  ctx.give(ctx.build.reshape(both, shape));
}

void embed(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1)) return;
  const Params params = ctx.params("embed_param");
  const int64_t outputs = params.integer("num_output", 0);
  const int64_t words = params.integer("input_dim", 0);
  if (ctx.refuse_if(outputs < 1 || words < 1, "needs num_output and input_dim")) return;
  const auto weights = ctx.blob(0, {words, outputs});
  if (!weights) return;
  Value* index = ctx.build.cast(ctx.bottoms[0], tensor::DataType::kInt64);
  Value* rows = ctx.build.gather(ctx.build.constant(*weights), index, 0);
  if (params.flag("bias_term", true)) {
    const auto bias = ctx.blob(1, {outputs});
    if (!bias) return;
    rows = ctx.build.add(rows, ctx.build.constant(*bias));
  }
  ctx.give(rows);
}

void batch_reindex(LayerContext& ctx) {
  if (!ctx.need_bottoms(2, 2) || !ctx.need_rank(ctx.bottoms[1], 1, 1)) return;
  Value* index = ctx.build.cast(ctx.bottoms[1], tensor::DataType::kInt64);
  ctx.give(ctx.build.gather(ctx.bottoms[0], index, 0));
}

void parameter(LayerContext& ctx) {
  if (!ctx.need_bottoms(0, 0)) return;
  const Sizes shape = ctx.params("parameter_param").message("shape").shape();
  const auto value = shape.empty() ? ctx.blob_as_is(0) : ctx.blob(0, shape);
  if (value) ctx.give(ctx.build.constant(*value));
}

// Channels dealt out anew: of g groups the first of each, the second of each, ...
void shuffle_channel(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1) || !ctx.need_rank(ctx.bottoms[0], 4, 4)) return;
  Value* x = ctx.bottoms[0];
  const int64_t group = ctx.params("shuffle_channel_param").integer("group", 1);
  const auto channels = ctx.size(x, 1);
  if (!channels || ctx.refuse_if(group < 1 || *channels % group != 0,
                                 base::str_cat("can't deal ", *channels, " channels to ", group))) {
    return;
  }
  const Dims& dims = x->dims();
  Value* grouped = ctx.build.reshape(x, Dims{dims[0], group, *channels / group, dims[2], dims[3]});
  ctx.give(ctx.build.reshape(ctx.build.transpose(grouped, {0, 2, 1, 3, 4}), dims));
}

// Darknet's, which YOLO's forks have as it is: the map is read as one of fewer channels and
// `stride` times the height and width, whose blocks become channels. Its reverse takes the channels
// as the blocks that they are. Formula: reorg_cpu of darknet (src/blas.c).
void reorg(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1) || !ctx.need_rank(ctx.bottoms[0], 4, 4)) return;
  Value* x = ctx.bottoms[0];
  const Params params = ctx.params("reorg_param");
  const int64_t stride = params.integer("stride", 2);
  const auto sizes = ctx.sizes(x, 1);
  if (!sizes || ctx.refuse_if(stride < 1 || stride > 1024, base::str_cat("stride is ", stride))) {
    return;
  }
  const int64_t block = stride * stride;
  const bool reverse = params.flag("reverse", false);
  const bool whole = (*sizes)[0] % block == 0 &&
                     (reverse || ((*sizes)[1] % stride == 0 && (*sizes)[2] % stride == 0));
  if (ctx.refuse_if(!whole, base::str_cat("can't take ", graph::to_string(x->dims()),
                                          " apart with a stride of ", stride))) {
    return;
  }
  const graph::Attributes attributes{{"blocksize", stride}};
  if (reverse) {
    ctx.give(ctx.build.op("DepthToSpace", {x}, attributes));
    return;
  }
  const Dim batch = x->dims()[0];
  x = ctx.build.reshape(
      x, Dims{batch, (*sizes)[0] / block, (*sizes)[1] * stride, (*sizes)[2] * stride});
  x = ctx.build.op("SpaceToDepth", {x}, attributes);
  ctx.give(ctx.build.reshape(
      x, Dims{batch, (*sizes)[0] * block, (*sizes)[1] / stride, (*sizes)[2] / stride}));
}

}  // namespace

void register_shape(OpTable& table) {
  table.add("Concat", concat);
  table.add("Slice", slice);
  table.add("Split", split);
  for (const char* name : {"Dropout", "Noop", "Identity", "SpatialDropout"}) {
    table.add(name, pass_on);
  }
  table.add("Flatten", flatten);
  table.add("Reshape", reshape);
  table.add("Permute", permute);
  table.add("Crop", crop);
  table.add("CropCenter", crop_center, "height and width must be known");
  table.add("Tile", tile);
  table.add("Reduction", reduction);
  table.add("ArgMax", arg_max, "of equal elements with top_k > 1 the first ones are taken");
  table.add("Embed", embed);
  table.add("BatchReindex", batch_reindex);
  table.add("Parameter", parameter);
  table.add("ShuffleChannel", shuffle_channel);
  table.add("Reorg", reorg, "channels, height and width must be known");
}

}  // namespace supernova::import::caffe
