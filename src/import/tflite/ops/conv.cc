// Convolutions. Weights: [out, h, w, in], depthwise [1, h, w, out], 3-D [d, h, w, in, out].
#include <algorithm>

#include "import/tflite/hybrid.h"
#include "import/tflite/ops.h"
#include "import/tflite/window.h"

namespace supernova::import::tflite {
namespace {

namespace conv_slot {
enum Conv { kPadding, kStrideW, kStrideH, kActivation, kDilationW, kDilationH };
enum Depthwise {
  kDwPadding,
  kDwStrideW,
  kDwStrideH,
  kMultiplier,
  kDwActivation,
  kDwDilationW,
  kDwDilationH
};
enum Transposed { kTPadding, kTStrideW, kTStrideH, kTActivation };
enum Volume {
  kVPadding,
  kVStrideD,
  kVStrideW,
  kVStrideH,
  kVActivation,
  kVDilationD,
  kVDilationW,
  kVDilationH
};
}  // namespace conv_slot
namespace s = conv_slot;

Padding padding(Context& c, int slot) { return static_cast<Padding>(c.options().byte(slot)); }

// The constant sizes of weights; empty after a failure.
std::vector<int64_t> weight_sizes(Context& c, size_t i, size_t axes) {
  const auto rank = c.rank(i);
  if (!rank) return {};
  const auto sizes = graph::constant_dims(c.stored(i)->dims());
  if (*rank != axes || !sizes) {
    c.b.fail(base::str_cat("the weights must have ", axes, " axes of fixed size"));
    return {};
  }
  return *sizes;
}

std::vector<Value*> operands(Value* x, Value* w, Value* bias) {
  std::vector<Value*> out{x, w};
  if (bias != nullptr) out.push_back(bias);
  return out;
}

// Fewer input channels in the weights than in the picture: as many groups.
bool add_groups(Context& c, const Dim& picture, int64_t in, int64_t out, Attributes& attributes) {
  const auto channels = picture.constant();
  if (!channels || *channels == in) return true;
  if (!c.require(in > 0 && *channels > in && *channels % in == 0 && out % (*channels / in) == 0,
                 base::str_cat("weights for ", in, " channels don't fit ", *channels))) {
    return false;
  }
  attributes.emplace_back("group", *channels / in);
  return true;
}

void conv_2d(Context& c) {
  const auto w = weight_sizes(c, 1, 4);
  const Dims spatial = spatial_dims(c, 0, 2);
  if (w.empty() || spatial.empty()) return;
  const Table& o = c.options();
  const Window window{{w[1], w[2]},
                      {o.integer(s::kStrideH), o.integer(s::kStrideW)},
                      {o.integer(s::kDilationH, 1), o.integer(s::kDilationW, 1)},
                      padding(c, s::kPadding)};
  Attributes attributes = window_attributes(c, window, spatial);
  if (!add_groups(c, c.stored(0)->dims()[3], w[3], w[0], attributes)) return;
  Value* x = round_items(c.b, c.in_nchw(0), rounding_of_picture(c, 0, 1, false));
  Value* y =
      c.b.op("Conv", operands(x, c.weights(1, {0, 3, 1, 2}, 0), c.bias(2, 0, 1)), attributes);
  c.out_nchw(0, y, c.activation(s::kActivation));
}

void depthwise_conv_2d(Context& c) {
  const auto w = weight_sizes(c, 1, 4);
  const Dims spatial = spatial_dims(c, 0, 2);
  if (w.empty() || spatial.empty()) return;
  const auto channels = c.stored(0)->dims()[3].constant();
  if (!c.require(channels && *channels > 0 && w[0] == 1 && w[3] % *channels == 0,
                 "the weights don't fit the number of channels")) {
    return;
  }
  const Table& o = c.options();
  const Window window{{w[1], w[2]},
                      {o.integer(s::kDwStrideH), o.integer(s::kDwStrideW)},
                      {o.integer(s::kDwDilationH, 1), o.integer(s::kDwDilationW, 1)},
                      padding(c, s::kDwPadding)};
  Attributes attributes = window_attributes(c, window, spatial);
  attributes.emplace_back("group", *channels);
  Value* x = round_items(c.b, c.in_nchw(0), rounding_of_picture(c, 0, 1, true));
  Value* y =
      c.b.op("Conv", operands(x, c.weights(1, {3, 0, 1, 2}, 3), c.bias(2, 0, 1)), attributes);
  c.out_nchw(0, y, c.activation(s::kDwActivation));
}

// Adds what makes a transposed convolution of `from` give `to` sizes; false where that can't be.
bool fit_transposed(const std::vector<int64_t>& from, const std::vector<int64_t>& to,
                    const Window& window, Attributes& attributes) {
  const size_t count = from.size();
  std::vector<int64_t> pads(2 * count);
  std::vector<int64_t> extra(count);
  for (size_t i = 0; i < count; ++i) {
    const int64_t stride = window.strides[i];
    const int64_t kernel = (window.kernel[i] - 1) * window.dilations[i] + 1;
    if (stride <= 0 || kernel <= 0 || to[i] <= 0) return false;
    const int64_t results = window.padding == Padding::kSame ? (to[i] + stride - 1) / stride
                                                             : (to[i] - kernel + stride) / stride;
    const int64_t before = std::max<int64_t>((results - 1) * stride + kernel - to[i], 0) / 2;
    const int64_t after = (from[i] - 1) * stride + kernel - before - to[i];
    pads[i] = before;
    pads[count + i] = std::max<int64_t>(after, 0);
    extra[i] = std::max<int64_t>(-after, 0);
    if (extra[i] >= std::max(stride, window.dilations[i])) return false;
  }
  attributes = {{"kernel_shape", window.kernel},
                {"strides", window.strides},
                {"dilations", window.dilations},
                {"pads", pads}};
  if (std::any_of(extra.begin(), extra.end(), [](int64_t e) { return e != 0; })) {
    attributes.emplace_back("output_padding", extra);
  }
  return true;
}

// The sizes that an output-shape input asks for, without batch and channels.
std::optional<std::vector<int64_t>> wanted_spatial(Context& c, size_t i, size_t count) {
  const auto sizes = c.sizes(i);
  if (sizes && sizes->size() == count + 2) {
    const auto spatial = graph::constant_dims({sizes->begin() + 1, sizes->end() - 1});
    if (spatial) return spatial;
  }
  c.b.fail("the size of the result must be known");
  return std::nullopt;
}

void transpose_conv(Context& c) {
  const auto w = weight_sizes(c, 1, 4);
  const Dims spatial = spatial_dims(c, 2, 2);
  if (w.empty() || spatial.empty()) return;
  const auto to = wanted_spatial(c, 0, 2);
  const auto from = graph::constant_dims(spatial);
  if (!to || !c.require(from.has_value(), "the picture's size must be fixed")) return;
  const Table& o = c.options();
  const Window window{{w[1], w[2]},
                      {o.integer(s::kTStrideH), o.integer(s::kTStrideW)},
                      {1, 1},
                      padding(c, s::kTPadding)};
  Attributes attributes;
  if (!c.require(fit_transposed(*from, *to, window, attributes),
                 "the size of the result does not fit stride and window")) {
    return;
  }
  Value* y =
      c.b.op("ConvTranspose",
             operands(c.in_nchw(2), c.weights(1, {3, 0, 1, 2}, 0), c.bias(3, 2, 1)), attributes);
  c.out_nchw(0, y, c.activation(s::kTActivation));
}

Window volume_window(Context& c, const std::vector<int64_t>& w) {
  const Table& o = c.options();
  return {
      {w[0], w[1], w[2]},
      {o.integer(s::kVStrideD), o.integer(s::kVStrideH), o.integer(s::kVStrideW)},
      {o.integer(s::kVDilationD, 1), o.integer(s::kVDilationH, 1), o.integer(s::kVDilationW, 1)},
      padding(c, s::kVPadding)};
}

void conv_3d(Context& c) {
  const auto w = weight_sizes(c, 1, 5);
  const Dims spatial = spatial_dims(c, 0, 3);
  if (w.empty() || spatial.empty()) return;
  Attributes attributes = window_attributes(c, volume_window(c, w), spatial);
  if (!add_groups(c, c.stored(0)->dims()[4], w[3], w[4], attributes)) return;
  Value* y = c.b.op("Conv",
                    operands(c.in_transposed(0, {0, 4, 1, 2, 3}), c.weights(1, {4, 3, 0, 1, 2}, 4),
                             c.bias(2, 0, 1)),
                    attributes);
  c.out_transposed(0, y, c.activation(s::kVActivation), {0, 2, 3, 4, 1});
}

void conv_3d_transpose(Context& c) {
  const auto w = weight_sizes(c, 1, 5);
  const Dims spatial = spatial_dims(c, 2, 3);
  if (w.empty() || spatial.empty()) return;
  const auto to = wanted_spatial(c, 0, 3);
  const auto from = graph::constant_dims(spatial);
  if (!to || !c.require(from.has_value(), "the volume's size must be fixed")) return;
  Attributes attributes;
  if (!c.require(fit_transposed(*from, *to, volume_window(c, w), attributes),
                 "the size of the result does not fit stride and window")) {
    return;
  }
  Value* y = c.b.op("ConvTranspose",
                    operands(c.in_transposed(2, {0, 4, 1, 2, 3}), c.weights(1, {4, 3, 0, 1, 2}, 3),
                             c.bias(3, 2, 1)),
                    attributes);
  c.out_transposed(0, y, c.activation(s::kVActivation), {0, 2, 3, 4, 1});
}

}  // namespace

void register_conv(OpTable& table) {
  table.add("CONV_2D", conv_2d);
  table.add("DEPTHWISE_CONV_2D", depthwise_conv_2d, "a number of channels that is not fixed");
  table.add("TRANSPOSE_CONV", transpose_conv, "sizes that are not fixed");
  table.add("CONV_3D", conv_3d);
  table.add("CONV_3D_TRANSPOSE", conv_3d_transpose, "sizes that are not fixed");
}

}  // namespace supernova::import::tflite
