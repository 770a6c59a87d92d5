// The suite's models as .tflite files: float, NHWC, with the weights of the ONNX ones where both
// have such a model.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "conformance/models.h"
#include "conformance/tflite_builder.h"

namespace supernova::conformance {
namespace {

using tensor::DataType;
using Arrays = std::vector<Array>;
using Shape = std::vector<int32_t>;

constexpr int8_t kSame = 0;
constexpr int8_t kValid = 1;
constexpr int8_t kNoActivation = 0;
constexpr int8_t kRelu = 1;

ModelKit::Made artefact_of(const TfModel& model) {
  tensor::Artefact artefact;
  artefact.format = "tflite";
  artefact.bytes = tensor::Buffer::copy_of(model.file());
  return artefact;
}

Shape dims_of(const tensor::Shape& shape) { return {shape.begin(), shape.end()}; }

TfType type_of(DataType type) {
  switch (type) {
    case DataType::kInt32:
      return TfType::kInt32;
    case DataType::kInt64:
      return TfType::kInt64;
    case DataType::kUint8:
      return TfType::kUint8;
    case DataType::kInt8:
      return TfType::kInt8;
    case DataType::kBool:
      return TfType::kBool;
    default:
      return TfType::kFloat32;
  }
}

std::vector<float> floats(const Array& array) { return {array.values.begin(), array.values.end()}; }

using Build = std::function<void(TfModel&, const std::vector<int32_t>& x, int32_t y)>;

// One operator from x0, x1, ... to y.
std::function<ModelKit::Made()> one_operator(const std::vector<CaseInput>& inputs,
                                             const tensor::Shape& result, DataType result_type,
                                             Build build) {
  return [=]() -> ModelKit::Made {
    TfModel model;
    std::vector<int32_t> numbers;
    for (const CaseInput& input : inputs) {
      TfTensor tensor{type_of(input.type), dims_of(input.shape)};
      tensor.name = "x" + std::to_string(numbers.size());
      numbers.push_back(model.input(tensor));
    }
    TfTensor tensor{type_of(result_type), dims_of(result)};
    tensor.name = "y";
    const int32_t y = model.tensor(tensor);
    build(model, numbers, y);
    model.set_outputs({y});
    return artefact_of(model);
  };
}

OperatorCase made(std::string name, std::vector<CaseInput> inputs, const tensor::Shape& result,
                  Build build, std::function<Array(const Arrays&)> expected,
                  double tolerance = 1e-4, DataType result_type = DataType::kFp32) {
  OperatorCase out;
  out.name = std::move(name);
  out.inputs = std::move(inputs);
  out.expected = std::move(expected);
  out.tolerance = tolerance;
  out.artefact = one_operator(out.inputs, result, result_type, std::move(build));
  return out;
}

Build plain(const std::string& op, const FlatTable& options = {}) {
  return [op, options](TfModel& model, const std::vector<int32_t>& x, int32_t y) {
    model.op(op, x, {y}, options);
  };
}

OperatorCase unary(const std::string& op, double (*f)(double), double low = -2, double high = 2) {
  return made(op, {{DataType::kFp32, {1, 3, 17}, low, high}}, {1, 3, 17}, plain(op),
              [f](const Arrays& x) {
                Array y = x[0];
                for (double& value : y.values) value = f(value);
                return y;
              });
}

OperatorCase binary(const std::string& op, double (*f)(double, double),
                    const tensor::Shape& other = {2, 3, 5}, const std::string& suffix = "",
                    double low = -3, DataType type = DataType::kFp32) {
  return made(
      op + suffix, {{type, {2, 3, 5}, low, 3}, {type, other, low, 3}}, {2, 3, 5}, plain(op),
      [f](const Arrays& x) { return broadcast(x[0], x[1], f); }, 1e-4, type);
}

// Between the two layouts of images.
Array moved(const Array& x, const std::vector<size_t>& axes) {
  Array y;
  for (const size_t axis : axes) y.shape.push_back(x.shape[axis]);
  std::vector<int64_t> at(4, 0);
  for (int64_t a = 0; a < y.dim(0); ++a) {
    for (int64_t b = 0; b < y.dim(1); ++b) {
      for (int64_t c = 0; c < y.dim(2); ++c) {
        for (int64_t d = 0; d < y.dim(3); ++d) {
          at[axes[0]] = a;
          at[axes[1]] = b;
          at[axes[2]] = c;
          at[axes[3]] = d;
          y.values.push_back(x.at({at[0], at[1], at[2], at[3]}));
        }
      }
    }
  }
  return y;
}
Array to_nchw(const Array& x) { return moved(x, {0, 3, 1, 2}); }
Array to_nhwc(const Array& x) { return moved(x, {0, 2, 3, 1}); }

// Weights [out, in / group, k, k] as TensorFlow Lite has them: [out,k,k,in], and [1,k,k,out] of a
// depthwise one.
OperatorCase convolution(const std::string& name, const Window& w, int64_t in, int64_t out,
                         int64_t size) {
  const Array weights = made_up_weights({out, in / w.group, w.kernel, w.kernel}, 5);
  const Array bias = made_up_weights({out}, 6);
  const bool depthwise = w.group > 1;
  const Array kernel = depthwise ? moved(weights, {1, 2, 3, 0}) : moved(weights, {0, 2, 3, 1});
  const auto padding = w.pad > 0 ? kSame : kValid;
  const auto stride = static_cast<int32_t>(w.stride);
  FlatTable options;
  options.number(0, padding).number(1, stride).number(2, stride);
  if (depthwise) options.number(3, static_cast<int32_t>(out / in));
  options.number(depthwise ? 4 : 3, kNoActivation);
  const tensor::Shape result{1, w.of(size), w.of(size), out};
  return made(
      name, {{DataType::kFp32, {1, size, size, in}}}, result,
      [=](TfModel& model, const std::vector<int32_t>& x, int32_t y) {
        model.op(depthwise ? "DEPTHWISE_CONV_2D" : "CONV_2D",
                 {x[0], model.constant(dims_of(kernel.shape), floats(kernel)),
                  model.constant({static_cast<int32_t>(out)}, floats(bias))},
                 {y}, options);
      },
      [=](const Arrays& x) { return to_nhwc(convolved(to_nchw(x[0]), w, weights, bias)); }, 2e-3);
}

OperatorCase pooling(const std::string& op, const std::string& hub_op, const Window& w) {
  const auto stride = static_cast<int32_t>(w.stride);
  const auto kernel = static_cast<int32_t>(w.kernel);
  const auto options = FlatTable()
                           .number(0, w.pad > 0 ? kSame : kValid)
                           .number(1, stride)
                           .number(2, stride)
                           .number(3, kernel)
                           .number(4, kernel);
  return made(op, {{DataType::kFp32, {1, 8, 8, 3}}}, {1, w.of(8), w.of(8), 3}, plain(op, options),
              [w, hub_op](const Arrays& x) { return to_nhwc(pooled(to_nchw(x[0]), w, hub_op)); });
}

// x [n,in] times weights [in,out] plus a bias.
int32_t dense(TfModel& model, int32_t x, int32_t y, const Array& weights, const Array& bias,
              int8_t activation) {
  const int64_t in = weights.dim(0);
  const int64_t out = weights.dim(1);
  std::vector<float> turned;
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t i = 0; i < in; ++i) turned.push_back(static_cast<float>(weights.at({i, o})));
  }
  const Shape shape{static_cast<int32_t>(out), static_cast<int32_t>(in)};
  return model.op("FULLY_CONNECTED",
                  {x, model.constant(shape, turned), model.constant({shape[0]}, floats(bias))}, {y},
                  FlatTable().number(0, activation));
}

void add_elementwise(std::vector<OperatorCase>& cases) {
  cases.push_back(unary("RELU", [](double x) { return std::max(x, 0.0); }));
  cases.push_back(unary(
      "RELU6", [](double x) { return std::clamp(x, 0.0, 6.0); }, -9, 9));
  cases.push_back(unary("LOGISTIC", [](double x) { return 1 / (1 + std::exp(-x)); }));
  cases.push_back(unary("TANH", [](double x) { return std::tanh(x); }));
  cases.push_back(unary("ABS", [](double x) { return std::abs(x); }));
  cases.push_back(unary("NEG", [](double x) { return -x; }));
  cases.push_back(unary("EXP", [](double x) { return std::exp(x); }));
  cases.push_back(unary(
      "LOG", [](double x) { return std::log(x); }, 0.125, 4));
  cases.push_back(unary(
      "SQRT", [](double x) { return std::sqrt(x); }, 0, 4));
  cases.push_back(unary("SQUARE", [](double x) { return x * x; }));
  cases.push_back(unary("FLOOR", [](double x) { return std::floor(x); }));
  cases.push_back(unary("SIN", [](double x) { return std::sin(x); }));
  cases.push_back(binary("ADD", [](double a, double b) { return a + b; }));
  cases.push_back(binary(
      "ADD", [](double a, double b) { return a + b; }, {5}, ", one axis"));
  cases.push_back(binary("SUB", [](double a, double b) { return a - b; }));
  cases.push_back(binary("MUL", [](double a, double b) { return a * b; }));
  cases.push_back(binary(
      "DIV", [](double a, double b) { return a / b; }, {2, 3, 5}, "", 0.5));
  cases.push_back(binary("MAXIMUM", [](double a, double b) { return std::max(a, b); }));
  cases.push_back(binary("MINIMUM", [](double a, double b) { return std::min(a, b); }));
}

void add_movers(std::vector<OperatorCase>& cases) {
  cases.push_back(made(
      "RESHAPE", {{DataType::kFp32, {2, 3, 4}}}, {6, 4},
      [](TfModel& model, const std::vector<int32_t>& x, int32_t y) {
        model.op("RESHAPE", {x[0], model.ints({6, 4})}, {y});
      },
      [](const Arrays& x) {
        return Array{{6, 4}, x[0].values};
      },
      0));
  cases.push_back(made(
      "TRANSPOSE", {{DataType::kFp32, {1, 2, 3, 4}}}, {1, 4, 2, 3},
      [](TfModel& model, const std::vector<int32_t>& x, int32_t y) {
        model.op("TRANSPOSE", {x[0], model.ints({0, 3, 1, 2})}, {y});
      },
      [](const Arrays& x) {
        return moved(x[0], {0, 3, 1, 2});
      },
      0));
  cases.push_back(made(
      "CONCATENATION", {{DataType::kFp32, {3, 4}}, {DataType::kFp32, {3, 4}}}, {6, 4},
      plain("CONCATENATION", FlatTable().number(0, 0)),
      [](const Arrays& x) {
        Array y{{6, 4}, x[0].values};
        y.values.insert(y.values.end(), x[1].values.begin(), x[1].values.end());
        return y;
      },
      0));
}

std::vector<OperatorCase> tflite_operators() {
  std::vector<OperatorCase> cases;
  add_elementwise(cases);
  cases.push_back(convolution("CONV_2D 1x1", {1, 1, 0, 1, 1}, 8, 16, 9));
  cases.push_back(convolution("CONV_2D 3x3", {3, 1, 1, 1, 1}, 3, 8, 12));
  cases.push_back(convolution("CONV_2D 3x3, stride 2, valid", {3, 2, 0, 1, 1}, 3, 8, 13));
  cases.push_back(convolution("DEPTHWISE_CONV_2D 3x3", {3, 1, 1, 1, 8}, 8, 8, 10));
  cases.push_back(pooling("MAX_POOL_2D", "MaxPool", {2, 2, 0, 1, 1}));
  cases.push_back(pooling("AVERAGE_POOL_2D", "AveragePool", {3, 1, 1, 1, 1}));
  cases.push_back(made(
      "FULLY_CONNECTED", {{DataType::kFp32, {5, 24}}}, {5, 7},
      [](TfModel& model, const std::vector<int32_t>& x, int32_t y) {
        dense(model, x[0], y, made_up_weights({24, 7}, 3), made_up_weights({7}, 4), kNoActivation);
      },
      [](const Arrays& x) {
        const Array w = made_up_weights({24, 7}, 3);
        const Array bias = made_up_weights({7}, 4);
        Array y{{5, 7}, {}};
        for (int64_t i = 0; i < 5; ++i) {
          for (int64_t j = 0; j < 7; ++j) {
            double sum = bias.at({j});
            for (int64_t k = 0; k < 24; ++k) sum += x[0].at({i, k}) * w.at({k, j});
            y.values.push_back(sum);
          }
        }
        return y;
      },
      2e-3));
  cases.push_back(made("SOFTMAX", {{DataType::kFp32, {4, 11}, -5, 5}}, {4, 11},
                       plain("SOFTMAX", FlatTable().number(0, 1.0F)), [](const Arrays& x) {
                         Array y = x[0];
                         for (size_t row = 0; row < 4; ++row) {
                           double sum = 0;
                           for (size_t i = 0; i < 11; ++i)
                             sum += std::exp(x[0].values[row * 11 + i]);
                           for (size_t i = 0; i < 11; ++i) {
                             double& value = y.values[row * 11 + i];
                             value = std::exp(value) / sum;
                           }
                         }
                         return y;
                       }));
  add_movers(cases);
  return cases;
}

class TfliteKit : public ModelKit {
 public:
  std::string_view format() const override { return "tflite"; }
  std::vector<OperatorCase> operators() const override { return tflite_operators(); }
  std::vector<OperatorCase> data_types() const override {
    std::vector<OperatorCase> cases;
    for (const DataType type : {DataType::kInt32, DataType::kInt64, DataType::kFp32}) {
      const std::string suffix = " " + std::string(tensor::data_type_name(type));
      cases.push_back(binary(
          "ADD", [](double a, double b) { return a + b; }, {2, 3, 5}, suffix, -3, type));
      cases.push_back(binary(
          "MUL", [](double a, double b) { return a * b; }, {2, 3, 5}, suffix, -3, type));
    }
    return cases;
  }

  Made mlp() const override {
    TfModel model;
    const int32_t x = model.input(batch({1, 64}, "x"));
    const int32_t hidden = model.tensor(batch({1, 128}, "hidden"));
    const int32_t sums = model.tensor(batch({1, 10}, "sums"));
    const int32_t y = model.tensor(batch({1, 10}, "y"));
    // The seeds are those of the ONNX net's layers.
    dense(model, x, hidden, made_up_weights({64, 128}, 101), made_up_weights({128}, 102), kRelu);
    dense(model, hidden, sums, made_up_weights({128, 10}, 103), made_up_weights({10}, 104),
          kNoActivation);
    model.op("SOFTMAX", {sums}, {y}, FlatTable().number(0, 1.0F));
    model.set_outputs({y});
    return artefact_of(model);
  }
  Made heavy(size_t byte_size) const override {
    TfModel model;
    const int32_t x = model.input({TfType::kFloat32, {4}, "", {}, {}, 0, false, {}, "x"});
    const int32_t y = model.tensor({TfType::kFloat32, {4}, "", {}, {}, 0, false, {}, "y"});
    const auto rows = static_cast<int32_t>(byte_size / (4 * sizeof(float)));
    const int32_t all = model.tensor({TfType::kFloat32, {rows, 4}});
    const int32_t weights =
        model.constant({rows, 4}, std::vector<float>(static_cast<size_t>(rows) * 4, 0.5F));
    model.op("ADD", {weights, x}, {all});
    model.op("MEAN", {all, model.ints({0})}, {y});
    model.set_outputs({y});
    return artefact_of(model);
  }
  Made loop() const override;
  Made conv_net(bool) const override { return no_such("the convolutional net"); }
  Made non_zero() const override { return no_such("the model of NonZero's form"); }
  Made strings() const override { return no_such("the model of strings"); }
  Made mixed() const override { return no_such("the model of NonZero's form"); }

 private:
  static TfTensor batch(Shape shape, std::string name) {
    TfTensor tensor{TfType::kFloat32, shape};
    tensor.name = std::move(name);
    tensor.signature = std::move(shape);
    tensor.signature[0] = -1;
    return tensor;
  }
  static base::Status no_such(std::string_view what) {
    return absl::UnimplementedError(
        base::str_cat("the suite has ", what, " in ONNX only, which this engine does not take"));
  }
};

// Graph 1 is the condition, graph 2 a turn.
ModelKit::Made TfliteKit::loop() const {
  const Shape row{1, static_cast<int32_t>(kLoopWidth)};
  const auto named = [&row](std::string name) {
    TfTensor tensor{TfType::kFloat32, row};
    tensor.name = std::move(name);
    return tensor;
  };
  TfModel model;
  const int32_t x = model.input(named("x"));
  const int32_t y = model.tensor(named("y"));
  model.op("WHILE", {x}, {y}, FlatTable().number(0, int32_t{1}).number(1, int32_t{2}));
  model.set_outputs({y});
  model.begin_graph();
  const int32_t seen = model.input(named("seen"));
  const int32_t first = model.tensor({TfType::kFloat32, {1, 1}});
  const int32_t number = model.tensor({TfType::kFloat32, {1}});
  const int32_t goes_on = model.tensor({TfType::kBool, {1}});
  model.op("SLICE", {seen, model.ints({0, 0}), model.ints({1, 1})}, {first});
  model.op("RESHAPE", {first, model.ints({1})}, {number});
  model.op("GREATER", {number, model.constant({1}, {0.5F})}, {goes_on});
  model.set_outputs({goes_on});
  model.begin_graph();
  const int32_t carried = model.input(named("carried"));
  const int32_t next = model.tensor(named("next"));
  Array step{{kLoopWidth}, std::vector<double>(static_cast<size_t>(kLoopWidth), 0.0)};
  step.values[0] = -1;
  dense(model, carried, next, loop_weights(), step, kNoActivation);
  model.set_outputs({next});
  return artefact_of(model);
}

}  // namespace

const ModelKit& tflite_kit() {
  static const TfliteKit kKit;
  return kKit;
}

}  // namespace supernova::conformance
