#include "nets.h"

#include <cmath>
#include <cstring>

#include "support/onnx_builder.h"
#include "tensor/half.h"

namespace supernova::bench {
namespace {

constexpr int64_t kClasses = 1000;

// Numbers from -1 to 1, the same every time.
class Numbers {
 public:
  float next() {
    state_ = state_ * 1664525U + 1013904223U;
    return static_cast<float>(state_ >> 8) / 8388608.0F - 1.0F;
  }

 private:
  uint32_t state_ = 1;
};

std::string raw(const std::vector<float>& values, tensor::DataType type) {
  if (type == tensor::DataType::kFp32) return test::raw_bytes(std::span<const float>(values));
  std::vector<uint16_t> halves;
  halves.reserve(values.size());
  for (const float value : values) halves.push_back(tensor::float_to_half(value));
  return test::raw_bytes(std::span<const uint16_t>(halves));
}

struct Layer {
  std::string name;  // of its result
  int64_t channels = 0;
};

struct Shape {
  int64_t kernel = 1;
  int64_t stride = 1;
  bool depthwise = false;
};

// Grows a graph layer by layer.
class Layers {
 public:
  Layers(test::Graph& graph, tensor::DataType type) : graph_(graph), type_(type) {}

  // `gain` scales what comes out, so that sums of branches keep their size.
  Layer conv(const Layer& from, int64_t out, const Shape& shape, float gain = 1) {
    const std::string name = next("conv");
    const int64_t in = shape.depthwise ? 1 : from.channels;
    weights(name + "_w", {out, in, shape.kernel, shape.kernel},
            gain * std::sqrt(6.0F / static_cast<float>(in * shape.kernel * shape.kernel)));
    weights(name + "_b", {out}, 0.1F);
    const int64_t pad = shape.kernel / 2;
    graph_.node("Conv", {from.name, name + "_w", name + "_b"}, {name},
                {test::attribute_ints("kernel_shape", {shape.kernel, shape.kernel}),
                 test::attribute_ints("strides", {shape.stride, shape.stride}),
                 test::attribute_ints("pads", {pad, pad, pad, pad}),
                 test::attribute_int("group", shape.depthwise ? from.channels : 1)});
    return {name, out};
  }

  Layer relu(const Layer& from) { return apply("Relu", {from.name}, from.channels); }
  Layer add(const Layer& a, const Layer& b) { return apply("Add", {a.name, b.name}, a.channels); }

  Layer pool(const Layer& from) {
    return apply(
        "MaxPool", {from.name}, from.channels,
        {test::attribute_ints("kernel_shape", {3, 3}), test::attribute_ints("strides", {2, 2}),
         test::attribute_ints("pads", {1, 1, 1, 1})});
  }

  void classify(const Layer& from) {
    const Layer pooled = apply("GlobalAveragePool", {from.name}, from.channels);
    const Layer flat = apply("Flatten", {pooled.name}, from.channels);
    weights("classes_w", {from.channels, kClasses},
            std::sqrt(3.0F / static_cast<float>(from.channels)));
    weights("classes_b", {kClasses}, 0.1F);
    graph_.node("Gemm", {flat.name, "classes_w", "classes_b"}, {"scores"});
  }

 private:
  std::string next(const std::string& kind) { return kind + std::to_string(count_++); }

  Layer apply(const std::string& op, const std::vector<std::string>& from, int64_t channels,
              const std::vector<test::Attribute>& attributes = {}) {
    const std::string name = next(op);
    graph_.node(op, from, {name}, attributes);
    return {name, channels};
  }

  void weights(const std::string& name, std::vector<int64_t> dims, float range) {
    size_t size = 1;
    for (const int64_t dim : dims) size *= static_cast<size_t>(dim);
    std::vector<float> values(size);
    for (float& value : values) value = range * numbers_.next();
    test::OnnxTensor tensor;
    tensor.name = name;
    tensor.type = test::onnx_type(type_);
    tensor.dims = std::move(dims);
    tensor.raw = raw(values, type_);
    graph_.initializer(tensor);
  }

  test::Graph& graph_;
  tensor::DataType type_;
  int count_ = 0;
  Numbers numbers_;
};

Layer bottleneck(Layers& layers, const Layer& from, int64_t narrow, int64_t stride) {
  constexpr float kHalf = 0.7F;  // two branches of it sum up to the size of one
  Layer inner = layers.relu(layers.conv(from, narrow, {1}));
  inner = layers.relu(layers.conv(inner, narrow, {3, stride}));
  inner = layers.conv(inner, 4 * narrow, {1}, kHalf);
  const bool same = stride == 1 && from.channels == 4 * narrow;
  const Layer outer = same ? from : layers.conv(from, 4 * narrow, {1, stride}, kHalf);
  return layers.relu(layers.add(inner, outer));
}

void resnet50(Layers& layers, Layer at) {
  at = layers.pool(layers.relu(layers.conv(at, 64, {7, 2})));
  constexpr int kBlocks[] = {3, 4, 6, 3};
  for (int stage = 0; stage < 4; ++stage) {
    for (int block = 0; block < kBlocks[stage]; ++block) {
      at = bottleneck(layers, at, int64_t{64} << stage, stage > 0 && block == 0 ? 2 : 1);
    }
  }
  layers.classify(at);
}

void mobilenet(Layers& layers, Layer at) {
  at = layers.relu(layers.conv(at, 32, {3, 2}));
  struct Step {
    int64_t channels;
    int64_t stride;
  };
  for (const Step& step : {Step{64, 1},
                           {128, 2},
                           {128, 1},
                           {256, 2},
                           {256, 1},
                           {512, 2},
                           {512, 1},
                           {512, 1},
                           {512, 1},
                           {512, 1},
                           {512, 1},
                           {1024, 2},
                           {1024, 1}}) {
    at = layers.relu(layers.conv(at, at.channels, {3, step.stride, true}));
    at = layers.relu(layers.conv(at, step.channels, {1}));
  }
  layers.classify(at);
}

}  // namespace

base::Result<Net> make_net(std::string_view name, tensor::DataType type, int64_t batch,
                           int64_t size) {
  Net net;
  net.type = type;
  net.input = {batch, 3, size, size};
  test::Graph graph;
  graph.input("picture", test::onnx_type(type), {batch, 3, size, size})
      .output("scores", test::onnx_type(type), {batch, kClasses});
  Layers layers(graph, type);
  if (name == "resnet50") {
    resnet50(layers, {"picture", 3});
  } else if (name == "mobilenet") {
    mobilenet(layers, {"picture", 3});
  } else {
    return absl::InvalidArgumentError(
        base::str_cat("there is no net '", name, "'; there are resnet50 and mobilenet"));
  }
  net.onnx = test::onnx_model(graph);
  return net;
}

tensor::Tensor picture(const Net& net) {
  size_t count = 1;
  for (const int64_t extent : net.input) count *= static_cast<size_t>(extent);
  std::vector<float> values(count);
  Numbers numbers;
  for (float& value : values) value = numbers.next();
  tensor::Tensor tensor;
  tensor.name = "picture";
  tensor.data_type = net.type;
  tensor.shape = net.input;
  tensor.buffer = tensor::Buffer::copy_of(raw(values, net.type));
  return tensor;
}

std::vector<float> numbers(std::string_view bytes, tensor::DataType type) {
  std::vector<float> values;
  if (type == tensor::DataType::kFp32) {
    values.resize(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
    return values;
  }
  for (size_t at = 0; at + sizeof(uint16_t) <= bytes.size(); at += sizeof(uint16_t)) {
    uint16_t half = 0;
    std::memcpy(&half, bytes.data() + at, sizeof(half));
    values.push_back(tensor::half_to_float(half));
  }
  return values;
}

}  // namespace supernova::bench
