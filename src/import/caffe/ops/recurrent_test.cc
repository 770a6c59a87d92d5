#include "import/caffe/test_case.h"

namespace supernova::import::caffe {
namespace {

using namespace testing_;  // NOLINT
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kSteps = 3;
constexpr int64_t kStreams = 2;
constexpr int64_t kInputs = 4;
constexpr int64_t kHidden = 3;

float sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

// row * W^T for W [outputs, row's size]
Floats product(const Floats& row, const Floats& weights, size_t outputs) {
  Floats out(outputs, 0);
  for (size_t o = 0; o < outputs; ++o) {
    for (size_t i = 0; i < row.size(); ++i) out[o] += row[i] * weights[o * row.size() + i];
  }
  return out;
}

Floats row_of(const Floats& all, size_t index, size_t size) {
  const auto begin = all.begin() + static_cast<int64_t>(index * size);
  return {begin, begin + static_cast<int64_t>(size)};
}

std::string net(const std::string& type, const std::string& more, const std::string& tops,
                const std::string& inputs = "") {
  return input_layer("x", {kSteps, kStreams, kInputs}) + input_layer("cont", {kSteps, kStreams}) +
         inputs + "layer { name: \"op\" type: \"" + type + "\" bottom: \"x\" bottom: \"cont\" " +
         more + " top: \"out\" " + tops + " }";
}

struct LstmStep {
  Floats h, c;
};

LstmStep lstm_step(const Floats& gates, const LstmStep& before, float cont) {
  LstmStep out{Floats(kHidden), Floats(kHidden)};
  for (size_t d = 0; d < kHidden; ++d) {
    const float forget = cont * sigmoid(gates[kHidden + d]);
    out.c[d] = forget * before.c[d] + sigmoid(gates[d]) * std::tanh(gates[3 * kHidden + d]);
    out.h[d] = sigmoid(gates[2 * kHidden + d]) * std::tanh(out.c[d]);
  }
  return out;
}

TEST(CaffeLstm, MatchesItsStepsOneByOne) {
  const Blob wx = blob_of({4 * kHidden, kInputs}, 1);
  const Blob b = blob_of({4 * kHidden}, 2);
  const Blob wh = blob_of({4 * kHidden, kHidden}, 3);
  const Floats x = some_floats(kSteps * kStreams * kInputs, 4);
  const Floats cont{0, 1, 1, 0, 1, 1};
  Floats expected(kSteps * kStreams * kHidden);
  for (size_t n = 0; n < kStreams; ++n) {
    LstmStep state{Floats(kHidden), Floats(kHidden)};
    for (size_t t = 0; t < kSteps; ++t) {
      const float go_on = cont[t * kStreams + n];
      for (float& value : state.h) value *= go_on;
      Floats gates = product(row_of(x, t * kStreams + n, kInputs), wx.values, 4 * kHidden);
      const Floats carried = product(state.h, wh.values, 4 * kHidden);
      for (size_t i = 0; i < gates.size(); ++i) gates[i] += carried[i] + b.values[i];
      state = lstm_step(gates, state, go_on);
      std::copy(state.h.begin(), state.h.end(),
                expected.begin() + static_cast<int64_t>((t * kStreams + n) * kHidden));
    }
  }
  const auto got =
      run_net(net("LSTM", "", "recurrent_param { num_output: 3 }"), {{"op", {wx, b, wh}}},
              {float_tensor("x", {kSteps, kStreams, kInputs}, x),
               float_tensor("cont", {kSteps, kStreams}, cont)});
  expect_near(numbers(got), expected);
  EXPECT_THAT(shape_of(got), ElementsAre(kSteps, kStreams, kHidden));
}

TEST(CaffeLstm, ExposedStatesGoInAndOut) {
  const Blob wx = blob_of({4 * kHidden, kInputs}, 1);
  const Blob b = blob_of({4 * kHidden}, 2);
  const Blob wh = blob_of({4 * kHidden, kHidden}, 3);
  const std::string inputs =
      input_layer("h0", {1, kStreams, kHidden}) + input_layer("c0", {1, kStreams, kHidden});
  const auto got = run_net(
      net("LSTM", "bottom: \"h0\" bottom: \"c0\"",
          "top: \"hT\" top: \"cT\" recurrent_param { num_output: 3 expose_hidden: true }", inputs),
      {{"op", {wx, b, wh}}},
      {float_tensor("x", {kSteps, kStreams, kInputs}, some_floats(24, 4)),
       float_tensor("cont", {kSteps, kStreams}, {1, 1, 1, 1, 1, 1}),
       float_tensor("h0", {1, kStreams, kHidden}, some_floats(6, 5)),
       float_tensor("c0", {1, kStreams, kHidden}, some_floats(6, 6))});
  const Floats all = numbers(got);
  ASSERT_EQ(all.size(), 18);
  expect_near(numbers(got, "hT"), {all.end() - 6, all.end()});
  EXPECT_THAT(shape_of(got, "cT"), ElementsAre(1, kStreams, kHidden));
}

TEST(CaffeRnn, MatchesItsStepsOneByOne) {
  const Blob wx = blob_of({kHidden, kInputs}, 1);
  const Blob b = blob_of({kHidden}, 2);
  const Blob ws = blob_of({kHidden, 2}, 7);
  const Blob wh = blob_of({kHidden, kHidden}, 3);
  const Blob wo = blob_of({kHidden, kHidden}, 4);
  const Blob bo = blob_of({kHidden}, 5);
  const Floats x = some_floats(kSteps * kStreams * kInputs, 6);
  const Floats fixed = some_floats(kStreams * 2, 8);
  Floats expected(kSteps * kStreams * kHidden);
  for (size_t n = 0; n < kStreams; ++n) {
    Floats h(kHidden, 0);
    for (size_t t = 0; t < kSteps; ++t) {
      Floats next = product(row_of(x, t * kStreams + n, kInputs), wx.values, kHidden);
      const Floats still = product(row_of(fixed, n, 2), ws.values, kHidden);
      const Floats carried = product(h, wh.values, kHidden);
      for (size_t i = 0; i < kHidden; ++i) {
        next[i] = std::tanh(next[i] + still[i] + carried[i] + b.values[i]);
      }
      h = next;
      const Floats out = product(h, wo.values, kHidden);
      for (size_t i = 0; i < kHidden; ++i) {
        expected[(t * kStreams + n) * kHidden + i] = std::tanh(out[i] + bo.values[i]);
      }
    }
  }
  const auto got = run_net(net("RNN", "bottom: \"fixed\"", "recurrent_param { num_output: 3 }",
                               input_layer("fixed", {kStreams, 2})),
                           {{"op", {wx, b, ws, wh, wo, bo}}},
                           {float_tensor("x", {kSteps, kStreams, kInputs}, x),
                            float_tensor("cont", {kSteps, kStreams}, {1, 1, 1, 1, 1, 1}),
                            float_tensor("fixed", {kStreams, 2}, fixed)});
  expect_near(numbers(got), expected);
}

TEST(CaffeRecurrent, RefusesWhatCannotBe) {
  EXPECT_THAT(refusal(net("LSTM", "", "recurrent_param { num_output: 0 }")),
              HasSubstr("num_output is 0"));
  EXPECT_THAT(
      refusal(input_layer("x", {5000, 1, 2}) + input_layer("cont", {5000, 1}) +
              "layer { name: \"op\" type: \"LSTM\" bottom: \"x\" bottom: \"cont\" top: \"y\" "
              "recurrent_param { num_output: 2 } }"),
      HasSubstr("5000 steps"));
}

}  // namespace
}  // namespace supernova::import::caffe
