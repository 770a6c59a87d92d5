// Faster R-CNN's regions of interest: anchors at every place of the map, moved as the net says, the
// best of those that don't cover each other. Formulas: py-faster-rcnn (generate_anchors,
// bbox_transform, proposal_layer), whose layer in Python is taken too; parameters by name: PVANET's
// fork of Caffe.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "import/caffe/ops.h"

namespace supernova::import::caffe {
namespace {

using graph::Builder;

constexpr int64_t kMaxKept = 1 << 20;

struct Proposals {
  int64_t stride = 16;
  int64_t base = 16;
  double min_size = 16;  // of a side, in pixels of the image before it was scaled
  int64_t before = 6000;
  int64_t after = 300;
  double overlap = 0.7;
  std::vector<float> ratios{0.5F, 1, 2};
  std::vector<float> scales{8, 16, 32};
};

bool check(LayerContext& ctx, const Proposals& in) {
  bool fits = in.stride > 0 && in.stride < 65536 && in.base > 0 && in.base < 65536;
  fits = fits && in.overlap >= 0 && in.min_size >= 0 && in.ratios.size() * in.scales.size() < 4096;
  for (const float number : in.ratios) fits = fits && number > 0 && number < 1e6F;
  for (const float number : in.scales) fits = fits && number > 0 && number < 1e6F;
  return !ctx.refuse_if(!fits, "needs a stride, sizes, ratios and scales above zero") &&
         !ctx.refuse_if(in.before > kMaxKept || in.after > kMaxKept, "keeps too many regions");
}

bool read_proposals(LayerContext& ctx, Proposals& out) {
  const Params params = ctx.params("proposal_param");
  for (const char* name : {"anchor_base_size", "anchor_scale", "anchor_ratio", "max_rois",
                           "iou_threshold", "output_actual_rois_num"}) {
    if (ctx.refuse_if(params.has(name),
                      base::str_cat("proposal_param.", name,
                                    " is another fork's; say base_size, "
                                    "ratio, scale, pre_nms_topn, post_nms_topn, nms_thresh"))) {
      return false;
    }
  }
  out.stride = params.integer("feat_stride", out.stride);
  out.base = params.integer("base_size", out.base);
  out.min_size = params.number("min_size", out.min_size);
  out.before = params.integer("pre_nms_topn", out.before);
  out.after = params.integer("post_nms_topn", out.after);
  out.overlap = params.number("nms_thresh", out.overlap);
  if (params.has("ratio")) out.ratios = params.numbers("ratio");
  if (params.has("scale")) out.scales = params.numbers("scale");
  return check(ctx, out);
}

// Corners of the anchors at place 0, 0: ratios, and for each the scales.
std::vector<std::array<double, 4>> anchors_of(const Proposals& in) {
  const auto base = static_cast<double>(in.base);
  const double centre = (base - 1) / 2;
  std::vector<std::array<double, 4>> out;
  for (const double ratio : in.ratios) {
    const double width = std::floor(std::sqrt(base * base / ratio) + 0.5);
    const double height = std::floor(width * ratio + 0.5);
    for (const double scale : in.scales) {
      const double x = (width * scale - 1) / 2;
      const double y = (height * scale - 1) / 2;
      out.push_back({centre - x, centre - y, centre + x, centre + y});
    }
  }
  return out;
}

// All anchors of a map, [places * anchors, 2] each, x before y.
struct Grid {
  Value* centres = nullptr;
  Value* extents = nullptr;
  int64_t count = 0;
};

Grid grid_of(LayerContext& ctx, const Proposals& in, int64_t height, int64_t width) {
  const auto anchors = anchors_of(in);
  Grid out;
  out.count = height * width * static_cast<int64_t>(anchors.size());
  if (!ctx.check_count({height, width, static_cast<int64_t>(anchors.size()), 4}) ||
      !ctx.make_room(out.count * 4)) {
    return out;
  }
  std::vector<float> centres;
  std::vector<float> extents;
  for (int64_t place = 0; place < height * width; ++place) {
    const std::array<double, 2> shift{static_cast<double>(place % width * in.stride),
                                      static_cast<double>(place / width * in.stride)};
    for (const auto& anchor : anchors) {
      for (size_t axis = 0; axis < 2; ++axis) {
        const double extent = anchor[axis + 2] - anchor[axis] + 1;
        extents.push_back(static_cast<float>(extent));
        centres.push_back(static_cast<float>(anchor[axis] + shift[axis] + extent / 2));
      }
    }
  }
  out.centres = ctx.build.constant(Constant::floats({out.count, 2}, centres));
  out.extents = ctx.build.constant(Constant::floats({out.count, 2}, extents));
  return out;
}

// Rows of one place after the other from the channels of a map.
Value* by_place(Builder& b, Value* map, const Dims& dims) {
  return b.reshape(b.transpose(map, {0, 2, 3, 1}), dims);
}

struct Boxes {
  Value* corners = nullptr;  // [count, 4]: left, top, right, bottom
  Value* scores = nullptr;   // [count]; minus infinity where a box is too small
};

// `info`: height, width and, where there, scale of the image, or its scales along both axes.
Boxes moved(LayerContext& ctx, const Proposals& in, const Grid& grid, Value* info, int64_t known) {
  Builder& b = ctx.build;
  const int64_t half_channels = *ctx.bottoms[0]->dims()[1].constant() / 2;
  Value* scores = b.slice(ctx.bottoms[0], {half_channels}, {2 * half_channels}, {1});
  scores = by_place(b, scores, Dims{grid.count});
  const auto deltas = b.split(by_place(b, ctx.bottoms[1], Dims{grid.count, 4}), 1, {2, 2});
  Value* centre = b.add(b.mul(deltas[0], grid.extents), grid.centres);
  Value* reach = b.mul(b.mul(b.op("Exp", {deltas[1]}), grid.extents), b.scalar(0.5F));
  Value* most = b.sub(b.gather(info, b.ints({1, 0}), 0), b.scalar(1.0F));
  const auto inside = [&](Value* corner) {
    return b.op("Max", {b.op("Min", {corner, most}), b.scalar(0.0F)});
  };
  Value* low = inside(b.sub(centre, reach));
  Value* high = inside(b.add(centre, reach));
  Value* least = b.scalar(static_cast<float>(in.min_size));
  if (known > 2) least = b.mul(b.gather(info, b.ints({known > 3 ? 3 : 2, 2}), 0), least);
  Value* spare = b.sub(b.add(b.sub(high, low), b.scalar(1.0F)), least);
  Value* fits = b.op("GreaterOrEqual", {b.reduce("ReduceMin", spare, {1}, false), b.scalar(0.0F)});
  Value* never = b.scalar(-std::numeric_limits<float>::infinity());
  return {b.concat({low, high}, 1), b.op("Where", {fits, scores, never})};
}

// Rows of image (0) and corners, the best first, and their scores.
void give_best(LayerContext& ctx, const Proposals& in, Boxes boxes, int64_t count) {
  Builder& b = ctx.build;
  if (in.before > 0 && in.before < count) {
    const auto best =
        b.op_outputs("TopK", {boxes.scores, b.ints({in.before})},
                     {{"axis", int64_t{0}}, {"largest", int64_t{1}}, {"sorted", int64_t{1}}}, 2);
    boxes = {b.gather(boxes.corners, best[1], 0), best[0]};
    count = in.before;
  }
  // Pixels belong to a box to their far edge.
  Value* edges =
      b.add(boxes.corners, b.constant(Constant::floats({1, 4}, std::vector<float>{0, 0, 1, 1})));
  const int64_t kept = in.after > 0 ? std::min(in.after, count) : count;
  Value* selected =
      b.op("NonMaxSuppression",
           {b.reshape(edges, Dims{1, count, 4}), b.reshape(boxes.scores, Dims{1, 1, count}),
            b.scalar(kept), b.scalar(static_cast<float>(std::min(in.overlap, 1.0))),
            b.scalar(std::numeric_limits<float>::lowest())});
  if (ctx.failed()) return;
  Value* index = b.gather(selected, b.scalar(int64_t{2}), 1);
  ctx.give(b.pad(b.gather(boxes.corners, index, 0), {{0, 0}, {1, 0}}));
  ctx.give(b.unsqueeze(b.gather(boxes.scores, index, 0), {1}));
}

void propose(LayerContext& ctx, const Proposals& in) {
  if (!ctx.need_bottoms(3, 3) || !ctx.need_rank(ctx.bottoms[0], 4, 4) ||
      !ctx.need_rank(ctx.bottoms[1], 4, 4)) {
    return;
  }
  const auto scores = ctx.sizes(ctx.bottoms[0]);
  const auto deltas = scores ? ctx.sizes(ctx.bottoms[1]) : std::nullopt;
  const auto info = deltas ? ctx.sizes(ctx.bottoms[2]) : std::nullopt;
  if (!info || !ctx.check_count(*info)) return;
  const auto anchors = static_cast<int64_t>(in.ratios.size() * in.scales.size());
  const Sizes wanted{1, 2 * anchors, (*scores)[2], (*scores)[3]};
  const bool fits = *scores == wanted && *deltas == Sizes{1, 4 * anchors, wanted[2], wanted[3]} &&
                    wanted[2] > 0 && wanted[3] > 0;
  if (ctx.refuse_if(!fits, base::str_cat("makes regions of one image, of ", anchors,
                                         " anchors; its bottoms have shapes ",
                                         graph::to_string(ctx.bottoms[0]->dims()), " and ",
                                         graph::to_string(ctx.bottoms[1]->dims())))) {
    return;
  }
  int64_t known = 1;
  for (const int64_t size : *info) known *= size;
  if (ctx.refuse_if(known < 2, "needs height and width of the image in its third bottom")) return;
  const Grid grid = grid_of(ctx, in, wanted[2], wanted[3]);
  if (ctx.failed()) return;
  Value* image = ctx.build.reshape(ctx.bottoms[2], Dims{known});
  give_best(ctx, in, moved(ctx, in, grid, image, known), grid.count);
}

void proposal(LayerContext& ctx) {
  Proposals in;
  if (read_proposals(ctx, in)) propose(ctx, in);
}

// The numbers behind `key` in `'key': 16, 'other': [8, 16]`; none where it is not there.
std::vector<float> numbers_behind(std::string_view text, std::string_view key) {
  std::vector<float> out;
  size_t at = text.find(key);
  if (at == std::string_view::npos) return out;
  at = text.find_first_not_of("'\": ([", at + key.size());
  while (at != std::string_view::npos && at < text.size()) {
    const size_t end = text.find_first_not_of("0123456789.", at);
    const std::string number(text.substr(at, end - at));
    if (number.empty() || number.size() > 32) break;
    out.push_back(std::strtof(number.c_str(), nullptr));
    if (end == std::string_view::npos || text[end] != ',') break;
    at = text.find_first_not_of(", ", end);
  }
  return out;
}

// The layer in Python, with what its module's configuration says unless changed.
void python(LayerContext& ctx) {
  const Params params = ctx.params("python_param");
  const bool known =
      params.text("module") == "rpn.proposal_layer" && params.text("layer") == "ProposalLayer";
  if (ctx.refuse_if(!known, "runs a program in Python, which is not part of the model")) return;
  const std::string text = params.text(params.has("param_str") ? "param_str" : "param_str_");
  Proposals in;
  const std::vector<float> stride = numbers_behind(text, "feat_stride");
  if (ctx.refuse_if(stride.size() != 1 || !(stride[0] >= 1) || stride[0] > 65535,
                    "has no feat_stride in its param_str")) {
    return;
  }
  in.stride = static_cast<int64_t>(stride[0]);
  const std::vector<float> scales = numbers_behind(text, "scales");
  if (!scales.empty()) in.scales = scales;
  if (check(ctx, in)) propose(ctx, in);
}

}  // namespace

void register_proposal(OpTable& table) {
  table.add("Proposal", proposal,
            "one image; sizes must be known; as many rows as there are regions, without any of "
            "zero; other forks' parameters are refused");
  table.add("Python", python, "all but py-faster-rcnn's rpn.proposal_layer");
}

}  // namespace supernova::import::caffe
