#include <limits>

#include "import/caffe/test_case.h"

namespace supernova::import::caffe {
namespace {

using namespace testing_;  // NOLINT
using testing::ElementsAre;
using testing::HasSubstr;

struct Geometry {
  int64_t size, kernel, stride, pad;
};

// Caffe's rule for one axis.
int64_t pooled(const Geometry& g) {
  const double room = static_cast<double>(g.size + 2 * g.pad - g.kernel);
  auto out = static_cast<int64_t>(std::ceil(room / static_cast<double>(g.stride))) + 1;
  if (g.pad > 0 && (out - 1) * g.stride >= g.size + g.pad) --out;
  return out;
}

// Caffe's Forward_cpu for a square image, one number at a time.
Floats reference(const Geometry& g, const Floats& x, bool average) {
  Floats y;
  for (int64_t h = 0; h < pooled(g); ++h) {
    for (int64_t w = 0; w < pooled(g); ++w) {
      const int64_t h0 = h * g.stride - g.pad;
      const int64_t w0 = w * g.stride - g.pad;
      const int64_t h1 = std::min(h0 + g.kernel, g.size + g.pad);
      const int64_t w1 = std::min(w0 + g.kernel, g.size + g.pad);
      float best = -std::numeric_limits<float>::max();
      float sum = 0;
      for (int64_t i = std::max<int64_t>(h0, 0); i < std::min(h1, g.size); ++i) {
        for (int64_t j = std::max<int64_t>(w0, 0); j < std::min(w1, g.size); ++j) {
          best = std::max(best, x[static_cast<size_t>(i * g.size + j)]);
          sum += x[static_cast<size_t>(i * g.size + j)];
        }
      }
      y.push_back(average ? sum / static_cast<float>((h1 - h0) * (w1 - w0)) : best);
    }
  }
  return y;
}

TEST(CaffePooling, EveryGeometryMatchesCaffesLoops) {
  for (int64_t size = 1; size <= 8; ++size) {
    for (int64_t kernel = 1; kernel <= 4; ++kernel) {
      for (int64_t stride = 1; stride <= 3; ++stride) {
        for (int64_t pad = 0; pad < std::min<int64_t>(kernel, 3); ++pad) {
          const Geometry g{size, kernel, stride, pad};
          // A window that lies outside of the image is Caffe's own undefined corner.
          const bool empty = (pooled(g) - 1) * stride - pad >= size;
          if (pooled(g) < 1 || empty) continue;
          SCOPED_TRACE(base::str_cat(size, " k", kernel, " s", stride, " p", pad));
          const Floats x = some_floats(static_cast<size_t>(size * size), 5);
          for (const bool average : {false, true}) {
            const auto got =
                run_net(net_of({1, 1, size, size}, "Pooling",
                               base::str_cat("pooling_param { pool: ", average ? "AVE" : "MAX",
                                             " kernel_size: ", kernel, " stride: ", stride,
                                             " pad: ", pad, " }")),
                        {}, {float_tensor("data", {1, 1, size, size}, x)});
            expect_near(numbers(got), reference(g, x, average), 1e-5F);
            if (testing::Test::HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

TEST(CaffePooling, AWindowBehindTheImageGivesTheLeastNumber) {
  const auto got =
      run_net(net_of({1, 1, 4, 4}, "Pooling", "pooling_param { kernel_size: 1 stride: 2 }"), {},
              {float_tensor("data", {1, 1, 4, 4}, some_floats(16))});
  EXPECT_THAT(shape_of(got), ElementsAre(1, 1, 3, 3));
  EXPECT_EQ(numbers(got).back(), -std::numeric_limits<float>::max());
}

TEST(CaffePooling, GlobalAndRoundedDown) {
  const Floats x{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  const auto global =
      run_net(net_of({1, 2, 1, 5}, "Pooling", "pooling_param { pool: AVE global_pooling: true }"),
              {}, {float_tensor("data", {1, 2, 1, 5}, x)});
  EXPECT_THAT(numbers(global), ElementsAre(3, 8));
  for (const char* how : {"round_mode: FLOOR", "ceil_mode: false"}) {
    const auto down = run_net(
        net_of({1, 2, 1, 5}, "Pooling",
               base::str_cat("pooling_param { kernel_h: 1 kernel_w: 2 stride: 2 ", how, " }")),
        {}, {float_tensor("data", {1, 2, 1, 5}, x)});
    EXPECT_THAT(numbers(down), ElementsAre(2, 4, 7, 9));
  }
}

// The same numbers with sizes that are known only at run time.
TEST(CaffePooling, ImagesOfAnySize) {
  for (const char* params :
       {"kernel_size: 2 stride: 2", "kernel_size: 3 stride: 2", "kernel_size: 3 stride: 2 pad: 1",
        "kernel_size: 3 stride: 1 pad: 1", "pool: AVE kernel_size: 3 stride: 2",
        "pool: AVE global_pooling: true", "global_pooling: true",
        "kernel_size: 2 stride: 2 round_mode: FLOOR"}) {
    for (const int64_t size : {5, 6, 7, 8}) {
      SCOPED_TRACE(base::str_cat(params, " ", size));
      const std::string layer = base::str_cat("pooling_param { ", params, " }");
      const Floats x = some_floats(static_cast<size_t>(size * size), 3);
      const std::vector<tensor::Tensor> inputs{float_tensor("data", {1, 1, size, size}, x)};
      const auto open = run_net(net_of({1, 1, 9, 9}, "Pooling", layer), {}, inputs,
                                {{"input_shape.data", "-1,1,-1,-1"}});
      const auto known = run_net(net_of({1, 1, size, size}, "Pooling", layer), {}, inputs);
      EXPECT_EQ(shape_of(open), shape_of(known));
      expect_near(numbers(open), numbers(known), 1e-6F);
    }
  }
  EXPECT_THAT(refusal(net_of({1, 1, 9, 9}, "Pooling", "pooling_param { kernel_size: 2 stride: 3 }"),
                      {}, {{"input_shape.data", "-1,1,-1,-1"}}),
              HasSubstr("images of a known size"));
}

TEST(CaffePooling, TheMaskTellsWhereInTheChannelsPlane) {
  const std::string net =
      input_layer("data", {1, 2, 2, 2}) +
      "layer { name: \"op\" type: \"Pooling\" bottom: \"data\" top: \"out\" top: \"mask\" "
      "pooling_param { kernel_size: 2 stride: 2 } }";
  const auto got = run_net(net, {}, {float_tensor("data", {1, 2, 2, 2}, {1, 9, 3, 4, 5, 6, 8, 7})});
  EXPECT_THAT(numbers(got), ElementsAre(9, 8));
  EXPECT_THAT(numbers(got, "mask"), ElementsAre(1, 2));
}

TEST(CaffeSpp, JoinsThePyramid) {
  const auto got = run_net(net_of({1, 1, 4, 4}, "SPP", "spp_param { pyramid_height: 2 }"), {},
                           {float_tensor("data", {1, 1, 4, 4},
                                         {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})});
  EXPECT_THAT(numbers(got), ElementsAre(16, 6, 8, 14, 16));
}

TEST(CaffePooling, RefusesWhatCannotBe) {
  const auto pool = [](const std::string& params) {
    return refusal(net_of({1, 1, 5, 5}, "Pooling", "pooling_param { " + params + " }"));
  };
  EXPECT_THAT(pool("pool: STOCHASTIC kernel_size: 2"), HasSubstr("STOCHASTIC is not supported"));
  EXPECT_THAT(pool("kernel_size: 2 pad: 2"), HasSubstr("pad 2 is not less than"));
  EXPECT_THAT(pool("kernel_size: 2 stride: 0"), HasSubstr("stride is 0"));
  EXPECT_THAT(pool("kernel_size: 0"), HasSubstr("kernel_size is 0"));
  EXPECT_THAT(pool("pool: MEDIAN kernel_size: 2"), HasSubstr("not one of MAX, AVE"));
  EXPECT_THAT(refusal(net_of({1, 5}, "Pooling", "pooling_param { kernel_size: 2 }")),
              HasSubstr("of 2 axes"));
}

}  // namespace
}  // namespace supernova::import::caffe
