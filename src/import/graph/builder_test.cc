#include "import/graph/builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "import/graph/passes.h"

namespace supernova::import::graph {
namespace {

using tensor::DataType;
using testing::ElementsAre;
using testing::HasSubstr;

class BuilderTest : public testing::Test {
 protected:
  Value* image(Dims dims) { return b_.input("x", Type::of(DataType::kFp32, std::move(dims))); }
  Value* weights(std::vector<int64_t> shape, float value = 1) {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    return b_.constant(
        Constant::floats(shape, std::vector<float>(static_cast<size_t>(count), value)), "w");
  }
  std::vector<std::string> ops() const {
    std::vector<std::string> out;
    for (const Node& node : model_.graph.nodes) out.push_back(node.op);
    return out;
  }

  Model model_;
  Builder b_{model_};
};

TEST_F(BuilderTest, ShapesFollowSymbols) {
  const Dim n = Dim::symbol("batch");
  const Dim h = Dim::symbol("h");
  Value* x = image({n, 3, h, 32});
  Value* y =
      b_.op("Conv", {x, weights({8, 3, 3, 3})},
            {{"strides", std::vector<int64_t>{2, 2}}, {"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  EXPECT_EQ(y->dims(), (Dims{n, 8, floor_div(h - 1, 2) + 1, 16}));
  EXPECT_EQ(b_.reshape(y, {n, product({8, floor_div(h - 1, 2) + 1, 16})})->dims()[0], n);
  EXPECT_TRUE(b_.finish().ok());
}

TEST_F(BuilderTest, ShapeArithmeticLeavesNoNodes) {
  Value* x = image({2, 3, 4});
  Value* shape = b_.op("Shape", {x});
  Value* last = b_.gather(shape, b_.ints({2}), 0);
  Value* wanted = b_.concat({b_.ints({-1}), last}, 0);
  Value* y = b_.reshape(x, wanted);
  EXPECT_EQ(y->dims(), (Dims{6, 4}));
  b_.output(y, "y");
  remove_unused(model_);
  EXPECT_THAT(ops(), ElementsAre("Reshape"));
}

TEST_F(BuilderTest, SymbolicShapesAreFollowedThroughIntegers) {
  const Dim n = Dim::symbol("n");
  Value* x = image({n, 4, 5});
  Value* shape = b_.op("Shape", {x});
  Value* first = b_.slice(shape, {0}, {1}, {0});
  Value* y = b_.reshape(x, b_.concat({first, b_.ints({20})}, 0));
  EXPECT_EQ(y->dims(), (Dims{n, 20}));
}

TEST_F(BuilderTest, WeightsAreFolded) {
  Value* w = b_.constant(Constant::floats({2, 3}, {1, 2, 3, 4, 5, 6}));
  Value* t = b_.transpose(w, {1, 0});
  ASSERT_TRUE(t->constant);
  EXPECT_THAT(t->constant->values<float>(), ElementsAre(1, 4, 2, 5, 3, 6));
  Value* sum = b_.add(t, b_.constant(Constant::floats({2}, {10, 20})));
  EXPECT_THAT(sum->constant->values<float>(), ElementsAre(11, 24, 12, 25, 13, 26));
  Value* half = b_.constant(Constant::of<uint16_t>(DataType::kFp16, {3}, {0x3C00, 0xC000, 0x0001}));
  EXPECT_THAT(b_.cast(half, DataType::kFp32)->constant->values<float>(),
              ElementsAre(1.0F, -2.0F, 5.9604645e-8F));
  Value* tail = b_.slice(w, {-1}, {INT64_MAX}, {1});
  EXPECT_THAT(tail->constant->values<float>(), ElementsAre(3, 6));
  Value* back = b_.slice(w, {-1}, {INT64_MIN}, {1}, {-2});
  EXPECT_THAT(back->constant->values<float>(), ElementsAre(3, 1, 6, 4));
  Value* both = b_.concat({w, w}, 1);
  EXPECT_THAT(both->constant->values<float>(), ElementsAre(1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6));
  EXPECT_THAT(b_.gather(w, b_.ints({1, -2}), 0)->constant->values<float>(),
              ElementsAre(4, 5, 6, 1, 2, 3));
  EXPECT_TRUE(model_.graph.nodes.empty());
}

TEST_F(BuilderTest, EveryProblemIsNamedAndNoneCausesAnother) {
  Value* x = image({1, 3, 8, 8});
  b_.enter("Conv2D", "first");
  Value* y = b_.op("Conv", {x, weights({8, 4, 3, 3})});
  EXPECT_TRUE(y->poison);
  b_.enter("Relu", "after");
  Value* z = b_.op("Relu", {y});
  EXPECT_TRUE(z->poison);
  b_.enter("Strange", "third");
  b_.fail("is not known");
  b_.enter("Strange", "fourth");
  b_.fail("is not known");
  b_.output(z, "z");
  const base::Status status = b_.finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("2 things can't be imported:\nConv2D 'first': "
                        "Conv of 3 channels with weights for 4"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("Strange 'third', 'fourth': is not known"));
}

TEST_F(BuilderTest, HostileNumbersAreErrors) {
  Value* x = image({1, 3, 8, 8});
  for (const int64_t bad : {int64_t{0}, int64_t{-1}, INT64_MAX, INT64_MIN}) {
    b_.enter("Conv", "c");
    EXPECT_TRUE(b_.op("Conv", {x, weights({8, 3, 3, 3})},
                      {{"strides", std::vector<int64_t>{bad, 1}},
                       {"dilations", std::vector<int64_t>{1, bad}}})
                    ->poison);
  }
  b_.enter("Reshape", "r");
  EXPECT_TRUE(b_.reshape(x, b_.ints({7, 7}))->poison);
  b_.enter("Transpose", "t");
  EXPECT_TRUE(b_.transpose(x, {0, 2, 2, 1})->poison);
  b_.enter("Gather", "g");
  EXPECT_TRUE(b_.gather(x, b_.ints({9}), 1)->poison);
  EXPECT_EQ(b_.problems().size(), 7U);
}

TEST_F(BuilderTest, TransposesOfConvolutionsCancel) {
  // Two NHWC convolutions with what may stand between them.
  Value* x = image({1, 8, 8, 4});
  auto conv = [&](Value* in) {
    Value* y = b_.op("Conv", {b_.transpose(in, {0, 3, 1, 2}), weights({4, 4, 1, 1})});
    return b_.transpose(y, {0, 2, 3, 1});
  };
  Value* y = conv(x);
  y = b_.op("Relu", {b_.add(y, weights({4}))});
  y = b_.pad(y, {{0, 0}, {1, 0}, {0, 1}, {0, 0}});
  Value* z = conv(y);
  y = b_.concat({z, b_.op("Sigmoid", {z})}, 3);
  y = b_.reduce("ReduceMean", y, {1, 2}, false);
  b_.output(y, "y");
  const Dims before = y->dims();
  optimise(model_);
  EXPECT_THAT(ops(), ElementsAre("Transpose", "Conv", "Add", "Relu", "Pad", "Conv", "Sigmoid",
                                 "Concat", "ReduceMean", "Identity"));
  EXPECT_EQ(model_.graph.outputs[0]->dims(), before);
  EXPECT_EQ(model_.graph.outputs[0]->name, "y");
}

TEST_F(BuilderTest, ATransposeThatIsNeededStaysOnce) {
  Value* x = image({1, 8, 8, 4});
  Value* y = b_.transpose(b_.op("Conv", {b_.transpose(x, {0, 3, 1, 2}), weights({4, 4, 1, 1})}),
                          {0, 2, 3, 1});
  b_.output(b_.reshape(y, {1, 256}), "flat");
  b_.output(y, "map");
  optimise(model_);
  EXPECT_THAT(ops(), ElementsAre("Transpose", "Conv", "Transpose", "Reshape"));
}

TEST_F(BuilderTest, PartsOfHardSigmoidAreJoined) {
  Value* x = image({1, 8, 4, 4});
  const auto clipped = [&](float shift) { return b_.clip(b_.add(x, b_.scalar(shift)), 0, 6); };
  b_.output(b_.mul(x, b_.mul(clipped(3), b_.scalar(1.0F / 6))), "multiplied");
  b_.output(b_.div(clipped(2), b_.scalar(6.0F)), "divided");
  b_.output(b_.mul(clipped(1), b_.scalar(0.5F)), "another_factor");
  optimise(model_);
  EXPECT_THAT(ops(), ElementsAre("HardSigmoid", "Mul", "HardSigmoid", "Add", "Clip", "Mul"));
  const Node& divided = model_.graph.nodes[2];
  EXPECT_FLOAT_EQ(divided.float_or("alpha", 0), 1.0F / 6);
  EXPECT_FLOAT_EQ(divided.float_or("beta", 0), 1.0F / 3);
}

TEST_F(BuilderTest, PartsOfHardSigmoidThatOthersReadStay) {
  Value* x = image({1, 8, 4, 4});
  Value* y = b_.clip(b_.add(x, b_.scalar(3.0F)), 0, 6);
  b_.output(b_.mul(y, b_.scalar(1.0F / 6)), "y");
  b_.output(y, "clipped");
  optimise(model_);
  EXPECT_THAT(ops(), ElementsAre("Add", "Clip", "Mul"));
}

TEST_F(BuilderTest, SoftmaxOverChannelsOfALargePictureIsSplit) {
  b_.output(b_.op("Softmax", {image({1, 12, 64, 64})}, {{"axis", int64_t{1}}}), "large");
  optimise(model_);
  EXPECT_THAT(ops(), ElementsAre("ReduceMax", "Sub", "Exp", "ReduceSum", "Div"));
  EXPECT_EQ(model_.graph.outputs[0]->name, "large");
  EXPECT_EQ(model_.graph.nodes[0].outputs[0]->dims(), (Dims{1, 1, 64, 64}));
}

TEST_F(BuilderTest, OtherSoftmaxesStay) {
  Value* x = image({1, 12, 64, 64});
  b_.output(b_.op("Softmax", {x}, {{"axis", int64_t{-1}}}), "last");
  b_.output(b_.op("Softmax", {x}, {{"axis", int64_t{2}}}), "few_behind");
  optimise(model_);
  EXPECT_THAT(ops(), ElementsAre("Softmax", "Softmax"));
}

TEST_F(BuilderTest, MeansOverPicturesArePoolings) {
  Value* x = b_.op("Relu", {image({1, 8, 4, 4})});
  b_.output(b_.reduce("ReduceMean", x, {2, 3}, true), "pooled");
  b_.output(b_.reduce("ReduceMean", x, {2}, true), "rows");
  optimise(model_);
  EXPECT_THAT(ops(), ElementsAre("Relu", "GlobalAveragePool", "ReduceMean"));
}

TEST_F(BuilderTest, BatchIndependence) {
  const Dim n = Dim::symbol("batch");
  Value* x = image({n, 8, 8, 4});
  Value* y = b_.op("Conv", {b_.transpose(x, {0, 3, 1, 2}), weights({4, 4, 1, 1})});
  y = b_.reshape(y, {n, 256});
  y = b_.op("MatMul", {y, weights({256, 3})});
  y = b_.op("Softmax", {y}, {{"axis", int64_t{-1}}});
  b_.output(y, "y");
  optimise(model_);
  const BatchVerdict verdict = batch_independence(model_);
  EXPECT_TRUE(verdict.independent) << verdict.reason;
}

TEST_F(BuilderTest, BatchDependenceIsFound) {
  const Dim n = Dim::symbol("batch");
  Value* x = image({n, 4});
  b_.enter("Softmax", "over_items");
  b_.output(b_.op("Softmax", {x}, {{"axis", int64_t{0}}}), "y");
  optimise(model_);
  const BatchVerdict verdict = batch_independence(model_);
  EXPECT_FALSE(verdict.independent);
  EXPECT_THAT(verdict.reason, HasSubstr("Softmax 'over_items'"));
}

TEST_F(BuilderTest, ReversingTheBatchIsNoIndependence) {
  Value* x = image({Dim::symbol("batch"), 4});
  b_.output(b_.slice(x, {-1}, {INT64_MIN}, {0}, {-1}), "y");
  EXPECT_FALSE(batch_independence(model_).independent);
}

TEST_F(BuilderTest, AFoldedBatchIsNoIndependence) {
  // Time unrolled into the batch and back: the sizes agree, the items do not stay apart.
  Value* x = image({Dim::symbol("batch"), 4, 6});
  Value* y = b_.op("Softmax", {b_.reshape(x, b_.ints({-1, 12}))}, {{"axis", int64_t{0}}});
  b_.output(b_.reshape(y, b_.ints({-1, 24})), "y");
  EXPECT_FALSE(batch_independence(model_).independent);
}

}  // namespace
}  // namespace supernova::import::graph
