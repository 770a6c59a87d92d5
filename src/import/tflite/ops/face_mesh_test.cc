#include <cmath>

#include "import/tflite/case.h"

namespace supernova::import::tflite {
namespace {

using test::float_tensor;

TfModel to_matrix(int32_t version, float scale) {
  TfModel model;
  model.set_version("Landmarks2TransformMatrix", version);
  const auto x = model.input({TfType::kFloat32, {1, 4, 3}});
  const auto y = model.tensor({TfType::kFloat32, {1, 4, 4}});
  model.op("Landmarks2TransformMatrix", {x}, {y}, {},
           flex({{"left_rotation_idx", {0}},
                 {"output_height", {8}},
                 {"output_width", {16}},
                 {"right_rotation_idx", {1}},
                 {"scale_x", {scale}},
                 {"scale_y", {1.5F}},
                 {"subset_idxs", {0, 1, 2}},
                 {"target_rotation_radians", {0}}}));
  model.set_outputs({y});
  return model;
}

// The corners of the result lie on the box around the subset, turned along the first two landmarks.
TEST(TfliteFaceMesh, MatrixFromLandmarks) {
  const std::vector<float> points{1, 1, 9, 4, 5, 9, 2, 7, 9, 100, 100, 9};
  const auto m = run_floats(to_matrix(2, 2), {float_tensor("t0", {1, 4, 3}, points)});
  ASSERT_EQ(m.size(), 16U);
  // Along (3, 4) / 5 and across: the points are at 1.4, 6.4, 6.8 and -0.2, -0.2, 2.6.
  const double along = 1.4 + 5.4 / 2;
  const double across = -0.2 + 2.8 / 2;
  const auto place = [&](double x, double y, int row) {
    return m[row * 4] * x + m[row * 4 + 1] * y + m[row * 4 + 3];
  };
  EXPECT_NEAR(place(8, 4, 0), along * 0.6 - across * 0.8, 1e-5);
  EXPECT_NEAR(place(8, 4, 1), along * 0.8 + across * 0.6, 1e-5);
  // One step to the right is 2 * 5.4 / 16 along the line.
  EXPECT_NEAR(m[0], 0.6 * 2 * 5.4 / 16, 1e-5);
  EXPECT_NEAR(m[4], 0.8 * 2 * 5.4 / 16, 1e-5);
  EXPECT_NEAR(m[1], -0.8 * 1.5 * 2.8 / 8, 1e-5);
  EXPECT_THAT(std::vector<float>(m.begin() + 8, m.end()), near({0, 0, 1, 0, 0, 0, 0, 1}));
}

TEST(TfliteFaceMesh, PartOfAPictureAndLandmarksBack) {
  TfModel model;
  model.set_version("TransformTensorBilinear", 2);
  model.set_version("TransformLandmarks", 2);
  const auto picture = model.input({TfType::kFloat32, {1, 2, 3, 1}});
  const auto landmarks = model.input({TfType::kFloat32, {1, 1, 3}});
  const auto matrix =
      model.constant({1, 4, 4}, {1, 0, 0, 0.5F, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1});
  const auto part = model.tensor({TfType::kFloat32, {1, 1, 3, 1}});
  const auto moved = model.tensor({TfType::kFloat32, {1, 1, 3}});
  model.op("TransformTensorBilinear", {picture, matrix}, {part}, {},
           flex({{"output_height", {1}}, {"output_width", {3}}}));
  model.op("TransformLandmarks", {landmarks, matrix}, {moved});
  model.set_outputs({part, moved});
  const std::vector<tensor::Tensor> inputs{float_tensor("t0", {1, 2, 3, 1}, {0, 0, 0, 10, 20, 40}),
                                           float_tensor("t1", {1, 1, 3}, {2, 3, 7})};
  // Half a step to the right, the second row; the last is beyond the edge.
  EXPECT_THAT(run_floats(model, inputs), near({15, 30, 0}));
  EXPECT_THAT(run_floats(model, inputs, 1), near({2.5F, 4, 7}));
}

TEST(TfliteFaceMesh, RefusesTheFirstVersionAndBrokenOptions) {
  EXPECT_THAT(refusal(to_matrix(1, 2)), HasSubstr("only the second version is supported"));
  EXPECT_THAT(refusal(to_matrix(2, 0)), HasSubstr("its option scale_x is missing or not valid"));
}

}  // namespace
}  // namespace supernova::import::tflite
