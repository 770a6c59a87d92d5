// Poolings over [n, h, w, c].
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

// The mean of stored numbers, halves away from zero: ties are frequent here, and the runtime's own
// integer kernel rounds them to even.
void average_stored(Context& c, const Attributes& attributes) {
  Value* x = c.b.cast(c.b.transpose(c.stored(0), {0, 3, 1, 2}), DataType::kFp32);
  Value* mean = c.b.op("AveragePool", {x}, attributes);
  // Away from the file's zero.
  const float zero = c.in_def(0).shifted ? 128.0F : 0.0F;
  if (zero != 0) mean = c.b.sub(mean, c.b.scalar(zero));
  Value* size = c.b.op("Floor", {c.b.add(c.b.op("Abs", {mean}), c.b.scalar(0.5F))});
  Value* y = c.b.mul(c.b.op("Sign", {mean}), size);
  if (zero != 0) y = c.b.add(y, c.b.scalar(zero));
  const auto [low, high] = clamped_range(c.out_def(), c.activation(s::kActivation));
  if (std::pair(low, high) != stored_range(c.out_def())) {
    y = c.b.clip(y, static_cast<float>(low), static_cast<float>(high));
  }
  c.out_stored(0, c.b.transpose(c.b.cast(y, data_type(c.out_def().type)), {0, 2, 3, 1}));
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
