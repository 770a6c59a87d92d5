// SSD's layers. Formulas: the SSD fork of Caffe (prior_box_layer,
// detection_output_layer, bbox_util).
#include <algorithm>
#include <array>
#include <cmath>

#include "import/caffe/ops.h"

namespace supernova::import::caffe {
namespace {

constexpr int64_t kMaxImages = 64;

// ---- PriorBox

struct PriorBoxes {
  std::vector<std::array<double, 2>> boxes;  // width, height in pixels of the image
  double step_w = 0;
  double step_h = 0;
  double image_w = 0;
  double image_h = 0;
  double offset = 0.5;
};

std::vector<float> aspect_ratios(const Params& params) {
  std::vector<float> ratios{1.0F};
  const bool flip = params.flag("flip", true);
  for (const float ratio : params.numbers("aspect_ratio")) {
    const bool known = std::any_of(ratios.begin(), ratios.end(),
                                   [&](float other) { return std::fabs(ratio - other) < 1e-6; });
    if (known) continue;
    ratios.push_back(ratio);
    if (flip) ratios.push_back(1.0F / ratio);
  }
  return ratios;
}

bool read_boxes(LayerContext& ctx, const Params& params, PriorBoxes& out) {
  const std::vector<float> widths = params.numbers("width");
  const std::vector<float> heights = params.numbers("height");
  if (!widths.empty() || !heights.empty()) {  // boxes found by clustering, as forks give them
    if (ctx.refuse_if(widths.size() != heights.size(), "has other widths than heights")) {
      return false;
    }
    for (size_t i = 0; i < widths.size(); ++i) out.boxes.push_back({widths[i], heights[i]});
    return true;
  }
  const std::vector<float> least = params.numbers("min_size");
  const std::vector<float> most = params.numbers("max_size");
  const std::vector<float> ratios = aspect_ratios(params);
  bool fits = !least.empty() && (most.empty() || most.size() == least.size()) &&
              least.size() * ratios.size() < 10000;
  for (const float ratio : ratios) fits = fits && ratio > 0;
  for (size_t i = 0; fits && i < least.size(); ++i) {
    fits =
        least[i] > 0 && least[i] < 1e6 && (most.empty() || (most[i] > least[i] && most[i] < 1e6));
  }
  if (ctx.refuse_if(!fits, "needs sizes above zero, and a max_size above each min_size")) {
    return false;
  }
  for (size_t i = 0; i < least.size(); ++i) {
    const auto size = std::trunc(static_cast<double>(least[i]));  // whole pixels, as Caffe has it
    out.boxes.push_back({size, size});
    if (!most.empty()) {
      const double side = std::sqrt(size * std::trunc(static_cast<double>(most[i])));
      out.boxes.push_back({side, side});
    }
    for (const float ratio : ratios) {
      if (std::fabs(ratio - 1.0) < 1e-6) continue;
      const double root = std::sqrt(static_cast<double>(ratio));
      out.boxes.push_back({size * root, size / root});
    }
  }
  return true;
}

bool read_grid(LayerContext& ctx, const Params& params, const Sizes& layer, PriorBoxes& out) {
  const int64_t square = params.integer("img_size", 0);
  int64_t height = params.integer("img_h", square);
  int64_t width = params.integer("img_w", square);
  if (height == 0 || width == 0) {
    if (!ctx.need_bottoms(2, 2) || !ctx.need_rank(ctx.bottoms[1], 4, 4)) return false;
    const auto image = ctx.sizes(ctx.bottoms[1], 2);
    if (!image) return false;
    height = (*image)[0];
    width = (*image)[1];
  }
  const double step = params.number("step", 0);
  out.step_h = params.number("step_h", step);
  out.step_w = params.number("step_w", step);
  if (out.step_h == 0 || out.step_w == 0) {
    out.step_w = static_cast<float>(width) / static_cast<float>(layer[1]);
    out.step_h = static_cast<float>(height) / static_cast<float>(layer[0]);
  }
  out.image_h = static_cast<double>(height);
  out.image_w = static_cast<double>(width);
  out.offset = params.number("offset", 0.5);
  return !ctx.refuse_if(height < 1 || width < 1 || !(out.step_h > 0) || !(out.step_w > 0),
                        "needs an image and steps of a size above zero");
}

std::vector<float> box_corners(const PriorBoxes& priors, const Sizes& layer, bool clip) {
  std::vector<float> corners;
  for (int64_t h = 0; h < layer[0]; ++h) {
    for (int64_t w = 0; w < layer[1]; ++w) {
      const double x = (static_cast<double>(w) + priors.offset) * priors.step_w;
      const double y = (static_cast<double>(h) + priors.offset) * priors.step_h;
      for (const auto& [width, height] : priors.boxes) {
        corners.push_back(static_cast<float>((x - width / 2) / priors.image_w));
        corners.push_back(static_cast<float>((y - height / 2) / priors.image_h));
        corners.push_back(static_cast<float>((x + width / 2) / priors.image_w));
        corners.push_back(static_cast<float>((y + height / 2) / priors.image_h));
      }
    }
  }
  if (clip) {
    for (float& value : corners) value = std::clamp(value, 0.0F, 1.0F);
  }
  return corners;
}

// [1, 2, boxes * 4]: the boxes' corners, and the variances that predictions are scaled by.
void prior_box(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 2) || !ctx.need_rank(ctx.bottoms[0], 4, 4)) return;
  const Params params = ctx.params("prior_box_param");
  const auto layer = ctx.sizes(ctx.bottoms[0], 2);
  PriorBoxes priors;
  for (const char* name : {"fixed_size", "density", "additional_y_offset"}) {
    if (ctx.refuse_if(params.has(name), base::str_cat(name, " is not supported"))) return;
  }
  std::vector<float> variance = params.numbers("variance");
  if (variance.empty()) variance = {0.1F};
  if (!layer || ctx.refuse_if(variance.size() != 1 && variance.size() != 4,
                              base::str_cat("has ", variance.size(), " variances"))) {
    return;
  }
  if (!read_boxes(ctx, params, priors) || !read_grid(ctx, params, *layer, priors)) return;
  const auto count = static_cast<int64_t>(priors.boxes.size()) * 4;
  if (!ctx.check_count({(*layer)[0], (*layer)[1], count, 32}) ||
      !ctx.make_room((*layer)[0] * (*layer)[1] * count * 2)) {
    return;
  }
  std::vector<float> values = box_corners(priors, *layer, params.flag("clip", false));
  const size_t corners = values.size();
  values.reserve(2 * corners);
  for (size_t i = 0; i < corners; ++i) {
    values.push_back(variance[variance.size() == 1 ? 0 : i % 4]);
  }
  ctx.give(ctx.build.constant(Constant::floats({1, 2, static_cast<int64_t>(corners)}, values)));
}

// ---- DetectionOutput

struct Detection {
  int64_t images = 0;
  int64_t priors = 0;
  int64_t classes = 0;
  int64_t background = 0;
  bool shared = true;
  bool in_target = false;
  std::string code;
  double nms_threshold = 0.3;
  int64_t top_k = -1;
  int64_t keep = -1;
  std::optional<double> confidence;
  bool padded = false;  // always `keep` rows for each image
  Sizes labels;         // without the background
};

bool read_detection(LayerContext& ctx, Detection& out) {
  const Params params = ctx.params("detection_output_param");
  const Params nms = params.message("nms_param");
  out.classes = params.integer("num_classes", 0);
  out.shared = params.flag("share_location", true);
  out.background = params.integer("background_label_id", 0);
  out.in_target = params.flag("variance_encoded_in_target", false);
  out.code = params.choice("code_type", {"CORNER", "CENTER_SIZE", "CORNER_SIZE"}, "CORNER", 1);
  out.nms_threshold = nms.number("nms_threshold", 0.3);
  out.top_k = nms.integer("top_k", -1);
  out.keep = params.integer("keep_top_k", -1);
  if (params.has("confidence_threshold")) out.confidence = params.number("confidence_threshold", 0);
  if (ctx.refuse_if(nms.number("eta", 1) != 1, "eta other than 1 is not supported") ||
      ctx.refuse_if(!(out.nms_threshold >= 0), "nms_threshold is negative") ||
      ctx.refuse_if(!params.flag("normalized_bbox", true), "boxes in pixels are not supported") ||
      ctx.refuse_if(out.keep == 0 || out.keep > 1000000,
                    base::str_cat("keep_top_k is ", out.keep)) ||
      ctx.refuse_if(out.classes < 1 || out.classes > 100000,
                    base::str_cat("num_classes is ", out.classes))) {
    return false;
  }
  for (int64_t i = 0; i < out.classes; ++i) {
    if (i != out.background) out.labels.push_back(i);
  }
  return !ctx.refuse_if(out.labels.empty(), "has no class but the background");
}

int64_t count_of(const Sizes& sizes) {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;  // a bottom's size: checked when it was made
  return count;
}

bool check_bottoms(LayerContext& ctx, Detection& out) {
  const auto loc = ctx.sizes(ctx.bottoms[0]);
  const auto conf = loc ? ctx.sizes(ctx.bottoms[1]) : std::nullopt;
  const auto priors = conf ? ctx.sizes(ctx.bottoms[2]) : std::nullopt;
  if (!priors) return false;
  if (ctx.refuse_if(loc->empty() || loc->front() > kMaxImages,
                    base::str_cat("more than ", kMaxImages, " images at a time"))) {
    return false;
  }
  out.images = loc->front();
  const int64_t prior_count = count_of(*priors);
  out.priors = prior_count / 8;
  const int64_t boxes = out.images * out.priors;
  const bool fits = prior_count % 8 == 0 &&
                    count_of(*loc) == boxes * 4 * (out.shared ? 1 : out.classes) &&
                    count_of(*conf) == boxes * out.classes;
  return !ctx.refuse_if(
      !fits, base::str_cat("its bottoms have shapes ", graph::to_string(ctx.bottoms[0]->dims()),
                           ", ", graph::to_string(ctx.bottoms[1]->dims()), " and ",
                           graph::to_string(ctx.bottoms[2]->dims())));
}

using Corners = std::array<Value*, 4>;  // xmin, ymin, xmax, ymax, each [..., 1]

Corners corners_of(LayerContext& ctx, Value* boxes, int64_t axis) {
  const auto parts = ctx.build.split(boxes, axis, Sizes(4, 1));
  return {parts[0], parts[1], parts[2], parts[3]};
}

Corners decode_center_size(LayerContext& ctx, const Corners& loc, const Corners& prior,
                           const Corners& size) {
  auto& b = ctx.build;
  Value* half = b.scalar(0.5F);
  Corners out{};
  for (size_t axis = 0; axis < 2; ++axis) {
    Value* prior_centre = b.mul(b.add(prior[axis], prior[axis + 2]), half);
    Value* centre = b.add(b.mul(loc[axis], size[axis]), prior_centre);
    Value* extent = b.mul(b.op("Exp", {loc[axis + 2]}), size[axis + 2]);
    Value* reach = b.mul(extent, half);
    out[axis] = b.sub(centre, reach);
    out[axis + 2] = b.add(centre, reach);
  }
  return out;
}

// [images, location classes, priors, 4]: predictions and priors made into boxes.
Value* decoded(LayerContext& ctx, const Detection& in) {
  auto& b = ctx.build;
  const int64_t groups = in.shared ? 1 : in.classes;
  Value* loc = b.reshape(ctx.bottoms[0], Dims{in.images, in.priors, groups, 4});
  loc = groups == 1 ? b.reshape(loc, Dims{in.images, 1, in.priors, 4})
                    : b.transpose(loc, {0, 2, 1, 3});
  const auto halves = b.split(b.reshape(ctx.bottoms[2], Dims{2, in.priors, 4}), 0, {1, 1});
  const Corners prior = corners_of(ctx, halves[0], 2);
  if (!in.in_target) loc = in.code == "CENTER_SIZE" ? loc : b.mul(loc, halves[1]);
  Corners offsets = corners_of(ctx, loc, 3);
  if (in.code == "CORNER") {
    return b.add(loc, halves[0]);
  }
  Value* width = b.sub(prior[2], prior[0]);
  Value* height = b.sub(prior[3], prior[1]);
  Corners size{width, height, width, height};
  if (in.code == "CORNER_SIZE") {
    std::vector<Value*> out;
    for (size_t i = 0; i < 4; ++i) out.push_back(b.add(b.mul(offsets[i], size[i]), prior[i]));
    return b.concat(out, 3);
  }
  if (!in.in_target) {
    const Corners variance = corners_of(ctx, halves[1], 2);
    size[0] = b.mul(variance[0], size[0]);
    size[1] = b.mul(variance[1], size[1]);
    offsets[2] = b.mul(variance[2], offsets[2]);
    offsets[3] = b.mul(variance[3], offsets[3]);
  }
  const Corners out = decode_center_size(ctx, offsets, prior, size);
  return b.concat({out[0], out[1], out[2], out[3]}, 3);
}

// One image's candidates: boxes [sets, n, 4] and scores [sets, classes of a set, n], in ONNX's
// form.
struct Candidates {
  Value* boxes = nullptr;
  Value* scores = nullptr;
  int64_t sets = 1;  // 1: boxes are shared by all classes; else one set for each class
  int64_t count = 0;
};

// `boxes` [groups, priors, 4], `scores` [labels, priors].
Candidates candidates_of(LayerContext& ctx, const Detection& in, Value* boxes, Value* scores) {
  auto& b = ctx.build;
  const auto labels = static_cast<int64_t>(in.labels.size());
  Candidates out{boxes, nullptr, in.shared ? 1 : labels, in.priors};
  if (in.top_k < 0 || in.top_k >= in.priors) {
    out.scores =
        b.reshape(scores, in.shared ? Dims{1, labels, in.priors} : Dims{labels, 1, in.priors});
    return out;
  }
  // The best top_k of each class, each class with its boxes from here on.
  out.count = std::max<int64_t>(in.top_k, 1);
  out.sets = labels;
  const auto best =
      b.op_outputs("TopK", {scores, b.ints({out.count})},
                   {{"axis", int64_t{1}}, {"largest", int64_t{1}}, {"sorted", int64_t{1}}}, 2);
  Value* index = best[1];
  if (!in.shared) {
    std::vector<int64_t> starts;
    for (int64_t i = 0; i < labels; ++i) starts.push_back(i * in.priors);
    index = b.add(index, b.constant(Constant::int64s(starts).reshaped({labels, 1})));
  }
  out.boxes = b.gather(b.reshape(boxes, Dims{(in.shared ? 1 : labels) * in.priors, 4}), index, 0);
  out.scores = b.reshape(best[0], Dims{labels, 1, out.count});
  return out;
}

// ONNX turns a box of negative extent around; Caffe lets it overlap with nothing, as one of no
// extent does.
Value* without_negative_extent(LayerContext& ctx, const Detection& in, Value* boxes) {
  if (in.code == "CENTER_SIZE") return boxes;
  auto& b = ctx.build;
  const auto halves = b.split(boxes, 2, {2, 2});
  return b.concat({halves[0], b.op("Max", {halves[0], halves[1]})}, 2);
}

Value* column(LayerContext& ctx, Value* selected, int64_t which) {
  return ctx.build.gather(selected, ctx.build.scalar(which), 1);
}

// The best `keep` of rows: the best one first, or in the order they have.
Value* best_rows(LayerContext& ctx, Value* rows, Value* scores, int64_t keep, bool by_score) {
  auto& b = ctx.build;
  Value* count = b.op("Min", {b.op("Shape", {scores}), b.ints({keep})});
  const auto top = [&](Value* of, int64_t largest) {
    return b.op_outputs("TopK", {of, count},
                        {{"axis", int64_t{0}}, {"largest", largest}, {"sorted", int64_t{1}}}, 2);
  };
  Value* index = top(scores, 1)[1];
  if (!by_score) index = top(index, 0)[0];
  return b.gather(rows, index, 0);
}

// [detections, 7] of one image: image, label, score and corners.
Value* image_rows(LayerContext& ctx, const Detection& in, int64_t image, Value* boxes,
                  Value* scores) {
  auto& b = ctx.build;
  const Candidates from = candidates_of(ctx, in, boxes, scores);
  std::vector<Value*> operands{without_negative_extent(ctx, in, from.boxes), from.scores,
                               b.scalar(from.count),
                               b.scalar(static_cast<float>(std::min(in.nms_threshold, 1.0)))};
  if (in.confidence) operands.push_back(b.scalar(static_cast<float>(*in.confidence)));
  Value* selected = b.op("NonMaxSuppression", operands, {{"center_point_box", int64_t{0}}});
  if (ctx.failed()) return selected;
  const auto labels = static_cast<int64_t>(in.labels.size());
  Value* label = column(ctx, selected, from.sets == 1 && labels > 1 ? 1 : 0);
  Value* box = column(ctx, selected, 2);
  Value* flat = b.add(b.mul(label, b.scalar(from.count)), box);
  Value* score = b.gather(b.reshape(from.scores, Dims{labels * from.count}), flat, 0);
  Value* corners = b.gather(b.reshape(from.boxes, Dims{from.sets * from.count, 4}),
                            from.sets == 1 ? box : flat, 0);
  std::vector<float> names(in.labels.begin(), in.labels.end());
  Value* name = b.gather(b.constant(Constant::floats({labels}, names)), label, 0);
  Value* number = b.mul(name, b.scalar(0.0F));
  if (image != 0) number = b.add(number, b.scalar(static_cast<float>(image)));
  Value* rows = b.concat(
      {b.unsqueeze(number, {1}), b.unsqueeze(name, {1}), b.unsqueeze(score, {1}), corners}, 1);
  return in.keep > 0 ? best_rows(ctx, rows, score, in.keep, in.padded) : rows;
}

// Rows of zero up to a number that is always the same.
Value* padded_rows(LayerContext& ctx, Value* rows, int64_t total) {
  auto& b = ctx.build;
  const auto shape = b.op("Shape", {rows});
  Value* missing = b.sub(b.ints({total, 7}), shape);
  Value* pads = b.concat({b.ints({0, 0}), missing}, 0);
  Value* out = b.op("Pad", {rows, pads, b.scalar(0.0F)});
  b.state_shape(out, Dims{total, 7});
  return out;
}

// Caffe's answer when nothing was found: for each image a row of -1.
Value* with_empty_answer(LayerContext& ctx, Value* rows, int64_t images) {
  auto& b = ctx.build;
  std::vector<float> nothing;
  for (int64_t i = 0; i < images; ++i) {
    nothing.push_back(static_cast<float>(i));
    nothing.insert(nothing.end(), 6, -1.0F);
  }
  Value* count = b.gather(b.op("Shape", {rows}), b.ints({0}), 0);
  Value* empty = b.cast(b.op("Equal", {count, b.ints({0})}), tensor::DataType::kInt64);
  Value* answer = b.op("Slice", {b.constant(Constant::floats({images, 7}, nothing)), b.ints({0}),
                                 b.mul(empty, b.scalar(images)), b.ints({0})});
  return b.concat({rows, answer}, 0);
}

void detection_output(LayerContext& ctx) {
  Detection in;
  if (!ctx.need_bottoms(3, 3) || !read_detection(ctx, in) || !check_bottoms(ctx, in)) return;
  auto& b = ctx.build;
  const std::string form = ctx.option("detections", "padded");
  if (ctx.refuse_if(form != "padded" && form != "exact",
                    "option detections is 'padded' or 'exact'")) {
    return;
  }
  in.padded = in.keep > 0 && form == "padded";
  const auto labels = static_cast<int64_t>(in.labels.size());
  Value* boxes = decoded(ctx, in);
  Value* scores =
      b.transpose(b.reshape(ctx.bottoms[1], Dims{in.images, in.priors, in.classes}), {0, 2, 1});
  if (labels != in.classes) {
    scores = b.gather(scores, b.ints(in.labels), 1);
    if (!in.shared) boxes = b.gather(boxes, b.ints(in.labels), 1);
  }
  std::vector<Value*> rows;
  for (int64_t i = 0; i < in.images && !ctx.failed(); ++i) {
    const auto of_image = [&](Value* all) { return b.slice(all, {i}, {i + 1}, {0}); };
    Value* own_boxes = b.reshape(of_image(boxes), Dims{in.shared ? 1 : labels, in.priors, 4});
    Value* own_scores = b.reshape(of_image(scores), Dims{labels, in.priors});
    rows.push_back(image_rows(ctx, in, i, own_boxes, own_scores));
  }
  if (ctx.failed()) return;
  Value* all = rows.size() == 1 ? rows[0] : b.concat(rows, 0);
  all = in.padded ? padded_rows(ctx, all, in.keep * in.images)
                  : with_empty_answer(ctx, all, in.images);
  ctx.give(b.unsqueeze(all, {0, 1}));
}

}  // namespace

void register_detection(OpTable& table) {
  table.add("PriorBox", prior_box, "fixed_size and density of other forks are refused");
  table.add("PriorBoxClustered", prior_box);
  table.add(
      "DetectionOutput", detection_output,
      "eta other than 1 and boxes in pixels are refused; with keep_top_k the result has that "
      "many rows, those without a detection all zero (option detections=exact: no such rows)");
}

}  // namespace supernova::import::caffe
