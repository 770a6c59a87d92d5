// Poolings over [n, h, w, c].
#include <algorithm>

#include "import/tflite/ops.h"
#include "import/tflite/window.h"

namespace supernova::import::tflite {
namespace {

namespace pool_slot {
enum Pool { kPadding, kStrideW, kStrideH, kWidth, kHeight, kActivation };
}  // namespace pool_slot
namespace s = pool_slot;

std::optional<Attributes> pool_attributes(Context& c) {
  const Dims spatial = spatial_dims(c, 0, 2);
  if (spatial.empty()) return std::nullopt;
  const Table& o = c.options();
  const Window window{{o.integer(s::kHeight), o.integer(s::kWidth)},
                      {o.integer(s::kStrideH), o.integer(s::kStrideW)},
                      {1, 1},
                      static_cast<Padding>(o.byte(s::kPadding))};
  Attributes attributes = pooling_attributes(c, window, spatial);
  if (c.b.failed()) return std::nullopt;
  return attributes;
}

// Whether the window is the whole image.
bool is_global(Context& c, const Attributes& attributes) {
  const auto sizes = graph::constant_dims(spatial_dims(c, 0, 2));
  return sizes &&
         std::any_of(attributes.begin(), attributes.end(),
                     [&](const auto& attribute) {
                       return attribute.first == "kernel_shape" &&
                              std::get<std::vector<int64_t>>(attribute.second) == *sizes;
                     }) &&
         std::any_of(attributes.begin(), attributes.end(), [](const auto& attribute) {
           return attribute.first == "auto_pad" &&
                  std::get<std::string>(attribute.second) == "VALID";
         });
}

// The mean of stored numbers, halves away from the file's zero: ties are frequent here, and the
// runtime's own integer kernel rounds them to even. What quantises here does too, so its scale is
// less than 1 by more than the mean can be wrong, and by less than what is beside a tie is off it.
void average_stored(Context& c, const Attributes& attributes) {
  constexpr float kPastTies = 1 - 0x1p-22F;
  const DataType type = data_type(c.out_def().type);
  const float zero = c.in_def(0).shifted ? 128.0F : 0.0F;
  Value* x = c.b.cast(c.b.transpose(c.stored(0), {0, 3, 1, 2}), DataType::kFp32);
  // A reduction is the same in any order of axes, so that it needs no transposes.
  Value* mean = is_global(c, attributes) ? c.b.reduce("ReduceMean", x, {2, 3}, true)
                                         : c.b.op("AveragePool", {x}, attributes);
  if (zero != 0) mean = c.b.sub(mean, c.b.scalar(zero));
  const auto [low, high] = clamped_range(c.out_def(), c.activation(s::kActivation));
  if (std::pair(low, high) != stored_range(c.out_def())) {
    mean = c.b.clip(mean, static_cast<float>(low) - zero, static_cast<float>(high) - zero);
  }
  Value* y = c.b.quantize(mean, c.b.scalar(kPastTies), c.b.scalar_of(type, zero));
  c.out_stored(0, c.b.transpose(y, {0, 2, 3, 1}));
}

// Padding is not counted, which is ONNX's default too.
void average_pool(Context& c) {
  const auto attributes = pool_attributes(c);
  if (!attributes) return;
  const Element type = c.in_def(0).type;
  if (c.quantised(0) && same_scale(c.in_def(0), c.out_def()) &&
      (type == Element::kInt8 || type == Element::kUint8)) {
    average_stored(c, *attributes);
    return;
  }
  c.out_nchw(0, c.b.op("AveragePool", {c.in_nchw(0)}, *attributes), c.activation(s::kActivation));
}

void max_pool(Context& c) {
  const auto attributes = pool_attributes(c);
  if (!attributes) return;
  const Activation activation = c.activation(s::kActivation);
  const DataType type = c.stored(0)->type.data_type;
  const bool small = type == DataType::kInt8 || type == DataType::kUint8;
  if (!small || activation != Activation::kNone || !same_scale(c.in_def(0), c.out_def())) {
    c.out_nchw(0, c.b.op("MaxPool", {c.in_nchw(0)}, *attributes), activation);
    return;
  }
  Value* x = c.b.transpose(c.stored(0), {0, 3, 1, 2});
  c.out_stored(0, c.b.transpose(c.b.op("MaxPool", {x}, *attributes), {0, 2, 3, 1}));
}

// The root of the mean of squares.
void l2_pool(Context& c) {
  const auto attributes = pool_attributes(c);
  if (!attributes) return;
  Value* x = c.in_nchw(0);
  Value* mean = c.b.op("AveragePool", {c.b.mul(x, x)}, *attributes);
  c.out_nchw(0, c.b.op("Sqrt", {mean}), c.activation(s::kActivation));
}

}  // namespace

void register_pool(OpTable& table) {
  table.add("AVERAGE_POOL_2D", average_pool);
  table.add("MAX_POOL_2D", max_pool);
  table.add("L2_POOL_2D", l2_pool);
}

}  // namespace supernova::import::tflite
