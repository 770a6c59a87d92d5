#include "import/caffe/test_case.h"

namespace supernova::import::caffe {
namespace {

using namespace testing_;  // NOLINT
using testing::ElementsAre;
using testing::HasSubstr;

std::string prior_net(const std::string& params) {
  return input_layer("data", {1, 4, 1, 2}) + input_layer("image", {1, 3, 50, 100}) +
         "layer { name: \"op\" type: \"PriorBox\" bottom: \"data\" bottom: \"image\" top: \"out\" "
         "prior_box_param { " +
         params + " } }";
}

base::Result<Results> priors(const std::string& params) {
  return run_net(prior_net(params), {},
                 {float_tensor("data", {1, 4, 1, 2}, Floats(8)),
                  float_tensor("image", {1, 3, 50, 100}, Floats(15000))});
}

TEST(CaffePriorBox, BoxesAroundEachPlace) {
  const auto got = priors("min_size: 10.9 max_size: 40 variance: 0.1 clip: false");
  EXPECT_THAT(shape_of(got), ElementsAre(1, 2, 16));
  // Sizes are whole pixels; the second box has a side of sqrt(10 * 40). Centres at 25 and 75.
  expect_near(numbers(got),
              {0.2, 0.4, 0.3, 0.6, 0.15, 0.3, 0.35, 0.7, 0.7, 0.4, 0.8, 0.6, 0.65, 0.3, 0.85, 0.7,
               0.1, 0.1, 0.1, 0.1, 0.1,  0.1, 0.1,  0.1, 0.1, 0.1, 0.1, 0.1, 0.1,  0.1, 0.1,  0.1});
}

TEST(CaffePriorBox, RatiosStepsOffsetsAndClipping) {
  const auto got = priors(
      "min_size: 20 aspect_ratio: 4 aspect_ratio: 1 flip: true clip: true step: 10 offset: 0 "
      "variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2");
  EXPECT_THAT(shape_of(got), ElementsAre(1, 2, 24));
  const Floats values = numbers(got);
  ASSERT_EQ(values.size(), 48);
  // At (0, 0): a square, 40 x 10 and 10 x 40.
  expect_near({values.begin(), values.begin() + 12},
              {0, 0, 0.1, 0.2, 0, 0, 0.2, 0.1, 0, 0, 0.05, 0.4});
  expect_near({values.begin() + 24, values.begin() + 28}, {0.1, 0.1, 0.2, 0.2});
}

TEST(CaffePriorBox, RefusesWhatCannotBe) {
  EXPECT_THAT(refusal(prior_net("")), HasSubstr("sizes above zero"));
  EXPECT_THAT(refusal(prior_net("min_size: 20 max_size: 10")), HasSubstr("above each min_size"));
  EXPECT_THAT(refusal(prior_net("min_size: 2 variance: 1 variance: 2")), HasSubstr("2 variances"));
  EXPECT_THAT(refusal(prior_net("fixed_size: 2")), HasSubstr("fixed_size is not supported"));
}

// Three boxes given as they are (CORNER, variances in the target), two of them almost the same.
std::string detection_net(const std::string& params, int64_t images = 1, int64_t groups = 1) {
  return input_layer("loc", {images, 12 * groups}) + input_layer("conf", {images, 9}) +
         input_layer("prior", {1, 2, 12}) +
         "layer { name: \"op\" type: \"DetectionOutput\" bottom: \"loc\" bottom: \"conf\" bottom: "
         "\"prior\" top: \"out\" detection_output_param { num_classes: 3 code_type: CORNER "
         "variance_encoded_in_target: true nms_param { nms_threshold: 0.5 } " +
         params + " } }";
}

const Floats& boxes() {
  static const Floats kBoxes{0, 0, 1, 1, 0, 0, 1, 0.9, 0.5, 0.5, 0.6, 0.6};
  return kBoxes;
}
const Floats& scores() {  // background, 1, 2 for each box
  static const Floats kScores{0.1, 0.8, 0.1, 0.0, 0.9, 0.3, 0.2, 0.1, 0.7};
  return kScores;
}

base::Result<Results> detect(const std::string& params, const tensor::Options& options = {}) {
  return run_net(detection_net(params), {},
                 {float_tensor("loc", {1, 12}, boxes()), float_tensor("conf", {1, 9}, scores()),
                  float_tensor("prior", {1, 2, 12}, Floats(24))},
                 options);
}

TEST(CaffeDetectionOutput, KeepsTheBestOfEachClassBestFirst) {
  const auto got = detect("keep_top_k: 4 confidence_threshold: 0.05");
  EXPECT_THAT(shape_of(got), ElementsAre(1, 1, 4, 7));
  expect_near(numbers(got), {0, 1, 0.9, 0,   0,   1,   0.9,  //
                             0, 2, 0.7, 0.5, 0.5, 0.6, 0.6,  //
                             0, 2, 0.3, 0,   0,   1,   0.9,  //
                             0, 1, 0.1, 0.5, 0.5, 0.6, 0.6});
}

TEST(CaffeDetectionOutput, FillsUpWithZero) {
  expect_near(numbers(detect("keep_top_k: 3 confidence_threshold: 0.5")),
              {0, 1, 0.9, 0, 0, 1, 0.9, 0, 2, 0.7, 0.5, 0.5, 0.6, 0.6, 0, 0, 0, 0, 0, 0, 0});
  expect_near(numbers(detect("keep_top_k: 1 confidence_threshold: 0.95")), Floats(7, 0));
}

TEST(CaffeDetectionOutput, ExactlyAsCaffeByClassAndMinusOneForNothing) {
  const auto got = detect("keep_top_k: 3 confidence_threshold: 0.05", {{"detections", "exact"}});
  expect_near(numbers(got), {0, 1, 0.9, 0,   0,   1,   0.9,  //
                             0, 2, 0.7, 0.5, 0.5, 0.6, 0.6,  //
                             0, 2, 0.3, 0,   0,   1,   0.9});
  const auto none = detect("keep_top_k: 3 confidence_threshold: 0.95", {{"detections", "exact"}});
  expect_near(numbers(none), {0, -1, -1, -1, -1, -1, -1});
  // Without keep_top_k nothing is filled up.
  expect_near(numbers(detect("confidence_threshold: 0.85")), {0, 1, 0.9, 0, 0, 1, 0.9});
}

TEST(CaffeDetectionOutput, TopKLimitsWhatIsLookedAt) {
  const auto got = run_net(
      input_layer("loc", {1, 12}) + input_layer("conf", {1, 9}) + input_layer("prior", {1, 2, 12}) +
          "layer { name: \"op\" type: \"DetectionOutput\" bottom: \"loc\" bottom: \"conf\" bottom: "
          "\"prior\" top: \"out\" detection_output_param { num_classes: 3 code_type: CORNER "
          "variance_encoded_in_target: true nms_param { nms_threshold: 0.5 top_k: 1 } keep_top_k: "
          "2 } }",
      {},
      {float_tensor("loc", {1, 12}, boxes()), float_tensor("conf", {1, 9}, scores()),
       float_tensor("prior", {1, 2, 12}, Floats(24))});
  expect_near(numbers(got), {0, 1, 0.9, 0, 0, 1, 0.9, 0, 2, 0.7, 0.5, 0.5, 0.6, 0.6});
}

TEST(CaffeDetectionOutput, ImagesAndLocationsPerClass) {
  Floats loc(72);  // [2 images, 3 boxes, 3 classes, 4]
  for (size_t i = 0; i < loc.size(); i += 4) {
    loc[i + 2] = 0.1F * static_cast<float>(i / 4 % 9 + 1);  // every box has a width of its own
    loc[i + 3] = 1;
  }
  const auto got = run_net(
      detection_net("keep_top_k: 1 share_location: false background_label_id: 1 "
                    "confidence_threshold: 0.05",
                    2, 3),
      {},
      {float_tensor("loc", {2, 36}, loc),
       float_tensor("conf", {2, 9}, {0, 9, 0, 0, 9, 0.6, 0, 9, 0, 0, 9, 0, 0, 9, 0, 0.7, 9, 0}),
       float_tensor("prior", {1, 2, 12}, Floats(24))});
  expect_near(numbers(got), {0, 2, 0.6, 0, 0, 0.6, 1, 1, 0, 0.7, 0, 0, 0.7, 1});
}

TEST(CaffeDetectionOutput, DecodesCentresAndSizes) {
  const std::string net =
      input_layer("loc", {1, 4}) + input_layer("conf", {1, 2}) + input_layer("prior", {1, 2, 4}) +
      "layer { name: \"op\" type: \"DetectionOutput\" bottom: \"loc\" bottom: \"conf\" bottom: "
      "\"prior\" top: \"out\" detection_output_param { num_classes: 2 code_type: CENTER_SIZE "
      "keep_top_k: 1 } }";
  const auto got =
      run_net(net, {},
              {float_tensor("loc", {1, 4}, {1, 2, std::log(2.0F) / 0.2F, 0}),
               float_tensor("conf", {1, 2}, {0.2, 0.8}),
               float_tensor("prior", {1, 2, 4}, {0, 0, 0.4, 0.2, 0.1, 0.1, 0.2, 0.2})});
  // Centre (0.2 + 0.04, 0.1 + 0.04), size (0.8, 0.2).
  expect_near(numbers(got), {0, 1, 0.8, -0.16, 0.04, 0.64, 0.24});
}

TEST(CaffeDetectionOutput, RefusesWhatCannotBe) {
  EXPECT_THAT(refusal(detection_net("nms_param { eta: 0.9 }")), HasSubstr("eta other than 1"));
  EXPECT_THAT(refusal(detection_net("share_location: false")),
              HasSubstr("its bottoms have shapes"));
  EXPECT_THAT(refusal(detection_net("keep_top_k: 4"), {}, {{"detections", "some"}}),
              HasSubstr("'padded' or 'exact'"));
}

}  // namespace
}  // namespace supernova::import::caffe
