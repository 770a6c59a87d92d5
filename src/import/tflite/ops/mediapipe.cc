// Custom operators of MediaPipe's models. Their options are plain structs of 32-bit numbers:
// padding (1 = same, 2 = valid), stride and window, width before height.
#include <algorithm>
#include <array>
#include <cstring>

#include "import/tflite/ops.h"
#include "import/tflite/window.h"

namespace supernova::import::tflite {
namespace {

constexpr int32_t kSame = 1;
constexpr int32_t kMaxSize = 1 << 12;

struct Options {
  bool same = false;
  int64_t stride_w = 0, stride_h = 0, width = 0, height = 0;
  Activation activation = Activation::kNone;
};

std::optional<Options> read_options(Context& c, size_t numbers) {
  std::vector<int32_t> fields(numbers);
  const std::string_view bytes = c.op().custom_options;
  if (!c.require(bytes.size() >= numbers * sizeof(int32_t), "its options are too short")) {
    return std::nullopt;
  }
  std::memcpy(fields.data(), bytes.data(), numbers * sizeof(int32_t));
  for (size_t i = 1; i < std::min<size_t>(numbers, 5); ++i) {
    if (!c.require(fields[i] > 0 && fields[i] <= kMaxSize, "its options are not valid")) {
      return std::nullopt;
    }
  }
  Options out{fields[0] == kSame, fields[1], fields[2]};
  if (numbers >= 5) {
    out.width = fields[3];
    out.height = fields[4];
  }
  if (numbers >= 6) out.activation = static_cast<Activation>(fields[5]);
  return out;
}

std::optional<std::vector<int64_t>> fixed_picture(Context& c, size_t i) {
  const Dims spatial = spatial_dims(c, i, 2);
  auto sizes = graph::constant_dims(spatial);
  if (spatial.empty() || !c.require(sizes.has_value(), "the picture's size must be fixed")) {
    return std::nullopt;
  }
  return sizes;
}

void transposed_convolution(Context& c) {
  const auto options = read_options(c, 3);
  const auto from = fixed_picture(c, 0);
  const auto rank = c.rank(1);
  if (!options || !from || !rank) return;
  const auto w = graph::constant_dims(c.stored(1)->dims());
  if (!c.require(w && w->size() == 4, "the weights must have four axes of fixed size")) return;
  const std::vector<int64_t> kernel{(*w)[1], (*w)[2]};
  const std::vector<int64_t> strides{options->stride_h, options->stride_w};
  std::vector<int64_t> pads(4, 0);
  for (size_t i = 0; i < 2 && options->same; ++i) {
    const int64_t total = std::max<int64_t>(0, kernel[i] - ((*from)[i] - 1) % strides[i] - 1);
    pads[i] = total / 2;
    pads[2 + i] = total - total / 2;
  }
  Value* y = c.b.op("ConvTranspose", {c.in_nchw(0), c.weights(1, {3, 0, 1, 2}, 0), c.bias(2, 0, 1)},
                    {{"kernel_shape", kernel}, {"strides", strides}, {"pads", pads}});
  c.out_nchw(0, y);
}

// Where each result's window begins, as [count] along one axis of four.
Value* origins(Context& c, int64_t count, int64_t stride, int64_t before, size_t axis) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(i * stride - before);
  std::vector<int64_t> shape(4, 1);
  shape[axis] = count;
  return c.b.constant(Constant::of<int64_t>(DataType::kInt64, shape, values));
}

// The second result is the place inside the window, row by row, plus a tenth.
void max_pool_with_argmax(Context& c) {
  const auto options = read_options(c, 6);
  const auto from = fixed_picture(c, 0);
  if (!options || !from) return;
  const Window window{{options->height, options->width},
                      {options->stride_h, options->stride_w},
                      {1, 1},
                      options->same ? Padding::kSame : Padding::kValid};
  const Attributes attributes =
      pooling_attributes(c, window, graph::to_dims({(*from)[0], (*from)[1]}));
  const auto results = c.b.op_outputs("MaxPool", {c.in_nchw(0)}, attributes, 2);
  if (c.b.failed() || results[1]->rank() != 4) return;
  c.out_nchw(0, results[0], options->activation);
  std::array<int64_t, 2> before{};
  std::array<int64_t, 2> count{};
  for (size_t i = 0; i < 2; ++i) {
    count[i] = results[0]->dims()[2 + i].constant().value_or(0);
    if (options->same) {
      before[i] = same_padding((*from)[i], window.kernel[i], window.strides[i], 1).first;
    }
  }
  Value* width = c.b.scalar((*from)[1]);
  Value* flat = c.b.op("Mod", {results[1], c.b.scalar((*from)[0] * (*from)[1])});
  Value* row = c.b.sub(c.b.div(flat, width), origins(c, count[0], options->stride_h, before[0], 2));
  Value* column =
      c.b.sub(c.b.op("Mod", {flat, width}), origins(c, count[1], options->stride_w, before[1], 3));
  Value* place = c.b.add(c.b.mul(row, c.b.scalar(options->width)), column);
  c.out_nchw(1, c.b.add(c.b.cast(place, DataType::kFp32), c.b.scalar(0.1F)));
}

// Each number goes to its place in a window of zeros.
void max_unpooling(Context& c) {
  const auto options = read_options(c, 5);
  const auto rank = c.rank(0);
  if (!options || !rank || !c.require(*rank == 4, "the tensor must have four axes") ||
      !c.require(options->stride_h == options->height && options->stride_w == options->width,
                 "windows that overlap or leave gaps are not supported")) {
    return;
  }
  const Dims d = c.stored(0)->dims();
  std::vector<int64_t> places(options->height * options->width);
  for (size_t i = 0; i < places.size(); ++i) places[i] = static_cast<int64_t>(i);
  Value* wanted = c.b.unsqueeze(c.b.cast(c.in(1), DataType::kInt64), {4});
  Value* hit = c.b.op("Equal", {wanted, c.b.ints(places)});
  Value* x = c.b.op("Where", {hit, c.b.unsqueeze(c.in(0), {4}), c.b.scalar(0.0F)});
  const Dim h(options->height);
  const Dim w(options->width);
  x = c.b.reshape(x, Dims{d[0], d[1], d[2], d[3], h, w});
  x = c.b.transpose(x, {0, 1, 4, 2, 5, 3});
  c.out(0, c.b.reshape(x, Dims{d[0], d[1] * h, d[2] * w, d[3]}));
}

void edge_tpu(Context& c) {
  c.b.fail(
      "the file is compiled for the Edge TPU and runs on that device only: serve it with the "
      "engine "
      "tflite on the device edgetpu, or use the .tflite file it was compiled from");
}

}  // namespace

void register_mediapipe(OpTable& table) {
  table.add("CUSTOM:Convolution2DTransposeBias", transposed_convolution,
            "sizes that are not fixed");
  table.add("CUSTOM:MaxPoolingWithArgmax2D", max_pool_with_argmax, "sizes that are not fixed");
  table.add("CUSTOM:MaxUnpooling2D", max_unpooling, "windows that overlap or leave gaps");
  table.add("CUSTOM:edgetpu-custom-op", edge_tpu, "always: it needs the Edge TPU");
}

}  // namespace supernova::import::tflite
