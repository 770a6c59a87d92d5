#include <algorithm>
#include <functional>

#include "conformance/array.h"
#include "conformance/models.h"
#include "import/graph/builder.h"
#include "import/graph/write_onnx.h"

namespace supernova::conformance {
namespace {

using import::graph::Attributes;
using import::graph::Builder;
using import::graph::Constant;
using import::graph::Dim;
using import::graph::Dims;
using import::graph::Type;
using import::graph::Value;
using tensor::DataType;

base::Result<tensor::Artefact> made(DataType type, Dims dims,
                                    const std::function<Value*(Builder&, Value*)>& build) {
  import::graph::Model model;
  model.producer_name = "supernova conformance";
  Builder builder(model);
  builder.enter("model", "model");
  Value* x = builder.input("x", Type::of(type, std::move(dims)));
  builder.output(build(builder, x), "y");
  SN_TRY(builder.finish());
  SN_ASSIGN(auto imported, import::graph::finish_import(model, {}));
  return std::move(imported.artefact);
}

// Weights of one layer after the other, in the type that the net computes in.
class Layers {
 public:
  Layers(Builder& builder, DataType type) : b_(builder), type_(type) {}

  Value* weights(const std::vector<int64_t>& shape, double size) {
    const Array array = made_up(DataType::kFp32, to_shape(shape), -size, size, ++seed_);
    const auto values = std::vector<float>(array.values.begin(), array.values.end());
    return b_.cast(b_.constant(Constant::floats(shape, values)), type_);
  }
  // Weights before biases, always: other formats' nets count the same way.
  Value* dense(Value* x, int64_t in, int64_t out) {
    Value* const matrix = weights({in, out}, 0.5);
    Value* const bias = weights({out}, 0.5);
    return b_.add(b_.op("MatMul", {x, matrix}), bias);
  }
  Value* conv(Value* x, int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t group) {
    const int64_t pad = kernel / 2;
    const double size = 1.0 / static_cast<double>(in / group * kernel);
    Value* const filter = weights({out, in / group, kernel, kernel}, size);
    Value* const bias = weights({out}, 0.25);
    return b_.op("Relu", {b_.op("Conv", {x, filter, bias},
                                {{"kernel_shape", std::vector<int64_t>{kernel, kernel}},
                                 {"strides", std::vector<int64_t>{stride, stride}},
                                 {"pads", std::vector<int64_t>{pad, pad, pad, pad}},
                                 {"group", group}})});
  }

 private:
  Builder& b_;
  DataType type_;
  uint64_t seed_ = 100;
};

class OnnxKit : public ModelKit {
 public:
  std::string_view format() const override { return "onnx"; }
  std::vector<OperatorCase> operators() const override { return operator_cases(); }
  std::vector<OperatorCase> data_types() const override { return data_type_cases(); }
  Made mlp() const override;
  Made conv_net(bool half) const override;
  Made non_zero() const override;
  Made strings() const override;
  Made heavy(size_t byte_size) const override;
  Made mixed() const override;
  Made loop() const override;
};

ModelKit::Made OnnxKit::mlp() const {
  return made(DataType::kFp32, {Dim::symbol("n"), 64}, [](Builder& b, Value* x) {
    Layers layers(b, DataType::kFp32);
    Value* hidden = b.op("Relu", {layers.dense(x, 64, 128)});
    return b.op("Softmax", {layers.dense(hidden, 128, 10)}, {{"axis", int64_t{-1}}});
  });
}

ModelKit::Made OnnxKit::conv_net(bool half) const {
  const DataType type = half ? DataType::kFp16 : DataType::kFp32;
  return made(DataType::kFp32, {Dim::symbol("n"), 3, 32, 32}, [type](Builder& b, Value* x) {
    Layers layers(b, type);
    Value* y = layers.conv(b.cast(x, type), 3, 16, 3, 2, 1);
    y = layers.conv(layers.conv(y, 16, 16, 3, 1, 16), 16, 32, 1, 1, 1);
    y = b.add(y, layers.conv(y, 32, 32, 3, 1, 1));
    y = layers.conv(y, 32, 64, 3, 2, 1);
    y = b.flatten_to_2d(b.op("GlobalAveragePool", {y}), 1);
    return b.cast(layers.dense(y, 64, 10), DataType::kFp32);
  });
}

ModelKit::Made OnnxKit::non_zero() const {
  return made(DataType::kFp32, {Dim::symbol("n")},
              [](Builder& b, Value* x) { return b.op("NonZero", {x}); });
}

ModelKit::Made OnnxKit::strings() const {
  return made(DataType::kBytes, {Dim::symbol("n")},
              [](Builder& b, Value* x) { return b.op("Identity", {x}); });
}

ModelKit::Made OnnxKit::heavy(size_t byte_size) const {
  const auto rows = static_cast<int64_t>(byte_size / (4 * sizeof(float)));
  return made(DataType::kFp32, {4}, [rows](Builder& b, Value* x) {
    // Every row has the same sum, so that the answer is known; no two rows are alike.
    std::vector<float> values(static_cast<size_t>(rows) * 4, 0.0F);
    for (size_t row = 0; row < values.size() / 4; ++row) {
      values[4 * row] = static_cast<float>(row % 251);
      values[4 * row + 1] = -static_cast<float>(row % 251);
    }
    Value* weights = b.constant(Constant::floats({rows, 4}, values));
    Value* products = b.op("MatMul", {weights, b.reshape(x, {4, 1})});
    return b.add(x, b.reduce("ReduceMax", products, {0, 1}, false));
  });
}

ModelKit::Made OnnxKit::mixed() const {
  return made(DataType::kFp32, {Dim::symbol("n"), 8}, [](Builder& b, Value* x) {
    Value* places = b.op("NonZero", {x});
    Value* count = b.gather(b.op("Shape", {places}), b.ints({1}), 0);
    return b.add(b.add(x, x), b.cast(count, DataType::kFp32));
  });
}

// BOOL []: whether the first element is a turn or more.
Value* goes_on(Builder& b, Value* x) {
  return b.reshape(b.op("Greater", {b.slice(x, {0}, {1}, {1}), b.scalar(0.5F)}), b.ints({}));
}

ModelKit::Made OnnxKit::loop() const {
  return made(DataType::kFp32, {1, kLoopWidth}, [](Builder& b, Value* x) {
    auto turn = std::make_shared<import::graph::Graph>();
    turn->name = "turn";
    Builder body = b.body(*turn);
    body.input("number", Type::of(DataType::kInt64, {}));
    body.input("go_on", Type::of(DataType::kBool, {}));
    Value* carried = body.input("carried", x->type);
    const Array weights = loop_weights();
    const std::vector<float> matrix(weights.values.begin(), weights.values.end());
    std::vector<float> step(kLoopWidth, 0.0F);
    step[0] = -1;
    Value* moved = body.op(
        "MatMul", {carried, body.constant(Constant::floats({kLoopWidth, kLoopWidth}, matrix))});
    Value* next = body.add(moved, body.constant(Constant::floats({1, kLoopWidth}, step)));
    body.output(goes_on(body, next), "go_on");
    body.output(next, "carried");
    b.absorb(body);
    return b.op_outputs("Loop", {nullptr, goes_on(b, x), x}, {{"body", turn}}, 1)[0];
  });
}

}  // namespace

Array loop_weights() {
  Array weights{{kLoopWidth, kLoopWidth},
                std::vector<double>(static_cast<size_t>(kLoopWidth * kLoopWidth), 0.0)};
  weights.values[0] = 1;
  for (int64_t from = 1; from < kLoopWidth; ++from) {
    const int64_t to = from + 1 < kLoopWidth ? from + 1 : 1;
    weights.values[static_cast<size_t>(from * kLoopWidth + to)] = 1;
  }
  return weights;
}

Array loop_input(int64_t turns) {
  Array x = made_up(DataType::kFp32, {1, kLoopWidth}, -1, 1, 5);
  x.values[0] = static_cast<double>(turns);
  return x;
}

Array loop_result(const Array& x) {
  Array y = x;
  const auto turns = static_cast<int64_t>(x.values[0]);
  y.values[0] = 0;
  // One less than all of them go round.
  const int64_t moved = turns % (kLoopWidth - 1);
  std::rotate(y.values.begin() + 1, y.values.end() - moved, y.values.end());
  return y;
}

const ModelKit& onnx_kit() {
  static const OnnxKit kKit;
  return kKit;
}

}  // namespace supernova::conformance
