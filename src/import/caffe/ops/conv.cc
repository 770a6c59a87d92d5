// Convolution, Deconvolution and InnerProduct. Shapes: Caffe's BaseConvolutionLayer; a
// convolution's output size is rounded down, as ONNX does.
#include <algorithm>
#include <array>

#include "import/caffe/ops.h"

namespace supernova::import::caffe {
namespace {

constexpr int64_t kMaxExtent = int64_t{1} << 20U;

struct Window {
  Sizes kernel;
  Sizes stride;
  Sizes pad;
  Sizes dilation;
};

// One of Caffe's ways to say a size per spatial axis: `name_h` and `name_w`, or `name` once for all
// axes or once for each.
bool read_extent(LayerContext& ctx, const Params& params, const std::string& name,
                 const std::string& flat_name, size_t axes, int64_t otherwise, Sizes& out) {
  out.assign(axes, otherwise);
  const Sizes given = params.integers(flat_name);
  const bool has_two = params.has(name + "_h") || params.has(name + "_w");
  if (has_two) {
    if (ctx.refuse_if(axes != 2, base::str_cat(name, "_h and ", name, "_w need two axes"))) {
      return false;
    }
    out = {params.integer(name + "_h", otherwise), params.integer(name + "_w", otherwise)};
  } else if (given.size() == 1) {
    out.assign(axes, given.front());
  } else if (given.size() == axes) {
    out = given;
  } else if (!given.empty()) {
    ctx.fail(base::str_cat(flat_name, " is given ", given.size(), " times for ", axes, " axes"));
    return false;
  }
  const int64_t least = name == "pad" ? 0 : 1;
  const bool fits = std::all_of(out.begin(), out.end(),
                                [&](int64_t size) { return size >= least && size <= kMaxExtent; });
  return !ctx.refuse_if(!fits, base::str_cat(flat_name, " is ", base::str_join(out, ", ")));
}

bool read_window(LayerContext& ctx, const Params& params, size_t axes, Window& window) {
  if (ctx.refuse_if(!params.has("kernel_size") && !params.has("kernel_h"), "has no kernel_size")) {
    return false;
  }
  return read_extent(ctx, params, "kernel", "kernel_size", axes, 0, window.kernel) &&
         read_extent(ctx, params, "stride", "stride", axes, 1, window.stride) &&
         read_extent(ctx, params, "pad", "pad", axes, 0, window.pad) &&
         // DeepLab's fork calls it a hole.
         read_extent(ctx, params, params.has("hole") || params.has("hole_h") ? "hole" : "dilation",
                     params.has("hole") ? "hole" : "dilation", axes, 1, window.dilation);
}

graph::Attributes attributes_of(const Window& window, int64_t group) {
  Sizes pads = window.pad;
  pads.insert(pads.end(), window.pad.begin(), window.pad.end());
  return {{"kernel_shape", window.kernel},
          {"strides", window.stride},
          {"pads", std::move(pads)},
          {"dilations", window.dilation},
          {"group", group}};
}

struct Channels {
  int64_t in = 0;
  int64_t out = 0;
  int64_t group = 1;
};

bool read_channels(LayerContext& ctx, const Params& params, bool depthwise, Channels& channels) {
  const auto in = ctx.size(ctx.bottoms[0], 1);
  if (!in) return false;
  channels.in = *in;
  channels.out = params.integer("num_output", depthwise ? *in : 0);
  channels.group = params.integer("group", depthwise ? *in : 1);
  if (depthwise) channels.group = *in;
  if (ctx.failed()) return false;
  if (ctx.refuse_if(channels.out < 1 || channels.out > kMaxExtent,
                    base::str_cat("num_output is ", channels.out))) {
    return false;
  }
  const bool divides = channels.group >= 1 && channels.in % channels.group == 0 &&
                       channels.out % channels.group == 0;
  return !ctx.refuse_if(!divides, base::str_cat("group ", channels.group, " does not divide ",
                                                channels.in, " and ", channels.out, " channels"));
}

// The window must fit: sizes that are known.
bool check_fit(LayerContext& ctx, const Window& window) {
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    const auto size = ctx.bottoms[0]->dims()[i + 2].constant();
    const int64_t extent = window.dilation[i] * (window.kernel[i] - 1) + 1;
    if (size && ctx.refuse_if(*size + 2 * window.pad[i] < extent,
                              base::str_cat("its kernel of ", extent, " does not fit into ", *size,
                                            " with pads of ", window.pad[i]))) {
      return false;
    }
  }
  return true;
}

bool check_deconvolution_size(LayerContext& ctx, const Window& window, int64_t channels) {
  Sizes shape{1, channels};
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    const auto size = ctx.bottoms[0]->dims()[i + 2].constant();
    if (!size) return true;
    int64_t out = 0;
    if (__builtin_mul_overflow(*size - 1, window.stride[i], &out)) out = INT64_MAX / 2;
    out += window.dilation[i] * (window.kernel[i] - 1) + 1 - 2 * window.pad[i];
    if (ctx.refuse_if(out < 1, base::str_cat("its result has a size of ", out))) return false;
    shape.push_back(out);
  }
  return ctx.check_count(shape);
}

void convolve(LayerContext& ctx, bool transposed, bool depthwise) {
  const Params params = ctx.params("convolution_param");
  if (ctx.refuse_if(ctx.bottoms.empty() || ctx.bottoms.size() != ctx.layer.tops.size(),
                    "has another number of tops than of bottoms") ||
      ctx.refuse_if(params.integer("axis", 1) != 1, "axis is not 1") ||
      !ctx.need_rank(ctx.bottoms[0], 3, 5)) {
    return;
  }
  Window window;
  Channels channels;
  if (!read_channels(ctx, params, depthwise, channels) ||
      !read_window(ctx, params, ctx.bottoms[0]->rank() - 2, window)) {
    return;
  }
  if (transposed ? !check_deconvolution_size(ctx, window, channels.out) : !check_fit(ctx, window)) {
    return;
  }
  Sizes weight_shape = transposed ? Sizes{channels.in, channels.out / channels.group}
                                  : Sizes{channels.out, channels.in / channels.group};
  weight_shape.insert(weight_shape.end(), window.kernel.begin(), window.kernel.end());
  const bool bias = params.flag("bias_term", true);
  const auto weights = ctx.blob_or_filler(0, weight_shape, params.message("weight_filler"));
  if (!weights) return;
  std::vector<Value*> more{ctx.build.constant(*weights, ctx.layer.name + ".weight")};
  if (bias) {
    const auto values = ctx.blob_or_filler(1, {channels.out}, params.message("bias_filler"), 0.0F);
    if (!values) return;
    more.push_back(ctx.build.constant(*values, ctx.layer.name + ".bias"));
  }
  for (Value* bottom : ctx.bottoms) {
    std::vector<Value*> inputs{bottom};
    inputs.insert(inputs.end(), more.begin(), more.end());
    ctx.give(ctx.build.op(transposed ? "ConvTranspose" : "Conv", inputs,
                          attributes_of(window, channels.group)));
  }
}

void inner_product(LayerContext& ctx) {
  if (!ctx.need_bottoms(1, 1)) return;
  const Params params = ctx.params("inner_product_param");
  Value* x = ctx.bottoms[0];
  const auto axis = ctx.axis_of(x, params.integer("axis", 1));
  const int64_t outputs = params.integer("num_output", 0);
  if (!axis || ctx.refuse_if(outputs < 1, base::str_cat("num_output is ", outputs))) return;
  const auto tail = ctx.sizes(x, *axis);
  if (!tail || !ctx.check_count(*tail)) return;
  int64_t inputs = 1;
  for (const int64_t size : *tail) inputs *= size;
  const bool transpose = params.flag("transpose", false);
  const Sizes shape = transpose ? Sizes{inputs, outputs} : Sizes{outputs, inputs};
  const auto weights = ctx.blob_or_filler(0, shape, params.message("weight_filler"));
  if (!weights) return;
  std::vector<Value*> operands{nullptr, ctx.build.constant(*weights, ctx.layer.name + ".weight")};
  if (params.flag("bias_term", true)) {
    const auto bias = ctx.blob_or_filler(1, {outputs}, params.message("bias_filler"), 0.0F);
    if (!bias) return;
    operands.push_back(ctx.build.constant(*bias, ctx.layer.name + ".bias"));
  }
  Dims result(x->dims().begin(), x->dims().begin() + static_cast<int64_t>(*axis));
  result.emplace_back(outputs);
  if (*axis == 0) {
    operands[0] = ctx.build.reshape(x, Dims{1, inputs});
  } else {
    operands[0] = ctx.build.flatten_to_2d(x, static_cast<int64_t>(*axis));
  }
  Value* y = ctx.build.op("Gemm", operands, {{"transB", int64_t{transpose ? 0 : 1}}});
  ctx.give(*axis == 1 ? y : ctx.build.reshape(y, result));
}

}  // namespace

void register_conv(OpTable& table) {
  table.add(
      "Convolution", [](LayerContext& ctx) { convolve(ctx, false, false); },
      "axis other than 1 is refused");
  for (const char* name : {"DepthwiseConvolution", "ConvolutionDepthwise", "DepthwiseConv"}) {
    table.add(name, [](LayerContext& ctx) { convolve(ctx, false, true); });
  }
  table.add(
      "Deconvolution", [](LayerContext& ctx) { convolve(ctx, true, false); },
      "axis other than 1 is refused");
  table.add("InnerProduct", inner_product);
}

}  // namespace supernova::import::caffe
