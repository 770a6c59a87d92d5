#include "conformance/operator_cases.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "import/graph/write_onnx.h"

namespace supernova::conformance {
namespace {

using import::graph::Attributes;
using import::graph::Builder;
using import::graph::Constant;
using import::graph::Value;
using tensor::DataType;
using Arrays = std::vector<Array>;
using Values = OperatorCase::Values;

// ---- operators on one element at a time

OperatorCase unary(const std::string& op, double (*function)(double), double low = -2,
                   double high = 2, double tolerance = 1e-4) {
  return {op,
          {{DataType::kFp32, {2, 3, 17}, low, high}},
          [op](Builder& b, const Values& x) { return b.op(op, x); },
          [function](const Arrays& x) {
            Array y = x[0];
            for (double& value : y.values) value = function(value);
            return y;
          },
          tolerance};
}

OperatorCase binary(const std::string& op, std::function<double(double, double)> f,
                    const std::string& suffix = "", tensor::Shape other = {2, 3, 5},
                    DataType type = DataType::kFp32, double low = -3, double high = 3) {
  return {op + suffix,
          {{type, {2, 3, 5}, low, high}, {type, std::move(other), low, high}},
          [op](Builder& b, const Values& x) { return b.op(op, x); },
          [f = std::move(f)](const Arrays& x) { return broadcast(x[0], x[1], f); },
          1e-4};
}

double erf_of(double x) { return std::erf(x); }

void add_elementwise(std::vector<OperatorCase>& cases) {
  cases.push_back(unary("Relu", [](double x) { return std::max(x, 0.0); }));
  cases.push_back(unary("Sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }));
  cases.push_back(unary("Tanh", [](double x) { return std::tanh(x); }));
  cases.push_back(unary("Exp", [](double x) { return std::exp(x); }));
  cases.push_back(unary(
      "Log", [](double x) { return std::log(x); }, 0.125, 4));
  cases.push_back(unary(
      "Sqrt", [](double x) { return std::sqrt(x); }, 0, 4));
  cases.push_back(unary(
      "Reciprocal", [](double x) { return 1 / x; }, 0.25, 4));
  cases.push_back(unary("Abs", [](double x) { return std::abs(x); }));
  cases.push_back(unary("Neg", [](double x) { return -x; }));
  cases.push_back(unary("Floor", [](double x) { return std::floor(x); }));
  cases.push_back(unary("Ceil", [](double x) { return std::ceil(x); }));
  cases.push_back(unary("Round", [](double x) { return std::nearbyint(x); }));
  cases.push_back(unary("Sin", [](double x) { return std::sin(x); }));
  cases.push_back(unary("Cos", [](double x) { return std::cos(x); }));
  cases.push_back(unary("Erf", &erf_of));
  cases.push_back(unary("Softplus", [](double x) { return std::log1p(std::exp(x)); }));
  cases.push_back(unary("Softsign", [](double x) { return x / (1 + std::abs(x)); }));
  cases.push_back(unary("Elu", [](double x) { return x < 0 ? std::expm1(x) : x; }));
  cases.push_back(unary("LeakyRelu", [](double x) { return x < 0 ? 0.01 * x : x; }));
  cases.push_back(unary(
      "HardSigmoid", [](double x) { return std::clamp(0.2 * x + 0.5, 0.0, 1.0); }, -4, 4));
  cases.push_back(binary("Add", [](double a, double b) { return a + b; }));
  cases.push_back(binary("Add", [](double a, double b) { return a + b; }, ", broadcast", {3, 1}));
  cases.push_back(binary("Sub", [](double a, double b) { return a - b; }, ", scalar", {}));
  cases.push_back(binary("Mul", [](double a, double b) { return a * b; }, ", one axis", {5}));
  cases.push_back(binary(
      "Div", [](double a, double b) { return a / b; }, "", {2, 3, 5}, DataType::kFp32, 0.5, 3));
  cases.push_back(binary(
      "Pow", [](double a, double b) { return std::pow(a, b); }, "", {2, 3, 5}, DataType::kFp32, 0.5,
      2));
  cases.push_back(binary("Min", [](double a, double b) { return std::min(a, b); }));
  cases.push_back(binary("Max", [](double a, double b) { return std::max(a, b); }));
  cases.push_back(binary("PRelu", [](double x, double slope) { return x < 0 ? slope * x : x; },
                         ", by channel", {3, 1}));
  cases.push_back({"Clip",
                   {{DataType::kFp32, {2, 3, 5}, -3, 3}},
                   [](Builder& b, const Values& x) { return b.clip(x[0], -0.5F, 1.5F); },
                   [](const Arrays& x) {
                     Array y = x[0];
                     for (double& value : y.values) value = std::clamp(value, -0.5, 1.5);
                     return y;
                   },
                   1e-6});
  cases.push_back({"Greater and Where",
                   {{DataType::kFp32, {4, 5}}, {DataType::kFp32, {4, 5}}},
                   [](Builder& b, const Values& x) {
                     return b.op("Where", {b.op("Greater", x), x[0], b.op("Neg", {x[1]})});
                   },
                   [](const Arrays& x) {
                     return broadcast(x[0], x[1],
                                      [](double a, double c) { return a > c ? a : -c; });
                   },
                   1e-6});
}

// ---- sums over axes

void add_reductions(std::vector<OperatorCase>& cases) {
  struct Kind {
    const char* op;
    double start;
    double (*step)(double, double);
    bool mean;
  };
  for (const Kind& kind :
       {Kind{"ReduceSum", 0, [](double a, double b) { return a + b; }, false},
        Kind{"ReduceMean", 0, [](double a, double b) { return a + b; }, true},
        Kind{"ReduceMax", -1e30, [](double a, double b) { return std::max(a, b); }, false},
        Kind{"ReduceMin", 1e30, [](double a, double b) { return std::min(a, b); }, false},
        Kind{"ReduceProd", 1, [](double a, double b) { return a * b; }, false}}) {
    cases.push_back(
        {kind.op,
         {{DataType::kFp32, {3, 4, 5}}},
         [op = kind.op](Builder& b, const Values& x) { return b.reduce(op, x[0], {1}, true); },
         [kind](const Arrays& x) {
           Array y{{x[0].dim(0), 1, x[0].dim(2)}, {}};
           for (int64_t i = 0; i < x[0].dim(0); ++i) {
             for (int64_t k = 0; k < x[0].dim(2); ++k) {
               double sum = kind.start;
               for (int64_t j = 0; j < 4; ++j) sum = kind.step(sum, x[0].at({i, j, k}));
               y.values.push_back(kind.mean ? sum / 4 : sum);
             }
           }
           return y;
         },
         1e-4});
  }
  cases.push_back(
      {"Softmax",
       {{DataType::kFp32, {4, 11}, -5, 5}},
       [](Builder& b, const Values& x) {
         return b.op("Softmax", x, {{"axis", int64_t{-1}}});
       },
       [](const Arrays& x) {
         Array y = x[0];
         for (int64_t row = 0; row < y.dim(0); ++row) {
           double sum = 0;
           for (int64_t i = 0; i < 11; ++i) sum += std::exp(x[0].at({row, i}));
           for (int64_t i = 0; i < 11; ++i) {
             y.values[static_cast<size_t>(row * 11 + i)] = std::exp(x[0].at({row, i})) / sum;
           }
         }
         return y;
       },
       1e-4});
  cases.push_back({"ArgMax",
                   {{DataType::kFp32, {4, 9}}},
                   [](Builder& b, const Values& x) {
                     return b.op("ArgMax", x, {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}});
                   },
                   [](const Arrays& x) {
                     Array y{{x[0].dim(0)}, {}};
                     for (int64_t row = 0; row < x[0].dim(0); ++row) {
                       int64_t best = 0;
                       for (int64_t i = 1; i < 9; ++i) {
                         if (x[0].at({row, i}) > x[0].at({row, best})) best = i;
                       }
                       y.values.push_back(static_cast<double>(best));
                     }
                     return y;
                   },
                   0});
}

// ---- matrices and convolutions

Value* weights(Builder& b, const std::vector<int64_t>& shape, uint64_t seed, double size = 0.5) {
  const Array array = made_up_weights(to_shape(shape), seed, size);
  return b.constant(
      Constant::floats(shape, std::vector<float>(array.values.begin(), array.values.end())));
}

OperatorCase matmul(const std::string& name, tensor::Shape a, int64_t columns) {
  const int64_t depth = a.back();
  return {name,
          {{DataType::kFp32, std::move(a)}},
          [depth, columns](Builder& b, const Values& x) {
            return b.op("MatMul", {x[0], weights(b, {depth, columns}, 3)});
          },
          [depth, columns](const Arrays& x) {
            const Array w = made_up_weights({depth, columns}, 3);
            Array y{x[0].shape, {}};
            y.shape.back() = columns;
            const auto rows = static_cast<int64_t>(x[0].values.size()) / depth;
            for (int64_t i = 0; i < rows; ++i) {
              for (int64_t j = 0; j < columns; ++j) {
                double sum = 0;
                for (int64_t k = 0; k < depth; ++k) {
                  sum += x[0].values[static_cast<size_t>(i * depth + k)] * w.at({k, j});
                }
                y.values.push_back(sum);
              }
            }
            return y;
          },
          2e-3};
}

Attributes attributes_of(const Window& w) {
  return {{"kernel_shape", std::vector<int64_t>{w.kernel, w.kernel}},
          {"strides", std::vector<int64_t>{w.stride, w.stride}},
          {"pads", std::vector<int64_t>{w.pad, w.pad, w.pad, w.pad}}};
}

// Calls `see` with every input element under the window at (y, x) of a channel.
void under(const Array& in, const Window& w, int64_t n, int64_t c, int64_t y, int64_t x,
           const std::function<void(int64_t, int64_t, double)>& see) {
  for (int64_t ky = 0; ky < w.kernel; ++ky) {
    for (int64_t kx = 0; kx < w.kernel; ++kx) {
      const int64_t iy = y * w.stride - w.pad + ky * w.dilation;
      const int64_t ix = x * w.stride - w.pad + kx * w.dilation;
      if (iy < 0 || ix < 0 || iy >= in.dim(2) || ix >= in.dim(3)) continue;
      see(ky, kx, in.at({n, c, iy, ix}));
    }
  }
}

template <typename Pixel>
Array every_pixel(const Array& in, const Window& w, int64_t channels, Pixel pixel) {
  Array out{{in.dim(0), channels, w.of(in.dim(2)), w.of(in.dim(3))}, {}};
  for (int64_t n = 0; n < out.dim(0); ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t y = 0; y < out.dim(2); ++y) {
        for (int64_t x = 0; x < out.dim(3); ++x) out.values.push_back(pixel(n, c, y, x));
      }
    }
  }
  return out;
}

OperatorCase convolution(const std::string& name, const Window& w, int64_t in, int64_t out,
                         int64_t size) {
  const std::vector<int64_t> shape{out, in / w.group, w.kernel, w.kernel};
  return {name,
          {{DataType::kFp32, {2, in, size, size + 2}}},
          [w, shape, out](Builder& b, const Values& x) {
            Attributes attributes = attributes_of(w);
            attributes.emplace_back("group", w.group);
            attributes.emplace_back("dilations", std::vector<int64_t>{w.dilation, w.dilation});
            return b.op("Conv", {x[0], weights(b, shape, 5), weights(b, {out}, 6)}, attributes);
          },
          [w, shape, out](const Arrays& x) {
            return convolved(x[0], w, made_up_weights(to_shape(shape), 5),
                             made_up_weights({out}, 6));
          },
          2e-3};
}

OperatorCase pooling(const std::string& name, const std::string& op, const Window& w) {
  return {name,
          {{DataType::kFp32, {2, 3, 8, 10}}},
          [w, op](Builder& b, const Values& x) { return b.op(op, x, attributes_of(w)); },
          [w, op](const Arrays& x) { return pooled(x[0], w, op); },
          1e-4};
}

void add_windows(std::vector<OperatorCase>& cases) {
  cases.push_back(matmul("MatMul", {5, 24}, 7));
  cases.push_back(matmul("MatMul, large", {64, 256}, 128));
  cases.push_back(matmul("MatMul, three axes", {2, 3, 16}, 4));
  cases.push_back(convolution("Conv 1x1", {1, 1, 0, 1, 1}, 8, 16, 9));
  cases.push_back(convolution("Conv 3x3", {3, 1, 1, 1, 1}, 3, 8, 12));
  cases.push_back(convolution("Conv 3x3, stride 2", {3, 2, 1, 1, 1}, 3, 8, 13));
  cases.push_back(convolution("Conv 3x3, dilation 2", {3, 1, 2, 2, 1}, 4, 4, 11));
  cases.push_back(convolution("Conv 3x3, depthwise", {3, 1, 1, 1, 8}, 8, 8, 10));
  cases.push_back(convolution("Conv 5x5, two groups", {5, 1, 2, 1, 2}, 4, 6, 9));
  cases.push_back(pooling("MaxPool 2x2", "MaxPool", {2, 2, 0, 1, 1}));
  cases.push_back(pooling("MaxPool 3x3, padded", "MaxPool", {3, 2, 1, 1, 1}));
  cases.push_back(pooling("AveragePool 3x3, padded", "AveragePool", {3, 1, 1, 1, 1}));
  cases.push_back({"GlobalAveragePool",
                   {{DataType::kFp32, {2, 5, 6, 7}}},
                   [](Builder& b, const Values& x) { return b.op("GlobalAveragePool", x); },
                   [](const Arrays& x) {
                     Array y{{2, 5, 1, 1}, {}};
                     y.shape[0] = x[0].dim(0);
                     for (int64_t i = 0; i < x[0].dim(0) * 5; ++i) {
                       double sum = 0;
                       for (size_t p = 0; p < 42; ++p) {
                         sum += x[0].values[static_cast<size_t>(i) * 42 + p];
                       }
                       y.values.push_back(sum / 42);
                     }
                     return y;
                   },
                   1e-4});
}

// ---- operators that move numbers

OperatorCase moved(const std::string& name, tensor::Shape in, const tensor::Shape& out,
                   std::function<Value*(Builder&, Value*)> build,
                   std::function<double(const Array&, const std::vector<int64_t>&)> element) {
  return {name,
          {{DataType::kFp32, std::move(in)}},
          [build = std::move(build)](Builder& b, const Values& x) { return build(b, x[0]); },
          [out, element = std::move(element)](const Arrays& x) {
            Array y{out, {}};
            int64_t count = 1;
            for (const int64_t size : out) count *= size;
            std::vector<int64_t> index(out.size(), 0);
            for (int64_t i = 0; i < count; ++i) {
              y.values.push_back(element(x[0], index));
              for (size_t axis = out.size(); axis-- > 0;) {
                if (++index[axis] < out[axis]) break;
                index[axis] = 0;
              }
            }
            return y;
          },
          0};
}

using Index = const std::vector<int64_t>&;

void add_movers(std::vector<OperatorCase>& cases) {
  cases.push_back(moved(
      "Transpose", {2, 3, 4}, {4, 2, 3},
      [](Builder& b, Value* x) {
        return b.transpose(x, {2, 0, 1});
      },
      [](const Array& x, Index i) {
        return x.at({i[1], i[2], i[0]});
      }));
  cases.push_back(moved(
      "Reshape", {2, 3, 4}, {6, 4},
      [](Builder& b, Value* x) {
        return b.reshape(x, {-1, 4});
      },
      [](const Array& x, Index i) { return x.values[static_cast<size_t>(i[0] * 4 + i[1])]; }));
  cases.push_back(moved(
      "Slice with steps", {5, 8}, {5, 3},
      [](Builder& b, Value* x) { return b.slice(x, {1}, {7}, {1}, {2}); },
      [](const Array& x, Index i) {
        return x.at({i[0], 1 + 2 * i[1]});
      }));
  cases.push_back(moved(
      "Concat", {3, 4}, {3, 8},
      [](Builder& b, Value* x) {
        return b.concat({x, b.op("Neg", {x})}, 1);
      },
      [](const Array& x, Index i) {
        return i[1] < 4 ? x.at({i[0], i[1]}) : -x.at({i[0], i[1] - 4});
      }));
  cases.push_back(moved(
      "Split", {3, 6}, {3, 4},
      [](Builder& b, Value* x) {
        return b.split(x, 1, {2, 4})[1];
      },
      [](const Array& x, Index i) {
        return x.at({i[0], i[1] + 2});
      }));
  cases.push_back(moved(
      "Gather", {4, 5}, {4, 3},
      [](Builder& b, Value* x) {
        return b.gather(x, b.ints({4, 0, 2}), 1);
      },
      [](const Array& x, Index i) {
        constexpr int64_t kAt[] = {4, 0, 2};
        return x.at({i[0], kAt[i[1]]});
      }));
  cases.push_back(moved(
      "Pad", {2, 3}, {2, 6},
      [](Builder& b, Value* x) {
        return b.pad(x, {{0, 0}, {1, 2}});
      },
      [](const Array& x, Index i) {
        return i[1] < 1 || i[1] > 3 ? 0.0 : x.at({i[0], i[1] - 1});
      }));
  cases.push_back(moved(
      "Expand", {3, 1}, {3, 4},
      [](Builder& b, Value* x) {
        return b.op("Expand", {x, b.ints({1, 4})});
      },
      [](const Array& x, Index i) {
        return x.at({i[0], 0});
      }));
  cases.push_back(moved(
      "Tile", {2, 3}, {2, 6},
      [](Builder& b, Value* x) {
        return b.op("Tile", {x, b.ints({1, 2})});
      },
      [](const Array& x, Index i) {
        return x.at({i[0], i[1] % 3});
      }));
  cases.push_back(moved(
      "Resize, nearest", {1, 2, 3, 4}, {1, 2, 6, 8},
      [](Builder& b, Value* x) {
        return b.resize(x, "nearest", "asymmetric", b.ints({1, 2, 6, 8}));
      },
      [](const Array& x, Index i) {
        return x.at({i[0], i[1], i[2] / 2, i[3] / 2});
      }));
}

// ---- as the CPU runtime gives them

void add_compared(std::vector<OperatorCase>& cases) {
  const CaseInput image{DataType::kFp32, {1, 4, 7, 9}, -2, 2};
  cases.push_back({"Resize, linear",
                   {image},
                   [](Builder& b, const Values& x) {
                     return b.resize(x[0], "linear", "half_pixel", b.ints({1, 4, 14, 18}));
                   },
                   nullptr,
                   1e-4});
  cases.push_back(
      {"BatchNormalization",
       {image},
       [](Builder& b, const Values& x) {
         const auto positive = b.constant(Constant::floats({4}, {1, 2, 0.5F, 3}));
         return b.op("BatchNormalization",
                     {x[0], weights(b, {4}, 7), weights(b, {4}, 8), weights(b, {4}, 9), positive});
       },
       nullptr,
       1e-4});
  cases.push_back({"ConvTranspose",
                   {image},
                   [](Builder& b, const Values& x) {
                     return b.op("ConvTranspose", {x[0], weights(b, {4, 3, 3, 3}, 10)},
                                 {{"strides", std::vector<int64_t>{2, 2}},
                                  {"kernel_shape", std::vector<int64_t>{3, 3}}});
                   },
                   nullptr,
                   2e-3});
  cases.push_back({"Quantised Conv (QDQ)",
                   {image},
                   [](Builder& b, const Values& x) {
                     const auto scale = b.scalar(0.03125F);
                     const auto zero =
                         b.constant(Constant::of<uint8_t>(DataType::kUint8, {}, {128}));
                     const auto seen = b.dequantize(b.quantize(x[0], scale, zero), scale, zero);
                     const auto y = b.op("Conv", {seen, weights(b, {4, 4, 3, 3}, 11)},
                                         {{"kernel_shape", std::vector<int64_t>{3, 3}}});
                     return b.dequantize(b.quantize(y, scale, zero), scale, zero);
                   },
                   nullptr,
                   2e-2});
  cases.push_back({"LSTM",
                   {{DataType::kFp32, {5, 2, 6}, -1, 1}},
                   [](Builder& b, const Values& x) {
                     return b.op_outputs(
                         "LSTM", {x[0], weights(b, {1, 32, 6}, 12), weights(b, {1, 32, 8}, 13)},
                         {{"hidden_size", int64_t{8}}}, 1)[0];
                   },
                   nullptr,
                   2e-3});
}

// ---- all datatypes

OperatorCase typed(const std::string& op, DataType type, double low, double high) {
  OperatorCase made;
  made.name = op + " " + std::string(tensor::data_type_name(type));
  made.tolerance = type == DataType::kFp16 ? 2e-3 : type == DataType::kBf16 ? 2e-2 : 1e-6;
  made.inputs = {{type, {3, 7}, low, high}, {type, {3, 7}, low, high}};
  if (op == "Identity" || op == "Cast") made.inputs.pop_back();
  made.build = [op](Builder& b, const Values& x) {
    return op == "Cast" ? b.cast(x[0], DataType::kFp32) : b.op(op, x);
  };
  made.expected = [op](const Arrays& x) {
    if (x.size() == 1) return x[0];
    return broadcast(x[0], x[1], [&](double a, double b) {
      return op == "Add" ? a + b : op == "Mul" ? a * b : a == b ? 1.0 : 0.0;
    });
  };
  return made;
}

}  // namespace

int64_t Window::of(int64_t size) const {
  return (size + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
}

Array made_up_weights(const tensor::Shape& shape, uint64_t seed, double size) {
  return made_up(DataType::kFp32, shape, -size, size, seed);
}

Array broadcast(const Array& a, const Array& b, const std::function<double(double, double)>& f) {
  Array y = a;
  std::vector<int64_t> index(a.shape.size(), 0);
  for (size_t i = 0; i < a.values.size(); ++i) {
    size_t offset = 0;
    const size_t skipped = a.shape.size() - b.shape.size();
    for (size_t axis = 0; axis < b.shape.size(); ++axis) {
      const int64_t at = b.shape[axis] == 1 ? 0 : index[axis + skipped];
      offset = offset * static_cast<size_t>(b.shape[axis]) + static_cast<size_t>(at);
    }
    y.values[i] = f(a.values[i], b.values[offset]);
    for (size_t axis = a.shape.size(); axis-- > 0;) {
      if (++index[axis] < a.shape[axis]) break;
      index[axis] = 0;
    }
  }
  return y;
}

Array convolved(const Array& x, const Window& window, const Array& weights, const Array& bias) {
  const int64_t channels = weights.dim(0);
  return every_pixel(x, window, channels, [&](int64_t n, int64_t c, int64_t y, int64_t px) {
    double sum = bias.at({c});
    const int64_t first = c / (channels / window.group) * weights.dim(1);
    for (int64_t i = 0; i < weights.dim(1); ++i) {
      under(x, window, n, first + i, y, px, [&](int64_t ky, int64_t kx, double value) {
        sum += value * weights.at({c, i, ky, kx});
      });
    }
    return sum;
  });
}

Array pooled(const Array& x, const Window& window, std::string_view op) {
  return every_pixel(x, window, x.dim(1), [&](int64_t n, int64_t c, int64_t y, int64_t px) {
    double sum = 0;
    double largest = -std::numeric_limits<double>::infinity();
    int count = 0;
    under(x, window, n, c, y, px, [&](int64_t, int64_t, double value) {
      sum += value;
      largest = std::max(largest, value);
      ++count;
    });
    return op == "MaxPool" ? largest : sum / count;
  });
}

std::vector<OperatorCase> operator_cases() {
  std::vector<OperatorCase> cases;
  add_elementwise(cases);
  add_reductions(cases);
  add_windows(cases);
  add_movers(cases);
  add_compared(cases);
  return cases;
}

std::vector<OperatorCase> data_type_cases() {
  struct Range {
    DataType type;
    double low;
    double high;
  };
  std::vector<OperatorCase> cases;
  for (const Range& range :
       {Range{DataType::kUint8, 0, 11}, Range{DataType::kInt8, -8, 8},
        Range{DataType::kUint16, 0, 99}, Range{DataType::kInt16, -99, 99},
        Range{DataType::kUint32, 0, 999}, Range{DataType::kInt32, -999, 999},
        Range{DataType::kUint64, 0, 999}, Range{DataType::kInt64, -999, 999},
        Range{DataType::kFp16, -4, 4}, Range{DataType::kBf16, -4, 4}, Range{DataType::kFp32, -4, 4},
        Range{DataType::kFp64, -4, 4}, Range{DataType::kBool, 0, 1}}) {
    cases.push_back(typed("Identity", range.type, range.low, range.high));
    cases.push_back(typed("Cast", range.type, range.low, range.high));
    if (range.type == DataType::kBool) continue;
    cases.push_back(typed("Add", range.type, range.low, range.high));
    cases.push_back(typed("Mul", range.type, range.low, range.high));
    cases.push_back(typed("Equal", range.type, range.low, range.high));
  }
  return cases;
}

base::Result<tensor::Artefact> to_artefact(const OperatorCase& operator_case) {
  if (operator_case.artefact) return operator_case.artefact();
  import::graph::Model model;
  model.producer_name = "supernova conformance";
  Builder builder(model);
  builder.enter(operator_case.name, operator_case.name);
  Values inputs;
  for (const CaseInput& input : operator_case.inputs) {
    auto dims = import::graph::to_dims({input.shape.begin(), input.shape.end()});
    inputs.push_back(builder.input("x" + std::to_string(inputs.size()),
                                   import::graph::Type::of(input.type, std::move(dims))));
  }
  builder.output(operator_case.build(builder, inputs), "y");
  SN_TRY(builder.finish());
  SN_ASSIGN(auto imported, import::graph::finish_import(model, {}));
  return std::move(imported.artefact);
}

}  // namespace supernova::conformance
