#include "import/caffe/test_case.h"

namespace supernova::import::caffe {
namespace {

using namespace testing_;  // NOLINT
using testing::ElementsAre;
using testing::HasSubstr;

TEST(CaffeInterp, CornersStayCorners) {
  const auto row = [](const std::string& params) {
    return numbers(run_net(net_of({1, 1, 1, 3}, "Interp", "interp_param { " + params + " }"), {},
                           {float_tensor("data", {1, 1, 1, 3}, {0, 10, 40})}));
  };
  expect_near(row("height: 1 width: 5"), {0, 5, 10, 25, 40});
  expect_near(row("zoom_factor: 2"), {0, 5, 10, 25, 40});
  expect_near(row("shrink_factor: 2"), {0, 40});
  const std::string like =
      input_layer("data", {1, 1, 1, 3}) + input_layer("like", {1, 2, 1, 2}) +
      "layer { name: \"op\" type: \"Interp\" bottom: \"data\" bottom: \"like\" "
      "top: \"out\" }";
  expect_near(numbers(run_net(like, {},
                              {float_tensor("data", {1, 1, 1, 3}, {0, 10, 40}),
                               float_tensor("like", {1, 2, 1, 2}, {0, 0, 0, 0})})),
              {0, 40});
}

TEST(CaffeInterp, NegativePadsCut) {
  const auto got = run_net(
      net_of({1, 1, 3, 3}, "Interp", "interp_param { height: 1 width: 2 pad_beg: -1 pad_end: 0 }"),
      {}, {float_tensor("data", {1, 1, 3, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8})});
  expect_near(numbers(got), {4, 5});
}

TEST(CaffeUpsample, WithoutAMaskPixelsAreRepeated) {
  const auto got = run_net(net_of({1, 1, 1, 2}, "Upsample", "upsample_param { scale: 2 }"), {},
                           {float_tensor("data", {1, 1, 1, 2}, {1, 2})});
  EXPECT_THAT(numbers(got), ElementsAre(1, 1, 2, 2, 1, 1, 2, 2));
}

TEST(CaffeUpsample, WithAMaskMaximaGoBackWhereTheyWere) {
  const std::string net =
      input_layer("data", {1, 2, 2, 3}) +
      "layer { name: \"p\" type: \"Pooling\" bottom: \"data\" top: \"pool\" top: \"mask\" "
      "pooling_param { kernel_size: 2 stride: 2 } }"
      "layer { name: \"op\" type: \"Upsample\" bottom: \"pool\" bottom: \"mask\" top: \"out\" "
      "upsample_param { scale: 2 upsample_h: 2 upsample_w: 3 } }";
  const auto got =
      run_net(net, {}, {float_tensor("data", {1, 2, 2, 3}, {1, 5, 2, 4, 3, 9, 6, 0, 0, 0, 0, 1})});
  EXPECT_THAT(numbers(got), ElementsAre(0, 5, 0, 0, 0, 9, 6, 0, 0, 0, 0, 1));
}

TEST(CaffeResize, RefusesWhatCannotBe) {
  EXPECT_THAT(refusal(net_of({1, 1, 2, 2}, "Interp", "interp_param { height: 0 width: 5 }")),
              HasSubstr("makes 0 of a size of 2"));
  EXPECT_THAT(refusal(net_of({1, 1, 2, 2}, "Interp", "interp_param { zoom_factor: 99999999 }")),
              HasSubstr("makes 0"));
  EXPECT_THAT(refusal(net_of({1, 1, 2, 2}, "Upsample", "upsample_param { mode: BILINEAR }")),
              HasSubstr("BILINEAR is not supported"));
}

}  // namespace
}  // namespace supernova::import::caffe
