#include "import/caffe/test_case.h"

namespace supernova::import::caffe {
namespace {

using namespace testing_;  // NOLINT
using testing::ElementsAre;
using testing::HasSubstr;

struct Geometry {
  int64_t in, size, out, group, kernel, stride, pad, dilation;
};

int64_t conv_size(const Geometry& g) {
  return (g.size + 2 * g.pad - (g.dilation * (g.kernel - 1) + 1)) / g.stride + 1;
}

float at(const Floats& values, int64_t index) { return values[static_cast<size_t>(index)]; }

// The definition, one number at a time.
Floats convolved(const Geometry& g, const Floats& x, const Floats& w, const Floats& bias) {
  const int64_t n = conv_size(g);
  const int64_t in_group = g.in / g.group;
  Floats y;
  for (int64_t o = 0; o < g.out; ++o) {
    for (int64_t h = 0; h < n; ++h) {
      for (int64_t v = 0; v < n; ++v) {
        float sum = at(bias, o);
        for (int64_t c = 0; c < in_group; ++c) {
          for (int64_t i = 0; i < g.kernel * g.kernel; ++i) {
            const int64_t yy = h * g.stride - g.pad + i / g.kernel * g.dilation;
            const int64_t xx = v * g.stride - g.pad + i % g.kernel * g.dilation;
            if (yy < 0 || xx < 0 || yy >= g.size || xx >= g.size) continue;
            const int64_t channel = o / (g.out / g.group) * in_group + c;
            sum += at(x, (channel * g.size + yy) * g.size + xx) *
                   at(w, (o * in_group + c) * g.kernel * g.kernel + i);
          }
        }
        y.push_back(sum);
      }
    }
  }
  return y;
}

std::string conv_params(const Geometry& g) {
  return base::str_cat("convolution_param { num_output: ", g.out, " group: ", g.group,
                       " kernel_size: ", g.kernel, " stride: ", g.stride, " pad: ", g.pad,
                       " dilation: ", g.dilation, " }");
}

TEST(CaffeConvolution, EveryGeometryMatchesTheDefinition) {
  for (const Geometry& g : {Geometry{2, 7, 3, 1, 3, 1, 1, 1},
                            {2, 7, 4, 2, 3, 2, 0, 1},
                            {4, 8, 4, 4, 3, 1, 1, 2},
                            {3, 5, 2, 1, 1, 2, 0, 1},
                            {1, 9, 2, 1, 5, 3, 2, 1}}) {
    SCOPED_TRACE(conv_params(g));
    const Floats x = some_floats(static_cast<size_t>(g.in * g.size * g.size));
    const Blob w = blob_of({g.out, g.in / g.group, g.kernel, g.kernel}, 2);
    const Blob b = blob_of({g.out}, 3);
    const auto got =
        run_net(net_of({1, g.in, g.size, g.size}, "Convolution", conv_params(g)), {{"op", {w, b}}},
                {float_tensor("data", {1, g.in, g.size, g.size}, x)});
    expect_near(numbers(got), convolved(g, x, w.values, b.values));
    EXPECT_THAT(shape_of(got), ElementsAre(1, g.out, conv_size(g), conv_size(g)));
  }
}

TEST(CaffeConvolution, TakesASizePerAxisAndNoBias) {
  const auto got = run_net(
      net_of({1, 1, 3, 4}, "Convolution",
             "convolution_param { num_output: 1 kernel_h: 1 kernel_w: 2 stride_h: 2 stride_w: 1 "
             "bias_term: false }"),
      {{"op", {{{1, 1, 1, 2}, {10, 1}}}}},
      {float_tensor("data", {1, 1, 3, 4}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})});
  EXPECT_THAT(numbers(got), ElementsAre(12, 23, 34, 100, 111, 122));
}

TEST(CaffeConvolution, OneLayerMayServeSeveralBottoms) {
  const std::string net = input_layer("a", {1, 1, 1, 2}) + input_layer("b", {1, 1, 1, 2}) +
                          "layer { name: \"op\" type: \"Convolution\" bottom: \"a\" bottom: \"b\" "
                          "top: \"x\" top: \"y\" "
                          "convolution_param { num_output: 1 kernel_size: 1 bias_term: false } }";
  const auto got =
      run_net(net, {{"op", {{{1, 1, 1, 1}, {3}}}}},
              {float_tensor("a", {1, 1, 1, 2}, {1, 2}), float_tensor("b", {1, 1, 1, 2}, {5, 6})});
  EXPECT_THAT(numbers(got, "x"), ElementsAre(3, 6));
  EXPECT_THAT(numbers(got, "y"), ElementsAre(15, 18));
}

TEST(CaffeConvolution, AHoleIsADilation) {
  const auto got = run_net(
      net_of(
          {1, 1, 1, 3}, "Convolution",
          "convolution_param { num_output: 1 kernel_h: 1 kernel_w: 2 hole: 2 bias_term: false }"),
      {{"op", {{{1, 1, 1, 2}, {1, 10}}}}}, {float_tensor("data", {1, 1, 1, 3}, {1, 2, 3})});
  EXPECT_THAT(numbers(got), ElementsAre(31));
}

TEST(CaffeConvolution, DepthwiseFormsNeedNoGroup) {
  for (const char* type : {"DepthwiseConvolution", "ConvolutionDepthwise"}) {
    const auto got = run_net(
        net_of({1, 2, 1, 1}, type,
               "convolution_param { num_output: 2 kernel_size: 1 bias_term: false }"),
        {{"op", {{{2, 1, 1, 1}, {10, 100}}}}}, {float_tensor("data", {1, 2, 1, 1}, {3, 4})});
    EXPECT_THAT(numbers(got), ElementsAre(30, 400));
  }
}

TEST(CaffeDeconvolution, SpreadsTheKernelOverTheStride) {
  const auto got =
      run_net(net_of({1, 1, 1, 2}, "Deconvolution",
                     "convolution_param { num_output: 1 kernel_h: 1 kernel_w: 3 stride: 2 }"),
              {{"op", {{{1, 1, 1, 3}, {1, 2, 3}}, {{1}, {0.5}}}}},
              {float_tensor("data", {1, 1, 1, 2}, {1, 10})});
  EXPECT_THAT(numbers(got), ElementsAre(1.5, 2.5, 13.5, 20.5, 30.5));
}

TEST(CaffeDeconvolution, BilinearFillerStandsForWeightsThatWereNotSaved) {
  const std::string net = net_of({1, 1, 2, 2}, "Deconvolution",
                                 "convolution_param { num_output: 1 kernel_size: 2 stride: 2 "
                                 "bias_term: false weight_filler { type: \"bilinear\" } }");
  const auto got =
      run_net(net, {{"other", {{{1}, {1}}}}}, {float_tensor("data", {1, 1, 2, 2}, {1, 2, 3, 4})});
  // A kernel of two: one quarter everywhere.
  expect_near(numbers(got),
              {0.25, 0.25, 0.5, 0.5, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1, 1, 0.75, 0.75, 1, 1});
}

TEST(CaffeInnerProduct, FlattensFromTheAxisOn) {
  const Floats x{1, 2, 3, 4, 5, 6, 7, 8};
  const std::vector<Trained> weights{{"op", {{{2, 4}, {1, 0, 0, 0, 1, 1, 1, 1}}, {{2}, {0, 100}}}}};
  const auto whole =
      run_net(net_of({2, 1, 2, 2}, "InnerProduct", "inner_product_param { num_output: 2 }"),
              weights, {float_tensor("data", {2, 1, 2, 2}, x)});
  EXPECT_THAT(numbers(whole), ElementsAre(1, 110, 5, 126));
  EXPECT_THAT(shape_of(whole), ElementsAre(2, 2));
  const auto inner =
      run_net(net_of({1, 2, 4}, "InnerProduct", "inner_product_param { num_output: 2 axis: 2 }"),
              weights, {float_tensor("data", {1, 2, 4}, x)});
  EXPECT_THAT(numbers(inner), ElementsAre(1, 110, 5, 126));
  EXPECT_THAT(shape_of(inner), ElementsAre(1, 2, 2));
}

TEST(CaffeInnerProduct, TakesTransposedAndOldShapedWeights) {
  const auto transposed =
      run_net(net_of({1, 2}, "InnerProduct",
                     "inner_product_param { num_output: 3 transpose: true bias_term: false }"),
              {{"op", {{{2, 3}, {1, 2, 3, 10, 20, 30}}}}}, {float_tensor("data", {1, 2}, {1, 2})});
  EXPECT_THAT(numbers(transposed), ElementsAre(21, 42, 63));
  const auto old =
      run_net(net_of({1, 2}, "InnerProduct", "inner_product_param { num_output: 1 }"),
              {{"op", {{{1, 2}, {1, 2}, Form::kOldShape}, {{1}, {5}, Form::kOldShape}}}},
              {float_tensor("data", {1, 2}, {3, 4})});
  EXPECT_THAT(numbers(old), ElementsAre(16));
}

TEST(CaffeConvolution, RefusesWhatCannotBe) {
  const auto conv = [](const std::string& params) {
    return refusal(net_of({1, 4, 5, 5}, "Convolution", "convolution_param { " + params + " }"),
                   {{"op", {blob_of({2, 4, 3, 3}), blob_of({2})}}});
  };
  EXPECT_EQ(conv("num_output: 2 kernel_size: 3"), "imported");
  EXPECT_THAT(conv("num_output: 2 kernel_size: 3 group: 0"), HasSubstr("group 0"));
  EXPECT_THAT(conv("num_output: 2 kernel_size: 3 group: 3"), HasSubstr("group 3 does not divide"));
  EXPECT_THAT(conv("num_output: 0 kernel_size: 3"), HasSubstr("num_output is 0"));
  EXPECT_THAT(conv("num_output: 2 kernel_size: 0"), HasSubstr("kernel_size is 0"));
  EXPECT_THAT(conv("num_output: 2 kernel_size: 3 pad: -1"), HasSubstr("pad is -1"));
  EXPECT_THAT(conv("num_output: 2 kernel_size: 3 stride: 0"), HasSubstr("stride is 0"));
  EXPECT_THAT(conv("num_output: 2 kernel_size: 9"), HasSubstr("does not fit into 5"));
  EXPECT_THAT(conv("num_output: 2"), HasSubstr("no kernel_size"));
  EXPECT_THAT(conv("num_output: 3 kernel_size: 3"),
              HasSubstr("blob 0 has shape [2,4,3,3] where the layer needs [3,4,3,3]"));
  EXPECT_THAT(conv("num_output: many kernel_size: 3"), HasSubstr("is 'many', not a whole number"));
}

}  // namespace
}  // namespace supernova::import::caffe
