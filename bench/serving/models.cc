#include "models.h"

#include <cmath>
#include <cstring>

#include "support/onnx_models.h"

namespace supernova::bench {
namespace {

// Grows a graph layer by layer; each call returns the name of its result.
class Layers {
 public:
  explicit Layers(test::Graph& graph) : graph_(graph) {}

  std::string conv(const std::string& from, int64_t in, int64_t out, int64_t kernel, int64_t stride,
                   int64_t pad) {
    const std::string name = next("conv");
    graph_.initializer(weights(name + "_w", {out, in, kernel, kernel}, in * kernel * kernel));
    graph_.initializer(weights(name + "_b", {out}, 100));
    graph_.node("Conv", {from, name + "_w", name + "_b"}, {name},
                {test::attribute_ints("kernel_shape", {kernel, kernel}),
                 test::attribute_ints("strides", {stride, stride}),
                 test::attribute_ints("pads", {pad, pad, pad, pad})});
    graph_.node("Relu", {name}, {name + "_relu"});
    return name + "_relu";
  }

  std::string gemm(const std::string& from, int64_t in, int64_t out) {
    const std::string name = next("gemm");
    graph_.initializer(weights(name + "_w", {in, out}, in));
    graph_.initializer(weights(name + "_b", {out}, 100));
    graph_.node("Gemm", {from, name + "_w", name + "_b"}, {name});
    graph_.node("Relu", {name}, {name + "_relu"});
    return name + "_relu";
  }

  std::string pool(const std::string& from) {
    const std::string name = next("pool");
    graph_.node(
        "MaxPool", {from}, {name},
        {test::attribute_ints("kernel_shape", {3, 3}), test::attribute_ints("strides", {2, 2})});
    return name;
  }

  // A 1x1 layer that narrows, then 1x1 and 3x3 layers side by side: 2 * `expand` channels.
  std::string fire(const std::string& from, int64_t in, int64_t squeeze, int64_t expand) {
    const std::string narrow = conv(from, in, squeeze, 1, 1, 0);
    const std::string one = conv(narrow, squeeze, expand, 1, 1, 0);
    const std::string three = conv(narrow, squeeze, expand, 3, 1, 1);
    const std::string name = next("fire");
    graph_.node("Concat", {one, three}, {name}, {test::attribute_int("axis", 1)});
    return name;
  }

 private:
  std::string next(const std::string& kind) { return kind + std::to_string(count_++); }

  // Evenly spread in a range that keeps the size of activations.
  test::OnnxTensor weights(const std::string& name, std::vector<int64_t> dims, int64_t fan_in) {
    int64_t size = 1;
    for (const int64_t dim : dims) size *= dim;
    const float range = std::sqrt(6.0F / static_cast<float>(fan_in));
    std::vector<float> values(static_cast<size_t>(size));
    for (float& value : values) {
      state_ = state_ * 1664525U + 1013904223U;
      value = range * (static_cast<float>(state_ >> 8) / 8388608.0F - 1.0F);
    }
    return test::float_tensor(name, std::move(dims), std::move(values));
  }

  test::Graph& graph_;
  int count_ = 0;
  uint32_t state_ = 1;
};

}  // namespace

BenchModel small_mlp() { return {"mlp", test::mlp_model(), "input", {1, 16}, 16}; }

BenchModel wide_mlp() {
  constexpr int64_t kWide = 1024;
  test::Graph graph("wide");
  graph.input("input", test::OnnxType::kFloat, {"batch", 16});
  graph.output("output", test::OnnxType::kFloat, {"batch", 4});
  Layers layers(graph);
  std::string at = layers.gemm("input", 16, kWide);
  at = layers.gemm(layers.gemm(at, kWide, kWide), kWide, kWide);
  graph.node("Identity", {layers.gemm(at, kWide, 4)}, {"output"});
  return {"wide", test::onnx_model(graph), "input", {1, 16}, 16};
}

BenchModel convnet() {
  test::Graph graph("convnet");
  graph.input("picture", test::OnnxType::kFloat, {1, 3, 224, 224});
  graph.output("scores", test::OnnxType::kFloat, {1, 1000});
  Layers layers(graph);
  std::string at = layers.pool(layers.conv("picture", 3, 64, 3, 2, 0));
  at = layers.fire(layers.fire(at, 64, 16, 64), 128, 16, 64);
  at = layers.pool(at);
  at = layers.fire(layers.fire(at, 128, 32, 128), 256, 32, 128);
  at = layers.pool(at);
  at = layers.fire(layers.fire(at, 256, 48, 192), 384, 48, 192);
  at = layers.fire(layers.fire(at, 384, 64, 256), 512, 64, 256);
  at = layers.conv(at, 512, 1000, 1, 1, 0);
  graph.node("GlobalAveragePool", {at}, {"mean"});
  graph.node("Flatten", {"mean"}, {"scores"});
  return {"convnet", test::onnx_model(graph), "picture", {1, 3, 224, 224}, 4000};
}

std::vector<tensor::Tensor> bench_inputs(const BenchModel& model) {
  tensor::Tensor tensor{model.input, tensor::DataType::kFp32, {}, {}};
  tensor.shape.assign(model.shape.begin(), model.shape.end());
  size_t elements = 1;
  for (const int64_t size : model.shape) elements *= static_cast<size_t>(size);
  tensor.buffer = tensor::Buffer::allocate(elements * sizeof(float));
  for (size_t i = 0; i < elements; ++i) {
    const float value = static_cast<float>(i % 255) / 255.0F;
    std::memcpy(tensor.buffer.data() + i * sizeof(float), &value, sizeof(value));
  }
  return {tensor};
}

}  // namespace supernova::bench
