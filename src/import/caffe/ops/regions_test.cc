#include "import/caffe/test_case.h"

namespace supernova::import::caffe {
namespace {

using namespace testing_;  // NOLINT
using testing::ElementsAre;
using testing::HasSubstr;

TEST(CaffeRegions, PoolsTheLargest) {
  const std::string net = input_layer("data", {1, 1, 2, 4}) + input_layer("rois", {2, 5}) +
                          "layer { name: \"op\" type: \"ROIPooling\" bottom: \"data\" bottom: "
                          "\"rois\" top: \"out\" roi_pooling_param { pooled_h: 1 pooled_w: 2 "
                          "spatial_scale: 0.5 } }";
  const auto got = run_net(net, {},
                           {float_tensor("data", {1, 1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}),
                            float_tensor("rois", {2, 5}, {0, 0, 0, 6, 2, 0, 0, 0, 2, 0})});
  EXPECT_THAT(numbers(got), ElementsAre(6, 8, 1, 2));
}

std::string position_sensitive(int64_t channels, const std::string& params) {
  return input_layer("data", {1, channels, 2, 4}) + input_layer("rois", {3, 5}) +
         "layer { name: \"op\" type: \"PSROIPooling\" bottom: \"data\" bottom: \"rois\" top: "
         "\"out\" psroi_pooling_param { " +
         params + " } }";
}

// Channel 2 i + j holds 100 times its number plus 1 to 8. The first region is the whole picture,
// the second one pixel of it, which all bins share; the third lies outside.
TEST(CaffeRegions, PoolsEachBinFromItsOwnChannel) {
  std::vector<float> data;
  for (int channel = 0; channel < 4; ++channel) {
    for (int i = 1; i <= 8; ++i) data.push_back(static_cast<float>(100 * channel + i));
  }
  const auto got =
      run_net(position_sensitive(4, "spatial_scale: 0.5 output_dim: 1 group_size: 2"), {},
              {float_tensor("data", {1, 4, 2, 4}, data),
               float_tensor("rois", {3, 5}, {0, 0, 0, 7, 3, 0, 2, 2, 3, 3, 0, 90, 90, 99, 99})});
  EXPECT_THAT(numbers(got), ElementsAre(1.5, 103.5, 205.5, 307.5, 6, 106, 206, 306, 0, 0, 0, 0));
}

TEST(CaffeRegions, RefusesChannelsThatDontFit) {
  EXPECT_THAT(refusal(position_sensitive(5, "spatial_scale: 1 output_dim: 1 group_size: 2")),
              HasSubstr("needs 1 x 2 x 2 channels, not 5"));
  EXPECT_THAT(refusal(position_sensitive(4, "spatial_scale: 1 output_dim: 1")),
              HasSubstr("has 0 groups of 1"));
}

}  // namespace
}  // namespace supernova::import::caffe
