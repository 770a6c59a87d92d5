// Choosing among overlapping boxes.
#include <cmath>
#include <limits>

#include "import/tflite/flex.h"
#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

constexpr int64_t kMaxBoxes = 1 << 20;

// Rows 0.. of `x`, `count` of them, zeros where it has fewer.
Value* exactly(Context& c, Value* x, int64_t count, const Dims& row) {
  Dims dims{Dim(count)};
  dims.insert(dims.end(), row.begin(), row.end());
  const auto sizes = graph::constant_dims(dims);
  Value* zeros = c.b.op("Expand", {c.scalar_like(x, 0), c.b.ints(*sizes)});
  Value* y = c.b.slice(c.b.concat({x, zeros}, 0), {0}, {count}, {0});
  c.b.state_shape(y, dims);
  return y;
}

// How many rows `x` has, as FP32 or INT64 [1].
Value* row_count(Context& c, Value* x) { return c.b.slice(c.b.op("Shape", {x}), {0}, {1}, {0}); }

struct Suppression {
  Value* most = nullptr;  // INT64 [] boxes for each class
  Value* overlap = nullptr;
  Value* score = nullptr;
};

// Rows (0, class, box), classes one after the other, each by falling score. `scores`: [class, box].
Value* suppress(Context& c, Value* boxes, Value* scores, const Suppression& limits) {
  const auto one = [&](Value* x) { return c.b.reshape(x, c.b.ints({1})); };
  return c.b.op("NonMaxSuppression", {c.b.unsqueeze(boxes, {0}), c.b.unsqueeze(scores, {0}),
                                      one(limits.most), one(limits.overlap), one(limits.score)});
}

Value* column(Context& c, Value* rows, int64_t i) { return c.b.gather(rows, c.b.scalar(i), 1); }

// The fourth version, and the fifth with scores.
void non_max_suppression(Context& c, bool fifth) {
  const auto most = c.need_ints(2, "number of boxes");
  if (!most || !c.require(most->size() == 1 && most->front() >= 0 && most->front() <= kMaxBoxes,
                          "the number of boxes is not valid")) {
    return;
  }
  if (fifth && c.has(5)) {
    const Value* sigma = c.stored(5);
    if (!c.require(sigma->constant && sigma->constant->numbers() == std::vector<double>{0},
                   "soft suppression (a sigma other than 0) is not supported")) {
      return;
    }
  }
  Value* scores = c.in(1);
  Value* rows = suppress(c, c.in(0), c.b.unsqueeze(scores, {0}), {c.int64s(2), c.in(3), c.in(4)});
  Value* chosen = column(c, rows, 2);
  c.out_stored(0, exactly(c, chosen, most->front(), {}));
  if (fifth) c.out(1, exactly(c, c.b.gather(scores, chosen, 0), most->front(), {}));
  c.out_stored(fifth ? 2 : 1, c.b.reshape(row_count(c, chosen), c.b.ints({})));
}

// ---- TFLite_Detection_PostProcess: decodes boxes against anchors and chooses among them.
struct PostProcess {
  int64_t detections = 0;
  int64_t classes = 0;
  int64_t classes_of_one = 1;  // that one box may be given
  int64_t of_class = 100;      // boxes for each class
  bool regular = false;        // each class on its own
  float score = 0;
  float overlap = 0;
  float y = 1, x = 1, h = 1, w = 1;
  Suppression limits(Context& c, int64_t most) const {
    // Scores equal to the limit stay, which the operator would drop.
    const float below = std::nextafter(score, -std::numeric_limits<float>::infinity());
    return {c.b.scalar(most), c.b.scalar(overlap), c.b.scalar(below)};
  }
};

std::optional<PostProcess> read_options(Context& c) {
  const auto map = read_flex_map(c.op().custom_options);
  if (!map.ok()) {
    c.b.fail(base::message(map.status()));
    return std::nullopt;
  }
  const auto number = [&](const char* name, double otherwise) {
    const auto at = map->find(name);
    return at != map->end() && std::isfinite(at->second[0]) ? at->second[0] : otherwise;
  };
  const auto count = [&](const char* name, double otherwise) {
    const double value = number(name, otherwise);
    return value >= 0 && value <= static_cast<double>(kMaxBoxes) ? static_cast<int64_t>(value) : -1;
  };
  const auto real = [&](const char* name) { return static_cast<float>(number(name, 1)); };
  PostProcess out;
  out.detections = count("max_detections", 0);
  out.classes = count("num_classes", 0);
  out.classes_of_one = count("max_classes_per_detection", 1);
  out.of_class = count("detections_per_class", 100);
  out.regular = number("use_regular_nms", 0) != 0;
  out.score = static_cast<float>(number("nms_score_threshold", 0));
  out.overlap = static_cast<float>(number("nms_iou_threshold", 0.6));
  out.y = real("y_scale");
  out.x = real("x_scale");
  out.h = real("h_scale");
  out.w = real("w_scale");
  const bool sane = out.detections > 0 && out.classes > 0 && out.classes_of_one > 0 &&
                    out.of_class > 0 && out.y != 0 && out.x != 0 && out.h != 0 && out.w != 0;
  if (!c.require(sane, "its options are not valid")) return std::nullopt;
  return out;
}

// Boxes as corners (y1, x1, y2, x2) [n, 4] from centres and sizes relative to anchors.
Value* decode(Context& c, const PostProcess& o) {
  const Dims d = c.stored(0)->dims();
  Value* codes = c.in_reshaped(0, {d[1], d[2]});
  Value* anchors = c.in(2);
  const auto pair = [&](Value* x, int64_t from) { return c.b.slice(x, {from}, {from + 2}, {1}); };
  const auto two = [&](float a, float b) { return c.b.constant(Constant::floats({2}, {a, b})); };
  Value* centre =
      c.b.add(c.b.mul(c.b.div(pair(codes, 0), two(o.y, o.x)), pair(anchors, 2)), pair(anchors, 0));
  Value* size = c.b.mul(c.b.op("Exp", {c.b.div(pair(codes, 2), two(o.h, o.w))}), pair(anchors, 2));
  Value* half = c.b.mul(size, c.b.scalar(0.5F));
  return c.b.concat({c.b.sub(centre, half), c.b.add(centre, half)}, 1);
}

// `found`: what is counted as the number of detections.
void give(Context& c, Value* boxes, Value* classes, Value* scores, Value* found, int64_t count) {
  c.out(3, c.b.cast(row_count(c, found), DataType::kFp32));
  const auto batch = [&](Value* x) { return c.b.unsqueeze(x, {0}); };
  c.out(0, batch(exactly(c, boxes, count, {Dim(4)})));
  c.out(1, batch(exactly(c, c.b.cast(classes, DataType::kFp32), count, {})));
  c.out(2, batch(exactly(c, scores, count, {})));
}

// Boxes compete by their best class; each may be given several.
void fast(Context& c, const PostProcess& o, Value* boxes, Value* scores) {
  const int64_t several = std::min(o.classes_of_one, o.classes);
  const auto best =
      c.b.op_outputs("TopK", {scores, c.b.ints({several})}, {{"axis", int64_t{1}}}, 2);
  Value* top = c.b.transpose(c.b.slice(best[0], {0}, {1}, {1}), {1, 0});
  Value* chosen = column(c, suppress(c, boxes, top, o.limits(c, o.detections)), 2);
  Value* flat = c.b.ints({-1});
  Value* of_each =
      c.b.reshape(c.b.op("Expand", {c.b.unsqueeze(chosen, {1}), c.b.ints({1, several})}), flat);
  give(c, c.b.gather(boxes, of_each, 0), c.b.reshape(c.b.gather(best[1], chosen, 0), flat),
       c.b.reshape(c.b.gather(best[0], chosen, 0), flat), chosen, o.detections * o.classes_of_one);
}

// Boxes compete within each class; the best of all classes are given.
void regular(Context& c, const PostProcess& o, Value* boxes, Value* scores) {
  Value* rows = suppress(c, boxes, c.b.transpose(scores, {1, 0}), o.limits(c, o.of_class));
  Value* pairs = c.b.concat({c.b.slice(rows, {2}, {3}, {1}), c.b.slice(rows, {1}, {2}, {1})}, 1);
  Value* values = c.b.op("GatherND", {scores, pairs});
  Value* most = c.b.op("Min", {row_count(c, values), c.b.ints({o.detections})});
  const auto best = c.b.op_outputs("TopK", {values, most}, {{"axis", int64_t{0}}}, 2);
  Value* chosen = c.b.gather(pairs, best[1], 0);
  give(c, c.b.gather(boxes, column(c, chosen, 0), 0), column(c, chosen, 1), best[0], best[0],
       o.detections * o.classes_of_one);
}

void post_process(Context& c) {
  const auto options = read_options(c);
  const auto rank = c.rank(0);
  const auto score_rank = c.rank(1);
  if (!options || !rank || !score_rank) return;
  const Dims d = c.stored(0)->dims();
  const Dims s = c.stored(1)->dims();
  const auto columns = s.empty() ? std::nullopt : s.back().constant();
  if (!c.require(*rank == 3 && *score_rank == 3 && d[0] == Dim(1) && d[2].constant() >= 4 &&
                     columns && *columns >= options->classes,
                 "boxes must be [1, n, 4] and scores [1, n, classes]")) {
    return;
  }
  Value* boxes = decode(c, *options);
  Value* scores = c.in_reshaped(1, {s[1], s[2]});
  // A class for the background comes first.
  const int64_t offset = *columns - options->classes;
  if (offset > 0) scores = c.b.slice(scores, {offset}, {*columns}, {1});
  if (options->regular) {
    regular(c, *options, boxes, scores);
  } else {
    fast(c, *options, boxes, scores);
  }
}

}  // namespace

void register_detection(OpTable& table) {
  table.add(
      "NON_MAX_SUPPRESSION_V4", [](Context& c) { non_max_suppression(c, false); },
      "a number of boxes that is not constant");
  table.add(
      "NON_MAX_SUPPRESSION_V5", [](Context& c) { non_max_suppression(c, true); },
      "a number of boxes that is not constant; soft suppression");
  table.add("CUSTOM:TFLite_Detection_PostProcess", post_process, "batches other than 1");
}

}  // namespace supernova::import::tflite
