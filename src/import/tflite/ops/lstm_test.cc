#include <cmath>

#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using test::float_tensor;
using test::some_floats;

constexpr int kCells = 2;
constexpr int kIn = 3;
constexpr int kTime = 4;

// Weights of one layer, all numbers on a grid so that the reference is easy to write.
struct Weights {
  std::vector<float> w[4], r[4], bias[4], peephole[3];
  explicit Weights(bool peepholes) {
    for (uint32_t g = 0; g < 4; ++g) {
      w[g] = some_floats(kCells * kIn, 10 + g);
      r[g] = some_floats(kCells * kCells, 20 + g);
      bias[g] = some_floats(kCells, 30 + g);
      if (peepholes && g < 3) peephole[g] = some_floats(kCells, 40 + g);
    }
  }
};

struct Variant {
  bool peepholes = false;
  bool coupled = false;
  float clip = 0;
};

std::vector<float> reference(const Weights& weights, const std::vector<float>& x,
                             const Variant& variant) {
  std::vector<float> h(kCells, 0), c(kCells, 0), out;
  for (int t = 0; t < kTime; ++t) {
    std::vector<float> next_h(kCells), next_c(kCells);
    for (int n = 0; n < kCells; ++n) {
      const auto gate = [&](int g) {
        float z = weights.bias[g][n];
        for (int i = 0; i < kIn; ++i) z += weights.w[g][n * kIn + i] * x[t * kIn + i];
        for (int i = 0; i < kCells; ++i) z += weights.r[g][n * kCells + i] * h[i];
        return z;
      };
      const auto sigmoid = [](float z) { return 1 / (1 + std::exp(-z)); };
      const auto look = [&](int which, float cell) {
        return variant.peepholes ? weights.peephole[which][n] * cell : 0;
      };
      const float f = sigmoid(gate(1) + look(1, c[n]));
      const float i = variant.coupled ? 1 - f : sigmoid(gate(0) + look(0, c[n]));
      float cell = f * c[n] + i * std::tanh(gate(2));
      if (variant.clip > 0) cell = std::clamp(cell, -variant.clip, variant.clip);
      next_c[n] = cell;
      next_h[n] = sigmoid(gate(3) + look(2, cell)) * std::tanh(cell);
    }
    h = next_h;
    c = next_c;
    out.insert(out.end(), h.begin(), h.end());
  }
  return out;
}

TfModel layer(const Weights& weights, const Variant& variant, int32_t time = kTime) {
  TfModel model;
  std::vector<int32_t> inputs{model.input({TfType::kFloat32, {1, time, kIn}})};
  const auto four = [&](const std::vector<float>* of, std::vector<int32_t> shape) {
    for (int g = 0; g < 4; ++g) {
      inputs.push_back(variant.coupled && g == 0 ? -1 : model.constant(shape, of[g]));
    }
  };
  four(weights.w, {kCells, kIn});
  four(weights.r, {kCells, kCells});
  for (int g = 0; g < 3; ++g) {
    const bool there = variant.peepholes && !(variant.coupled && g == 0);
    inputs.push_back(there ? model.constant({kCells}, weights.peephole[g]) : -1);
  }
  four(weights.bias, {kCells});
  inputs.insert(inputs.end(), {-1, -1});
  for (int i = 0; i < 2; ++i) {
    inputs.push_back(model.tensor({TfType::kFloat32, {1, kCells}, "", {}, {}, 0, true}));
  }
  const auto y = model.tensor({TfType::kFloat32, {1, time, kCells}});
  model.op("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, {y},
           FlatTable().number(0, int8_t{4}).number(1, variant.clip));
  model.set_outputs({y});
  return model;
}

TEST(TfliteLstm, PlainPeepholesCoupledAndClipped) {
  const auto x = some_floats(kTime * kIn, 7);
  for (const Variant variant : {Variant{}, Variant{true}, Variant{false, true}, Variant{true, true},
                                Variant{true, false, 0.2F}}) {
    SCOPED_TRACE(base::str_cat(variant.peepholes, variant.coupled, variant.clip));
    const Weights weights(variant.peepholes);
    EXPECT_THAT(run_floats(layer(weights, variant), {float_tensor("t0", {1, kTime, kIn}, x)}),
                near(reference(weights, x, variant)));
  }
}

// One sequence, brought in parts, gives what it gives at once.
TEST(TfliteLstm, StateIsInputsAndOutputsOnRequest) {
  const auto x = some_floats(kTime * kIn, 7);
  const auto from = [&](int first, int count) {
    return std::vector<float>(x.begin() + first * kIn, x.begin() + (first + count) * kIn);
  };
  for (const Variant variant : {Variant{}, Variant{true, true, 0.2F}}) {
    for (const int time : {1, 2}) {
      SCOPED_TRACE(base::str_cat(variant.clip, " ", time));
      const Weights weights(variant.peepholes);
      const TfModel model = layer(weights, variant, time);
      const auto described = imported(model.file(), {{"state", "tensors"}});
      ASSERT_TRUE(described.ok()) << described.status();
      ASSERT_EQ(described->description.inputs.size(), 3U);
      EXPECT_THAT(described->description.notes, testing::IsEmpty());
      std::vector<tensor::Tensor> requests;
      for (int at = 0; at < kTime; at += time) {
        requests.push_back(float_tensor("t0", {1, time, kIn}, from(at, time)));
      }
      std::vector<tensor::Tensor> start;
      for (const size_t i : {1, 2}) {
        const auto& info = described->description.inputs[i];
        start.push_back(float_tensor(info.name, {1, kCells}, {0, 0}));
      }
      std::vector<float> got;
      for (const auto& part : run_stream(model, requests, start)) {
        for (const float value : test::values_of<float>(part)) got.push_back(value);
      }
      EXPECT_THAT(got, near(reference(weights, x, variant)));
    }
  }
}

// The plain one is ONNX's own operator.
TEST(TfliteLstm, PlainLayersAreOneOperator) {
  const auto plain = imported(layer(Weights(false), {}).file());
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->artefact.bytes.view().find("Scan"), std::string_view::npos);
  const auto clipped = imported(layer(Weights(false), {false, false, 1}).file());
  ASSERT_TRUE(clipped.ok());
  EXPECT_NE(clipped->artefact.bytes.view().find("Scan"), std::string_view::npos);
}

TEST(TfliteLstm, RefusesAnInputWithoutTime) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1, kIn}});
  const auto y = model.tensor({TfType::kFloat32, {1, kCells}});
  model.op("UNIDIRECTIONAL_SEQUENCE_LSTM", {x}, {y});
  model.set_outputs({y});
  EXPECT_THAT(refusal(model), HasSubstr("the input must have three axes"));
}

TEST(TfliteLstm, RefusesMissingWeights) {
  TfModel model;
  const auto x = model.input({TfType::kFloat32, {1, 2, kIn}});
  const auto y = model.tensor({TfType::kFloat32, {1, kCells}});
  model.op("UNIDIRECTIONAL_SEQUENCE_LSTM", {x}, {y});
  model.set_outputs({y});
  EXPECT_THAT(refusal(model), HasSubstr("is missing"));
}

}  // namespace
}  // namespace supernova::import::tflite
