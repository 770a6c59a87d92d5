#include <numeric>

#include "import/caffe/test_case.h"

namespace supernova::import::caffe {
namespace {

using namespace testing_;  // NOLINT
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;

Floats counted(size_t count) {
  Floats out;
  for (size_t i = 0; i < count; ++i) out.push_back(static_cast<float>(i));
  return out;
}

// The layer's result for 0, 1, 2, ... in [2,2,2,3].
base::Result<Results> run(const std::string& type, const std::string& params) {
  return run_net(net_of({2, 2, 2, 3}, type, params), {},
                 {float_tensor("data", {2, 2, 2, 3}, counted(24))});
}

TEST(CaffeConcat, JoinsAlongItsAxisInEitherForm) {
  const auto join = [](const std::string& params) {
    const std::string net =
        input_layer("a", {1, 2, 1, 1}) + input_layer("b", {1, 2, 1, 1}) +
        "layer { name: \"op\" type: \"Concat\" bottom: \"a\" bottom: \"b\" top: "
        "\"out\" " +
        params + " }";
    return run_net(
        net, {},
        {float_tensor("a", {1, 2, 1, 1}, {1, 2}), float_tensor("b", {1, 2, 1, 1}, {3, 4})});
  };
  EXPECT_THAT(numbers(join("")), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(shape_of(join("")), ElementsAre(1, 4, 1, 1));
  EXPECT_THAT(numbers(join("concat_param { axis: -1 }")), ElementsAre(1, 3, 2, 4));
  EXPECT_THAT(shape_of(join("concat_param { concat_dim: 0 }")), ElementsAre(2, 2, 1, 1));
}

TEST(CaffeSlice, CutsEquallyAndAtPoints) {
  const auto cut = [](const std::string& tops, const std::string& params) {
    return run_net(input_layer("data", {1, 4}) +
                       "layer { name: \"op\" type: \"Slice\" bottom: \"data\" " + tops + " " +
                       params + " }",
                   {}, {float_tensor("data", {1, 4}, {1, 2, 3, 4})});
  };
  const auto equal = cut("top: \"a\" top: \"b\"", "");
  EXPECT_THAT(numbers(equal, "a"), ElementsAre(1, 2));
  EXPECT_THAT(numbers(equal, "b"), ElementsAre(3, 4));
  const auto points =
      cut("top: \"a\" top: \"b\" top: \"c\"", "slice_param { slice_point: 1 slice_point: 3 }");
  EXPECT_THAT(numbers(points, "a"), ElementsAre(1));
  EXPECT_THAT(numbers(points, "b"), ElementsAre(2, 3));
  EXPECT_THAT(numbers(points, "c"), ElementsAre(4));
}

TEST(CaffeFlatten, FromAxisToAxis) {
  EXPECT_THAT(shape_of(run("Flatten", "")), ElementsAre(2, 12));
  EXPECT_THAT(shape_of(run("Flatten", "flatten_param { axis: 0 end_axis: 1 }")),
              ElementsAre(4, 2, 3));
  EXPECT_THAT(shape_of(run("Flatten", "flatten_param { axis: -2 }")), ElementsAre(2, 2, 6));
}

TEST(CaffeReshape, CopiesInfersAndReplacesSomeAxes) {
  const auto shape = [](const std::string& params) {
    return shape_of(run("Reshape", "reshape_param { " + params + " }"));
  };
  EXPECT_THAT(shape("shape { dim: 0 dim: -1 }"), ElementsAre(2, 12));
  EXPECT_THAT(shape("shape { dim: 0 dim: 0 dim: 6 }"), ElementsAre(2, 2, 6));
  EXPECT_THAT(shape("shape { dim: -1 dim: 4 }"), ElementsAre(6, 4));
  EXPECT_THAT(shape("shape { dim: 6 } axis: 2"), ElementsAre(2, 2, 6));
  EXPECT_THAT(shape("shape { dim: -1 } axis: 1 num_axes: 2"), ElementsAre(2, 4, 3));
  EXPECT_THAT(shape("shape { dim: 1 dim: 1 } axis: -1"), ElementsAre(2, 2, 2, 3, 1, 1));
  EXPECT_THAT(shape("shape { dim: 1 } axis: 0 num_axes: 0"), ElementsAre(1, 2, 2, 2, 3));
  EXPECT_THAT(refusal(net_of({2, 3}, "Reshape", "reshape_param { shape { dim: 4 dim: -1 } }")),
              HasSubstr("can't make"));
  EXPECT_THAT(refusal(net_of({2, 3}, "Reshape", "reshape_param { shape { dim: -1 dim: -1 } }")),
              HasSubstr("twice"));
  EXPECT_THAT(refusal(net_of({2, 3}, "Reshape", "reshape_param { shape { dim: 5 } }")),
              HasSubstr("can't make"));
}

TEST(CaffePermute, AxesNotNamedFollow) {
  const auto got = run("Permute", "permute_param { order: 3 order: 1 }");
  EXPECT_THAT(shape_of(got), ElementsAre(3, 2, 2, 2));
  const Floats values = numbers(got);
  for (size_t w = 0; w < 3; ++w) {
    for (size_t c = 0; c < 2; ++c) {
      for (size_t n = 0; n < 2; ++n) {
        for (size_t h = 0; h < 2; ++h) {
          EXPECT_EQ(values[((w * 2 + c) * 2 + n) * 2 + h],
                    static_cast<float>(((n * 2 + c) * 2 + h) * 3 + w));
        }
      }
    }
  }
  EXPECT_THAT(refusal(net_of({2, 3}, "Permute", "permute_param { order: 5 }")), HasSubstr("order"));
}

TEST(CaffeCrop, TakesTheOthersSizesFromTheOffset) {
  const std::string net = input_layer("data", {1, 1, 3, 3}) + input_layer("like", {1, 1, 2, 1}) +
                          "layer { name: \"op\" type: \"Crop\" bottom: \"data\" bottom: \"like\" "
                          "top: \"out\" crop_param { axis: 2 offset: 1 offset: 2 } }";
  EXPECT_THAT(numbers(run_net(net, {},
                              {float_tensor("data", {1, 1, 3, 3}, counted(9)),
                               float_tensor("like", {1, 1, 2, 1}, {0, 0})})),
              ElementsAre(5, 8));
  const std::string outside = input_layer("data", {1, 1, 3, 3}) +
                              input_layer("like", {1, 1, 3, 3}) +
                              "layer { name: \"op\" type: \"Crop\" bottom: \"data\" bottom: "
                              "\"like\" top: \"out\" crop_param { offset: 1 } }";
  EXPECT_THAT(refusal(outside), HasSubstr("can't take 3 of 3 from 1 on"));
}

TEST(CaffeTile, Repeats) {
  const auto got = run_net(net_of({1, 2}, "Tile", "tile_param { tiles: 2 }"), {},
                           {float_tensor("data", {1, 2}, {1, 2})});
  EXPECT_THAT(numbers(got), ElementsAre(1, 2, 1, 2));
  EXPECT_THAT(refusal(net_of({1, 2}, "Tile")), HasSubstr("tiles is 0"));
}

TEST(CaffeReduction, ReducesTheTail) {
  const auto reduce = [](const std::string& params) {
    return run_net(net_of({2, 2}, "Reduction", "reduction_param { " + params + " }"), {},
                   {float_tensor("data", {2, 2}, {1, -2, 3, -4})});
  };
  EXPECT_THAT(numbers(reduce("axis: 1")), ElementsAre(-1, -1));
  EXPECT_THAT(numbers(reduce("axis: 1 operation: ASUM coeff: 10")), ElementsAre(30, 70));
  EXPECT_THAT(numbers(reduce("axis: 1 operation: SUMSQ")), ElementsAre(5, 25));
  EXPECT_THAT(numbers(reduce("axis: 1 operation: 4")), ElementsAre(-0.5, -0.5));
  EXPECT_THAT(numbers(reduce("")), ElementsAre(-2));
}

TEST(CaffeArgMax, IndicesAndValues) {
  const auto arg_max = [](const std::string& params) {
    return run_net(net_of({1, 2, 2}, "ArgMax", "argmax_param { " + params + " }"), {},
                   {float_tensor("data", {1, 2, 2}, {1, 7, 5, 7})});
  };
  EXPECT_THAT(numbers(arg_max("axis: 1")), ElementsAre(1, 1));  // of equal ones the last
  EXPECT_THAT(numbers(arg_max("axis: 1 out_max_val: true")), ElementsAre(5, 7));
  EXPECT_THAT(numbers(arg_max("")), ElementsAre(3));
  EXPECT_THAT(shape_of(arg_max("")), ElementsAre(1, 1, 1));
  const auto both =
      run_net(net_of({1, 4, 1, 1}, "ArgMax", "argmax_param { top_k: 2 out_max_val: true }"), {},
              {float_tensor("data", {1, 4, 1, 1}, {1, 7, 5, 3})});
  EXPECT_THAT(numbers(both), ElementsAre(1, 2, 7, 5));
  EXPECT_THAT(shape_of(both), ElementsAre(1, 2, 2, 1));
  EXPECT_THAT(refusal(net_of({1, 2}, "ArgMax", "argmax_param { top_k: 5 }")),
              HasSubstr("top_k is 5"));
}

TEST(CaffeEmbed, LooksUpRows) {
  const auto got = run_net(net_of({1, 2}, "Embed", "embed_param { num_output: 2 input_dim: 3 }"),
                           {{"op", {{{3, 2}, {0, 1, 10, 11, 20, 21}}, {{2}, {100, 200}}}}},
                           {float_tensor("data", {1, 2}, {2, 0})});
  EXPECT_THAT(numbers(got), ElementsAre(120, 221, 100, 201));
  EXPECT_THAT(shape_of(got), ElementsAre(1, 2, 2));
}

TEST(CaffeBatchReindex, ChoosesItems) {
  const std::string net = input_layer("data", {3, 1}) + input_layer("index", {4}) +
                          "layer { name: \"op\" type: \"BatchReindex\" bottom: \"data\" bottom: "
                          "\"index\" top: \"out\" }";
  EXPECT_THAT(numbers(run_net(net, {},
                              {float_tensor("data", {3, 1}, {10, 11, 12}),
                               float_tensor("index", {4}, {2, 0, 0, 1})})),
              ElementsAre(12, 10, 10, 11));
}

TEST(CaffeShuffleChannel, DealsChannelsOut) {
  const auto got =
      run_net(net_of({1, 6, 1, 1}, "ShuffleChannel", "shuffle_channel_param { group: 2 }"), {},
              {float_tensor("data", {1, 6, 1, 1}, counted(6))});
  EXPECT_THAT(numbers(got), ElementsAre(0, 3, 1, 4, 2, 5));
}

TEST(CaffeParameter, IsAWeightOfTheNet) {
  const std::string net =
      input_layer("data", {1, 2}) +
      "layer { name: \"p\" type: \"Parameter\" top: \"w\" parameter_param { shape "
      "{ dim: 1 dim: 2 } } }"
      "layer { name: \"op\" type: \"Eltwise\" bottom: \"data\" bottom: \"w\" "
      "top: \"out\" }";
  EXPECT_THAT(
      numbers(run_net(net, {{"p", {{{1, 2}, {10, 20}}}}}, {float_tensor("data", {1, 2}, {1, 2})})),
      ElementsAre(11, 22));
}

TEST(CaffeSplit, AndDropoutPassOn) {
  const std::string net =
      input_layer("data", {1, 2}) +
      "layer { name: \"s\" type: \"Split\" bottom: \"data\" top: \"a\" top: "
      "\"b\" } layer { name: \"d\" type: \"Dropout\" bottom: \"a\" top: \"a\" }";
  const auto got = run_net(net, {}, {float_tensor("data", {1, 2}, {1, 2})});
  EXPECT_THAT(numbers(got, "a"), ElementsAreArray({1, 2}));
  EXPECT_THAT(numbers(got, "b"), ElementsAreArray({1, 2}));
}

TEST(CaffeShape, RefusesWhatCannotBe) {
  EXPECT_THAT(refusal(input_layer("data", {1, 3}) + "layer { name: \"op\" type: \"Slice\" bottom: "
                                                    "\"data\" top: \"a\" top: \"b\" }"),
              HasSubstr("can't cut 3 into 2 equal parts"));
  EXPECT_THAT(refusal(net_of({1, 3}, "Flatten", "flatten_param { axis: 1 end_axis: 0 }")),
              HasSubstr("end_axis lies before axis"));
  EXPECT_THAT(refusal(net_of({1, 3, 1, 1}, "ShuffleChannel", "shuffle_channel_param { group: 2 }")),
              HasSubstr("can't deal 3 channels to 2"));
}

// By darknet's formula, which goes over the map with indices that run past its rows.
TEST(CaffeReorg, DoesWhatDarknetDoes) {
  for (const bool reverse : {false, true}) {
    const int64_t c = 8;
    const int64_t h = 4;
    const int64_t w = 6;
    const int64_t stride = 2;
    const int64_t less = c / (stride * stride);
    Floats x(c * h * w);
    std::iota(x.begin(), x.end(), 0.0F);
    Floats expected(x.size());
    for (int64_t k = 0; k < c; ++k) {
      for (int64_t j = 0; j < h; ++j) {
        for (int64_t i = 0; i < w; ++i) {
          const int64_t in = i + w * (j + h * k);
          const int64_t offset = k / less;
          const int64_t column = i * stride + offset % stride;
          const int64_t row = j * stride + offset / stride;
          const int64_t out = column + w * stride * (row + h * stride * (k % less));
          expected[reverse ? out : in] = x[reverse ? in : out];
        }
      }
    }
    const auto got = run_net(
        net_of(
            {1, c, h, w}, "Reorg",
            base::str_cat("reorg_param { stride: 2 reverse: ", reverse ? "true" : "false", " }")),
        {}, {float_tensor("data", {1, c, h, w}, x)});
    EXPECT_THAT(shape_of(got), reverse ? ElementsAre(1, 2, 8, 12) : ElementsAre(1, 32, 2, 3));
    EXPECT_THAT(numbers(got), ElementsAreArray(expected));
  }
  EXPECT_THAT(refusal(net_of({1, 6, 4, 4}, "Reorg", "reorg_param { stride: 2 }")),
              HasSubstr("can't take"));
}

TEST(CaffeCropCenter, CutsBothEnds) {
  const auto got =
      run_net(net_of({1, 1, 3, 4}, "CropCenter", "crop_center_param { crop_size: [0, 0, 1, 1] }"),
              {}, {float_tensor("data", {1, 1, 3, 4}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})});
  EXPECT_THAT(numbers(got), ElementsAre(6, 7));
  EXPECT_THAT(
      refusal(net_of({1, 1, 3, 4}, "CropCenter", "crop_center_param { crop_size: [0, 0, 2, 0] }")),
      HasSubstr("can't cut 2 from both ends of 3"));
}

}  // namespace
}  // namespace supernova::import::caffe
