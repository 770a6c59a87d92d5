#include "schedule/verify_batching.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/row_engine.h"

namespace supernova::schedule {
namespace {

using tensor::DataType;
using tensor::TensorInfo;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_support::RowEngine;
using Outcome = BatchProof::Outcome;

TensorInfo info(const char* name, tensor::Shape shape) {
  TensorInfo made;
  made.name = name;
  made.data_type = DataType::kFp32;
  made.shape = std::move(shape);
  return made;
}

BatchProof verify(RowEngine& engine, const TensorInfo& x = info("x", {-1, 2}),
                  const TensorInfo& y = info("y", {-1, 2}), size_t most = 8) {
  return verify_batching(*engine.session(), {x}, {y}, most);
}

TEST(VerifyBatchingTest, IndependentRowsAreProved) {
  RowEngine engine;
  const BatchProof proof = verify(engine);
  EXPECT_EQ(proof.outcome, Outcome::kSame) << proof.reason;
  EXPECT_THAT(RowEngine::runs(), ElementsAre(1, 1, 1, 3));
}

TEST(VerifyBatchingTest, RowsThatInfluenceEachOtherAreFound) {
  RowEngine engine;
  RowEngine::mix_rows();
  const BatchProof proof = verify(engine);
  EXPECT_EQ(proof.outcome, Outcome::kDiffers);
  EXPECT_THAT(proof.reason, HasSubstr("output 'y' of an item differs"));
}

TEST(VerifyBatchingTest, AnOutputWithoutTheRowsIsFound) {
  RowEngine engine;
  RowEngine::drop_batch_dimension();
  EXPECT_THAT(verify(engine).reason, HasSubstr("output 'y' of a batch of 3 has shape [1,2]"));
}

TEST(VerifyBatchingTest, ABatchThatFailsIsFound) {
  RowEngine engine([](const std::vector<float>& x) { return x.size() > 2 ? SN_INTERNAL : SN_OK; });
  const BatchProof proof = verify(engine);
  EXPECT_EQ(proof.outcome, Outcome::kDiffers);
  EXPECT_THAT(proof.reason, HasSubstr("made to fail"));
}

TEST(VerifyBatchingTest, WhatCanNotBeTriedStaysUnknown) {
  RowEngine engine([](const std::vector<float>&) { return SN_INVALID_ARGUMENT; });
  EXPECT_EQ(verify(engine).outcome, Outcome::kUnknown);
  EXPECT_EQ(verify(engine, info("x", {-1, 2}), info("y", {-1, 2}), 1).outcome, Outcome::kUnknown);
  EXPECT_EQ(verify(engine, info("x", {-1, int64_t{1} << 40})).outcome, Outcome::kUnknown);
}

TEST(VerifyBatchingTest, DeclarationsThatRuleItOutRunNothing) {
  RowEngine engine;
  TensorInfo wrapped = info("y", {-1});
  wrapped.model_type = "sequence(tensor(float))";
  EXPECT_THAT(verify(engine, info("x", {-1, 2}), wrapped).reason,
              HasSubstr("output 'y' stands for a sequence"));
  EXPECT_THAT(verify(engine, info("x", {4, 2})).reason, HasSubstr("first dimension can't vary"));
  EXPECT_EQ(verify(engine, info("x", {})).outcome, Outcome::kDiffers);
  TensorInfo state = info("x", {-1, 2});
  state.is_state = true;
  EXPECT_EQ(verify(engine, state).outcome, Outcome::kDiffers);
  EXPECT_TRUE(RowEngine::runs().empty());
}

}  // namespace
}  // namespace supernova::schedule
