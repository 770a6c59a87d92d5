#include <numeric>

#include "import/caffe/test_case.h"

namespace supernova::import::caffe {
namespace {

using namespace testing_;  // NOLINT
using testing::HasSubstr;

constexpr int64_t kHeight = 3;
constexpr int64_t kWidth = 4;
constexpr int64_t kAnchors = 2;

std::string inputs() {
  return input_layer("scores", {1, 2 * kAnchors, kHeight, kWidth}) +
         input_layer("deltas", {1, 4 * kAnchors, kHeight, kWidth}) + input_layer("info", {1, 3});
}

std::string proposal(const std::string& params, const std::string& type = "Proposal") {
  return inputs() + "layer { name: \"op\" type: \"" + type +
         "\" bottom: \"scores\" bottom: \"deltas\" bottom: \"info\" top: \"out\" top: \"best\" " +
         params + " }";
}

struct Box {
  float x1, y1, x2, y2, score;
};

float overlap(const Box& a, const Box& b) {
  const auto area = [](const Box& box) { return (box.x2 - box.x1 + 1) * (box.y2 - box.y1 + 1); };
  const float width = std::max(0.0F, std::min(a.x2, b.x2) - std::max(a.x1, b.x1) + 1);
  const float height = std::max(0.0F, std::min(a.y2, b.y2) - std::max(a.y1, b.y1) + 1);
  return width * height / (area(a) + area(b) - width * height);
}

struct Layer {
  float min_size = 0;
  size_t before = 1000;
  size_t after = 1000;
  float most = 0.7F;
};

// Step by step, as the layer in Python does it. Anchors: a square of 16 pixels, 1 and 2 times as
// large, every 8 pixels.
std::vector<Box> reference(const Layer& layer, const Floats& scores, const Floats& deltas,
                           const Floats& info) {
  std::vector<Box> boxes;
  const int64_t area = kHeight * kWidth;
  for (int64_t place = 0; place < area; ++place) {
    for (int64_t k = 0; k < kAnchors; ++k) {
      const float extent = 16.0F * static_cast<float>(k + 1);
      const float x = 7.5F + static_cast<float>(place % kWidth * 8) + 0.5F;
      const float y = 7.5F + static_cast<float>(place / kWidth * 8) + 0.5F;
      const auto delta = [&](int64_t i) { return deltas[(4 * k + i) * area + place]; };
      const float cx = delta(0) * extent + x;
      const float cy = delta(1) * extent + y;
      const float w = std::exp(delta(2)) * extent;
      const float h = std::exp(delta(3)) * extent;
      const auto inside = [](float value, float size) { return std::clamp(value, 0.0F, size - 1); };
      const Box box{inside(cx - w / 2, info[1]), inside(cy - h / 2, info[0]),
                    inside(cx + w / 2, info[1]), inside(cy + h / 2, info[0]),
                    scores[(kAnchors + k) * area + place]};
      const float least = layer.min_size * info[2];
      if (box.x2 - box.x1 + 1 >= least && box.y2 - box.y1 + 1 >= least) boxes.push_back(box);
    }
  }
  std::sort(boxes.begin(), boxes.end(),
            [](const Box& a, const Box& b) { return a.score > b.score; });
  boxes.resize(std::min(boxes.size(), layer.before));
  std::vector<Box> kept;
  for (const Box& box : boxes) {
    const bool covered = std::any_of(kept.begin(), kept.end(), [&](const Box& other) {
      return overlap(other, box) > layer.most;
    });
    if (!covered && kept.size() < layer.after) kept.push_back(box);
  }
  return kept;
}

void check(const Layer& layer, const std::string& params) {
  SCOPED_TRACE(params);
  Floats scores(2 * kAnchors * kHeight * kWidth);
  for (size_t i = 0; i < scores.size(); ++i) scores[i] = static_cast<float>((i * 37) % 48) / 48;
  const Floats deltas = some_floats(4 * kAnchors * kHeight * kWidth, 3);
  const Floats info{30, 40, 1.5F};
  const auto got =
      run_net(proposal("proposal_param { feat_stride: 8 base_size: 16 ratio: 1 scale: 1 "
                       "scale: 2 " +
                       params + " }"),
              {},
              {float_tensor("scores", {1, 2 * kAnchors, kHeight, kWidth}, scores),
               float_tensor("deltas", {1, 4 * kAnchors, kHeight, kWidth}, deltas),
               float_tensor("info", {1, 3}, info)});
  Floats rows;
  Floats best;
  for (const Box& box : reference(layer, scores, deltas, info)) {
    rows.insert(rows.end(), {0, box.x1, box.y1, box.x2, box.y2});
    best.push_back(box.score);
  }
  EXPECT_FALSE(rows.empty() && layer.min_size < 1000);
  EXPECT_THAT(shape_of(got), testing::ElementsAre(static_cast<int64_t>(best.size()), 5));
  expect_near(numbers(got), rows);
  expect_near(numbers(got, "best"), best);
}

TEST(CaffeProposal, KeepsTheBestThatDontCoverEachOther) {
  check({}, "min_size: 0 pre_nms_topn: 1000 post_nms_topn: 1000");
  check({0, 9, 4, 0.3F}, "min_size: 0 pre_nms_topn: 9 post_nms_topn: 4 nms_thresh: 0.3");
  check({12, 9, 1000, 0.5F}, "min_size: 12 pre_nms_topn: 9 post_nms_topn: 0 nms_thresh: 0.5");
}

TEST(CaffeProposal, MayFindNone) { check({1000}, "min_size: 1000"); }

// A detector's head goes on with as many rows as there are, none included.
TEST(CaffeProposal, RegionsArePooled) {
  const auto rows = [](const std::string& least) {
    const std::string net =
        proposal(
            "proposal_param { feat_stride: 8 ratio: 1 scale: 1 scale: 2 post_nms_topn: 3 "
            "min_size: " +
            least + " }") +
        input_layer("map", {1, 2, kHeight, kWidth}) +
        "layer { name: \"pool\" type: \"ROIPooling\" bottom: \"map\" bottom: \"out\" top: "
        "\"pooled\" "
        "roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.125 } } "
        "layer { name: \"fc\" type: \"InnerProduct\" bottom: \"pooled\" top: \"fc\" "
        "inner_product_param { num_output: 3 bias_term: false } }";
    const auto got = run_net(net, {{"fc", {blob_of({3, 8})}}},
                             {float_tensor("scores", {1, 4, 3, 4}, some_floats(48, 2)),
                              float_tensor("deltas", {1, 8, 3, 4}, Floats(96, 0)),
                              float_tensor("info", {1, 3}, {24, 32, 1}),
                              float_tensor("map", {1, 2, 3, 4}, some_floats(24, 4))});
    EXPECT_TRUE(got.ok()) << got.status();
    return shape_of(got, "fc");
  };
  EXPECT_THAT(rows("0"), testing::ElementsAre(3, 3));
  EXPECT_THAT(rows("100"), testing::ElementsAre(0, 3));
}

// Three ratios of three scales, every 16 pixels, best 6000 and 300: what the module says by itself.
TEST(CaffeProposal, TheLayerInPythonIsTheSame) {
  const auto net = [](const std::string& layer) {
    return input_layer("scores", {1, 18, 2, 2}) + input_layer("deltas", {1, 36, 2, 2}) +
           input_layer("info", {1, 3}) +
           "layer { name: \"op\" bottom: \"scores\" bottom: \"deltas\" bottom: \"info\" top: "
           "\"out\" " +
           layer + " }";
  };
  Floats scores(18 * 4);
  for (size_t i = 0; i < scores.size(); ++i) scores[i] = static_cast<float>((i * 29) % 72) / 72;
  const std::vector<tensor::Tensor> feeds{
      float_tensor("scores", {1, 18, 2, 2}, scores),
      float_tensor("deltas", {1, 36, 2, 2}, some_floats(36 * 4, 5)),
      float_tensor("info", {1, 3}, {600, 800, 1})};
  const auto python = run_net(
      net("type: \"Python\" python_param { module: \"rpn.proposal_layer\" layer: \"ProposalLayer\" "
          "param_str: \"{'feat_stride': 16, 'scales': [8, 16, 32]}\" }"),
      {}, feeds);
  const auto plain = run_net(net("type: \"Proposal\""), {}, feeds);
  EXPECT_GT(numbers(plain).size(), 20U);
  EXPECT_EQ(numbers(python), numbers(plain));
  EXPECT_THAT(refusal(net("type: \"Python\" python_param { module: \"rpn.proposal_layer\" layer: "
                          "\"ProposalLayer\" }")),
              HasSubstr("has no feat_stride"));
  EXPECT_THAT(refusal(net("type: \"Python\" python_param { module: \"mine\" layer: \"Mine\" }")),
              HasSubstr("runs a program in Python"));
}

TEST(CaffeProposal, RefusesWhatDoesNotFit) {
  EXPECT_THAT(refusal(proposal("proposal_param { ratio: 1 }")),
              HasSubstr("of one image, of 3 anchors"));
  EXPECT_THAT(refusal(proposal("proposal_param { anchor_scale: 3 }")),
              HasSubstr("anchor_scale is another fork's"));
  EXPECT_THAT(refusal(proposal("proposal_param { ratio: 0 scale: 1 scale: 2 }")),
              HasSubstr("above zero"));
}

TEST(CaffeProposal, SaysWhatToDoWithYolosDecoders) {
  EXPECT_THAT(refusal(proposal("", "YoloDetectionOutput")), HasSubstr("remove the layer"));
}

}  // namespace
}  // namespace supernova::import::caffe
