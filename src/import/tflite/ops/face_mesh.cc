// Custom operators of MediaPipe's face mesh with attention: landmarks -> the place of a part of the
// face (a matrix) -> that part of a picture -> landmarks back. Second versions only; the options
// are FlexBuffers maps.
#include <cmath>

#include "import/tflite/flex.h"
#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

constexpr int32_t kVersion = 2;
constexpr double kMaxSize = 4096;

std::optional<FlexMap> read_options(Context& c) {
  if (!c.require(c.op().version == kVersion, "only the second version is supported")) {
    return std::nullopt;
  }
  auto map = read_flex_map(c.op().custom_options);
  if (!map.ok()) {
    c.b.fail(base::message(map.status()));
    return std::nullopt;
  }
  return *std::move(map);
}

// A number within (low, high], or a failure.
std::optional<double> option(Context& c, const FlexMap& map, const std::string& name, double low,
                             double high) {
  const auto at = map.find(name);
  if (c.require(at != map.end() && at->second[0] > low && at->second[0] <= high,
                base::str_cat("its option ", name, " is missing or not valid"))) {
    return at->second[0];
  }
  return std::nullopt;
}

// Column i of [n, k] as [n].
Value* column(Context& c, Value* x, int64_t i) { return c.b.gather(x, c.b.scalar(i), 1); }

struct Rotation {
  Value* cos;
  Value* sin;
};

// By what the line between two landmarks has to be turned to have the angle `target`.
Rotation rotation(Context& c, Value* points, int64_t left, int64_t right, double target) {
  Value* line =
      c.b.sub(c.b.gather(points, c.b.scalar(right), 0), c.b.gather(points, c.b.scalar(left), 0));
  Value* x = c.b.gather(line, c.b.scalar(int64_t{0}), 0);
  Value* y = c.b.gather(line, c.b.scalar(int64_t{1}), 0);
  Value* length = c.b.op("Sqrt", {c.b.add(c.b.mul(x, x), c.b.mul(y, y))});
  length = c.b.op("Max", {length, c.b.scalar(1e-20F)});
  x = c.b.div(x, length);
  y = c.b.div(y, length);
  Value* cos_target = c.b.scalar(static_cast<float>(std::cos(target)));
  Value* sin_target = c.b.scalar(static_cast<float>(std::sin(target)));
  return {c.b.add(c.b.mul(cos_target, x), c.b.mul(sin_target, y)),
          c.b.sub(c.b.mul(sin_target, x), c.b.mul(cos_target, y))};
}

// Rows of scalars as [1, rows, columns].
Value* matrix(Context& c, const std::vector<std::vector<Value*>>& rows) {
  std::vector<Value*> all;
  for (const auto& row : rows) {
    for (Value* value : row) all.push_back(c.b.reshape(value, Dims{Dim(1)}));
  }
  return c.b.reshape(c.b.concat(all, 0), Dims{Dim(1), Dim(static_cast<int64_t>(rows.size())),
                                              Dim(static_cast<int64_t>(rows[0].size()))});
}

void landmarks_to_matrix(Context& c) {
  const auto map = read_options(c);
  const auto rank = c.rank(0);
  if (!map || !rank) return;
  const Dims d = c.stored(0)->dims();
  const auto count = *rank == 3 ? d[1].constant() : std::nullopt;
  if (!c.require(count && *count > 0 && d[0] == Dim(1), "landmarks must be [1, n, k]")) return;
  const double last = static_cast<double>(*count) - 1;
  const auto left = option(c, *map, "left_rotation_idx", -1, last);
  const auto right = option(c, *map, "right_rotation_idx", -1, last);
  const auto width = option(c, *map, "output_width", 0, kMaxSize);
  const auto height = option(c, *map, "output_height", 0, kMaxSize);
  const auto scale_x = option(c, *map, "scale_x", 0, kMaxSize);
  const auto scale_y = option(c, *map, "scale_y", 0, kMaxSize);
  const auto subset = map->find("subset_idxs");
  if (c.b.failed() || !c.require(subset != map->end(), "its option subset_idxs is missing")) return;
  std::vector<int64_t> indices;
  for (const double index : subset->second) {
    if (!c.require(index >= 0 && index <= last, "an index of subset_idxs is not valid")) return;
    indices.push_back(static_cast<int64_t>(index));
  }
  const auto angle = map->find("target_rotation_radians");
  Value* points = c.in_reshaped(0, {d[1], d[2]});
  const Rotation r = rotation(c, points, static_cast<int64_t>(*left), static_cast<int64_t>(*right),
                              angle != map->end() ? angle->second[0] : 0);
  Value* chosen = c.b.gather(points, c.b.ints(indices), 0);
  Value* x = column(c, chosen, 0);
  Value* y = column(c, chosen, 1);
  const auto ends = [&](Value* values) {
    return std::pair(c.b.reduce("ReduceMin", values, {0}, false),
                     c.b.reduce("ReduceMax", values, {0}, false));
  };
  const auto [left_x, right_x] = ends(c.b.sub(c.b.mul(x, r.cos), c.b.mul(y, r.sin)));
  const auto [top, bottom] = ends(c.b.add(c.b.mul(x, r.sin), c.b.mul(y, r.cos)));
  Value* half = c.b.scalar(0.5F);
  Value* middle_x = c.b.mul(c.b.add(left_x, right_x), half);
  Value* middle_y = c.b.mul(c.b.add(top, bottom), half);
  const auto number = [&](double value) { return c.b.scalar(static_cast<float>(value)); };
  Value* step_x = c.b.mul(c.b.sub(right_x, left_x), number(*scale_x / *width));
  Value* step_y = c.b.mul(c.b.sub(bottom, top), number(*scale_y / *height));
  Value* a = c.b.mul(r.cos, step_x);
  Value* b = c.b.mul(r.sin, step_y);
  Value* e = c.b.op("Neg", {c.b.mul(r.sin, step_x)});
  Value* f = c.b.mul(r.cos, step_y);
  const auto shift = [&](Value* to, Value* along_x, Value* along_y) {
    return c.b.sub(
        to, c.b.add(c.b.mul(along_x, number(*width / 2)), c.b.mul(along_y, number(*height / 2))));
  };
  Value* at_x = c.b.add(c.b.mul(middle_x, r.cos), c.b.mul(middle_y, r.sin));
  Value* at_y = c.b.sub(c.b.mul(middle_y, r.cos), c.b.mul(middle_x, r.sin));
  Value* zero = number(0);
  Value* one = number(1);
  c.out(0, matrix(c, {{a, b, zero, shift(at_x, a, b)},
                      {e, f, zero, shift(at_y, e, f)},
                      {zero, zero, one, zero},
                      {zero, zero, zero, one}}));
}

// Elements (row, column) of the matrix at input 1, as a scalar.
Value* element(Context& c, int64_t row, int64_t at) {
  Value* flat = c.b.reshape(c.in(1), c.b.ints({-1}));
  return c.b.gather(flat, c.b.scalar(4 * row + at), 0);
}

// The part of a picture that the matrix says, between its elements; zero beyond its edges.
void transform_tensor(Context& c) {
  const auto map = read_options(c);
  const auto rank = c.rank(0);
  if (!map || !rank) return;
  const auto width = option(c, *map, "output_width", 0, kMaxSize);
  const auto height = option(c, *map, "output_height", 0, kMaxSize);
  const Dims d = c.stored(0)->dims();
  const auto h = *rank == 4 ? d[1].constant() : std::nullopt;
  const auto w = *rank == 4 ? d[2].constant() : std::nullopt;
  if (c.b.failed() || !c.require(h && w && *h > 1 && *w > 1 && d[0] == Dim(1),
                                 "the picture must be [1, h, w, c] of fixed size")) {
    return;
  }
  const auto rows = static_cast<int64_t>(*height);
  const auto columns = static_cast<int64_t>(*width);
  std::vector<float> along_x;
  std::vector<float> along_y;
  for (int64_t i = 0; i < columns; ++i) along_x.push_back(static_cast<float>(i) + 0.5F);
  for (int64_t i = 0; i < rows; ++i) along_y.push_back(static_cast<float>(i) + 0.5F);
  Value* x = c.b.constant(Constant::floats({1, columns}, along_x));
  Value* y = c.b.constant(Constant::floats({rows, 1}, along_y));
  Value* half = c.b.scalar(0.5F);
  Value* inside = nullptr;
  std::vector<Value*> grid;
  for (int64_t axis = 0; axis < 2; ++axis) {
    Value* at = c.b.add(c.b.mul(x, element(c, axis, 0)), c.b.mul(y, element(c, axis, 1)));
    at = c.b.add(at, c.b.sub(element(c, axis, 3), half));
    Value* last = c.b.scalar(static_cast<float>((axis == 0 ? *w : *h) - 1));
    Value* in = c.b.op(
        "And", {c.b.op("LessOrEqual", {c.b.scalar(0.0F), at}), c.b.op("LessOrEqual", {at, last})});
    inside = inside != nullptr ? c.b.op("And", {inside, in}) : in;
    Value* relative = c.b.sub(c.b.mul(c.b.div(at, last), c.b.scalar(2.0F)), c.b.scalar(1.0F));
    grid.push_back(c.b.reshape(relative, Dims{Dim(1), Dim(rows), Dim(columns), Dim(1)}));
  }
  Value* sampled = c.b.op("GridSample", {c.in_nchw(0), c.b.concat(grid, 3)},
                          {{"align_corners", int64_t{1}}, {"mode", std::string("bilinear")}});
  c.out_nchw(0, c.b.op("Where", {inside, sampled, c.b.scalar(0.0F)}));
}

// x and y through the matrix, z as it is.
void transform_landmarks(Context& c) {
  const auto rank = c.rank(0);
  if (!rank || !c.require(c.op().version == kVersion, "only the second version is supported"))
    return;
  const auto size = *rank == 3 ? c.stored(0)->dims()[2].constant() : std::nullopt;
  if (!c.require(size == 2 || size == 3, "landmarks must be [1, n, 2] or [1, n, 3]")) return;
  Value* points = c.in(0);
  const auto part = [&](int64_t i) { return c.b.slice(points, {i}, {i + 1}, {2}); };
  std::vector<Value*> parts;
  for (int64_t axis = 0; axis < 2; ++axis) {
    Value* at =
        c.b.add(c.b.mul(part(0), element(c, axis, 0)), c.b.mul(part(1), element(c, axis, 1)));
    parts.push_back(c.b.add(at, element(c, axis, 3)));
  }
  if (*size == 3) parts.push_back(part(2));
  c.out(0, c.b.concat(parts, 2));
}

}  // namespace

void register_face_mesh(OpTable& table) {
  constexpr std::string_view kNotes = "the first version";
  table.add("CUSTOM:Landmarks2TransformMatrix", landmarks_to_matrix, kNotes);
  table.add("CUSTOM:TransformTensorBilinear", transform_tensor, kNotes);
  table.add("CUSTOM:TransformLandmarks", transform_landmarks, kNotes);
}

}  // namespace supernova::import::tflite
