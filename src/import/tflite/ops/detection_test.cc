#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using tensor::DataType;
using test::float_tensor;

const std::vector<float> kBoxes{0, 0, 1, 1, 0, 0.1F, 1, 1.1F, 2, 2, 3, 3};

TEST(TfliteDetection, SuppressesOverlapsAndFillsUpWithZeros) {
  TfModel model;
  const auto boxes = model.input({TfType::kFloat32, {3, 4}});
  const auto scores = model.input({TfType::kFloat32, {3}});
  const auto chosen = model.tensor({TfType::kInt32, {3}});
  const auto values = model.tensor({TfType::kFloat32, {3}});
  const auto count = model.tensor({TfType::kInt32, {}});
  model.op("NON_MAX_SUPPRESSION_V5",
           {boxes, scores, model.int_scalar(3), model.constant({}, {0.5F}),
            model.constant({}, {0.1F}), model.constant({}, {0})},
           {chosen, values, count});
  model.set_outputs({chosen, values, count});
  const std::vector<tensor::Tensor> inputs{float_tensor("t0", {3, 4}, kBoxes),
                                           float_tensor("t1", {3}, {0.3F, 0.9F, 0.5F})};
  EXPECT_THAT(test::values_of<int32_t>(run(model, inputs)), ElementsAre(1, 2, 0));
  EXPECT_THAT(run_floats(model, inputs, 1), near({0.9F, 0.5F, 0}));
  EXPECT_THAT(test::values_of<int32_t>(run(model, inputs, 2)), ElementsAre(2));
}

std::string options(float classes) {
  return flex({{"h_scale", {5}},
               {"max_classes_per_detection", {1}},
               {"max_detections", {2}},
               {"nms_iou_threshold", {0.5F}},
               {"nms_score_threshold", {0.1F}},
               {"num_classes", {classes}},
               {"w_scale", {5}},
               {"x_scale", {10}},
               {"y_scale", {10}}});
}

TfModel post_process(const std::string& options) {
  TfModel model;
  const auto codes = model.input({TfType::kFloat32, {1, 2, 4}});
  const auto scores = model.input({TfType::kFloat32, {1, 2, 3}});
  const auto anchors = model.constant({2, 4}, {0.5F, 0.5F, 1, 1, 3, 3, 2, 2});
  std::vector<int32_t> outputs;
  for (int i = 0; i < 4; ++i) outputs.push_back(model.tensor({TfType::kFloat32, {1, 2}}));
  model.op("TFLite_Detection_PostProcess", {codes, scores, anchors}, outputs, {}, options);
  model.set_outputs(outputs);
  return model;
}

// Class 0 of three is the background.
TEST(TfliteDetection, PostProcessDecodesAndChooses) {
  const TfModel model = post_process(options(2));
  const std::vector<tensor::Tensor> inputs{
      float_tensor("t0", {1, 2, 4}, {0, 0, 0, 0, 1, 0, 0, 0}),
      float_tensor("t1", {1, 2, 3}, {0.9F, 0.2F, 0.05F, 0, 0.3F, 0.8F})};
  EXPECT_THAT(run_floats(model, inputs, 0), near({2.2F, 2, 4.2F, 4, 0, 0, 1, 1}));
  EXPECT_THAT(run_floats(model, inputs, 1), near({1, 0}));
  EXPECT_THAT(run_floats(model, inputs, 2), near({0.8F, 0.2F}));
  EXPECT_THAT(run_floats(model, inputs, 3), near({2}));
}

TEST(TfliteDetection, RefusesDamagedOptions) {
  EXPECT_THAT(refusal(post_process("nothing")), HasSubstr("the operator's options are damaged"));
  EXPECT_THAT(refusal(post_process(options(0))), HasSubstr("its options are not valid"));
}

}  // namespace
}  // namespace supernova::import::tflite
