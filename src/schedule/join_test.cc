#include "schedule/join.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/row_engine.h"
#include "tensor/bytes.h"

namespace supernova::schedule {
namespace {

using tensor::DataType;
using tensor::Request;
using tensor::Tensor;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_support::rows_request;

Request texts_request(std::vector<std::string> texts) {
  Request request;
  const auto rows = static_cast<int64_t>(texts.size());
  request.inputs.push_back({"t", DataType::kBytes, {rows, 1}, tensor::pack_bytes(texts)});
  return request;
}

TEST(JoinTest, RowsAreTheFirstDimensionOfAllInputs) {
  Request request = rows_request(3, 1);
  EXPECT_EQ(rows_of(request), 3U);
  request.inputs.push_back({"other", DataType::kFp32, {2, 2}, {}});
  EXPECT_EQ(rows_of(request), 0U);
  request.inputs[1].shape = {};
  EXPECT_EQ(rows_of(request), 0U);
  EXPECT_EQ(rows_of(rows_request(0, 1)), 0U);
  EXPECT_EQ(rows_of(Request{}), 0U);
}

TEST(JoinTest, OnlyLikeIsJoinedWithLike) {
  const Request a = rows_request(1, 1);
  EXPECT_TRUE(joinable(a, rows_request(5, 2)));
  Request b = a;
  b.inputs[0].shape = {1, 3};
  EXPECT_FALSE(joinable(a, b));
  b = a;
  b.inputs[0].data_type = DataType::kFp16;
  EXPECT_FALSE(joinable(a, b));
  b = a;
  b.inputs[0].name = "z";
  EXPECT_FALSE(joinable(a, b));
  b = a;
  b.outputs.clear();
  EXPECT_FALSE(joinable(a, b));
  b = a;
  b.parameters["scale"] = 2.0;
  EXPECT_FALSE(joinable(a, b));
  EXPECT_FALSE(joinable(b, a));
  Request c = b;
  EXPECT_TRUE(joinable(b, c));
  c.parameters["priority"] = uint64_t{2};
  c.parameters["timeout"] = int64_t{2};
  c.id = "c";
  EXPECT_TRUE(joinable(b, c));
  c.parameters["scale"] = 3.0;
  EXPECT_FALSE(joinable(b, c));
}

TEST(JoinTest, NumbersLieOneAfterTheOther) {
  JoinMemory memory;
  Request a = rows_request(1, 1);
  a.parameters = {{"priority", uint64_t{1}}, {"scale", true}};
  const Request b = rows_request(2, 5);
  const Request* both[] = {&a, &b};
  const auto joined = join(both, memory);
  ASSERT_TRUE(joined.ok());
  EXPECT_THAT(joined->inputs[0].shape, ElementsAre(3, 2));
  const auto* values = reinterpret_cast<const float*>(joined->inputs[0].buffer.data());
  EXPECT_THAT(std::vector<float>(values, values + 6), ElementsAre(1, 1, 5, 5, 5, 5));
  EXPECT_EQ(joined->parameters.size(), 1U);
  EXPECT_EQ(joined->outputs[0].name, "y");
}

TEST(JoinTest, TextsAreJoinedAndTakenApartByTheirLengths) {
  JoinMemory memory;
  const Request a = texts_request({"one"});
  const Request b = texts_request({"", "three"});
  const Request* both[] = {&a, &b};
  const auto joined = join(both, memory);
  ASSERT_TRUE(joined.ok());
  tensor::Response response;
  response.outputs = joined->inputs;
  const size_t rows[] = {1, 2};
  const auto parts = split(response, rows);
  ASSERT_TRUE(parts.ok());
  EXPECT_EQ((*parts)[0][0].buffer.view(), a.inputs[0].buffer.view());
  EXPECT_EQ((*parts)[1][0].buffer.view(), b.inputs[0].buffer.view());
  EXPECT_THAT((*parts)[1][0].shape, ElementsAre(2, 1));
}

TEST(JoinTest, PartsShareTheResponsesMemory) {
  tensor::Response response;
  response.outputs = rows_request(3, 7).inputs;
  const size_t rows[] = {1, 2};
  const auto parts = split(response, rows);
  ASSERT_TRUE(parts.ok());
  const std::byte* whole = response.outputs[0].buffer.data();
  EXPECT_EQ((*parts)[0][0].buffer.data(), whole);
  EXPECT_EQ((*parts)[1][0].buffer.data(), whole + 8);
  EXPECT_EQ((*parts)[1][0].buffer.size(), 16U);
}

TEST(JoinTest, WhatHasNotTheRowsIsNotTakenApart) {
  tensor::Response response;
  response.outputs = rows_request(3, 7).inputs;
  const size_t rows[] = {1, 1};
  EXPECT_THAT(std::string(base::message(split(response, rows).status())),
              HasSubstr("output 'x' of a batch of 2 has shape [3,2]"));
  response.outputs[0].shape = {};
  EXPECT_FALSE(split(response, rows).ok());
  response.outputs = texts_request({"one", "two"}).inputs;
  response.outputs[0].buffer = response.outputs[0].buffer.slice(0, 12);
  EXPECT_THAT(std::string(base::message(split(response, rows).status())),
              HasSubstr("ends within an element"));
}

TEST(JoinTest, MemoryIsUsedAgain) {
  JoinMemory memory;
  tensor::Buffer first = memory.get(1000);
  const std::byte* where = first.data();
  tensor::Buffer second = memory.get(1000);
  EXPECT_NE(second.data(), where);
  first = {};
  EXPECT_EQ(memory.get(900).data(), where);
  EXPECT_EQ(memory.get(900).size(), 900U);
  tensor::Buffer outlives;
  {
    JoinMemory gone;
    outlives = gone.get(10);
  }
  outlives = {};
}

}  // namespace
}  // namespace supernova::schedule
