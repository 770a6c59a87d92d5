#include "service/tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model_config.pb.h"
#include "support/client_object.h"
#include "tensor/bytes.h"

namespace supernova::service {
namespace {

using tensor::Buffer;
using tensor::DataType;
using tensor::RequestedOutput;
using tensor::Shape;
using tensor::Tensor;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_support::ClientObject;

tensor::TensorInfo info(std::string name, DataType type, Shape shape) {
  tensor::TensorInfo made;
  made.name = std::move(name);
  made.data_type = type;
  made.shape = std::move(shape);
  return made;
}

Tensor floats(std::string name, Shape shape, const std::vector<float>& values) {
  return {std::move(name), DataType::kFp32, std::move(shape),
          Buffer::copy_of(std::as_bytes(std::span(values)))};
}

class TensorsTest : public ::testing::Test {
 protected:
  TensorsTest() {
    request_.model_name = "m";
    response_.outputs = {floats("y", {1, 4}, {1, 4, 3, 2})};
    configure(0);
  }
  void configure(int max_batch_size) {
    auto proto = std::make_shared<inference::ModelConfig>();
    proto->set_max_batch_size(max_batch_size);
    config_.proto = std::move(proto);
    config_.outputs = {info("y", DataType::kFp32, {-1, 4}), info("s", DataType::kBytes, {-1})};
  }
  static void expect_refused(const base::Status& status, std::string_view text,
                             absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(base::message(status)), HasSubstr(std::string(text)));
  }
  Buffer part(uint64_t offset, uint64_t size) {
    if (memory_.list("r").status().code() == absl::StatusCode::kNotFound) {
      EXPECT_TRUE(memory_.add({"r", object_.key(), 1, 100}).ok());
    }
    auto made = memory_.part("r", offset, size);
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }

  ClientObject object_{101};
  SharedMemory memory_;
  tensor::Request request_;
  tensor::Response response_;
  model::ModelConfig config_;
};

TEST_F(TensorsTest, InputsInSharedMemoryBecomePrivate) {
  request_.inputs = {{"b", DataType::kUint8, {4}, part(2, 4)}, floats("x", {1}, {1})};
  const std::byte* const other = request_.inputs[1].buffer.data();
  ASSERT_TRUE(fetch_inputs(request_, &memory_).ok());
  EXPECT_FALSE(memory_.holds(request_.inputs[0].buffer));
  EXPECT_EQ(request_.inputs[0].buffer.view(), std::string_view("\3\4\5\6"));
  EXPECT_EQ(request_.inputs[1].buffer.data(), other);
  ASSERT_TRUE(fetch_inputs(request_, nullptr).ok());
}

TEST_F(TensorsTest, InputsOfTheWrongSizeAreNotEvenCopied) {
  request_.inputs = {{"b", DataType::kUint8, {5}, part(2, 4)}};
  expect_refused(fetch_inputs(request_, &memory_), "Expected 5, got 4");
  request_.inputs = {{"b", DataType::kUint8, {4}, part(90, 4)}};
  object_.resize(50);
  expect_refused(fetch_inputs(request_, &memory_), "input 'b': shared memory region 'r'");
}

TEST_F(TensorsTest, OneBatchSizeNotAboveTheConfigured) {
  request_.inputs = {floats("a", {3, 1}, {1, 2, 3}), floats("b", {3}, {1, 2, 3})};
  EXPECT_TRUE(shape_inputs(request_, config_).ok());
  EXPECT_EQ(*shape_inputs(request_, config_), 1U);
  configure(3);
  EXPECT_EQ(*shape_inputs(request_, config_), 3U);
  configure(2);
  expect_refused(shape_inputs(request_, config_).status(),
                 "inference request batch-size must be <= 2 for 'm'");
  configure(8);
  request_.inputs[1].shape = {2};
  expect_refused(shape_inputs(request_, config_).status(),
                 "input 'b' batch size does not match other inputs for 'm'");
  configure(0);
  EXPECT_TRUE(shape_inputs(request_, config_).ok());
}

TEST_F(TensorsTest, ReshapesOnTheWayInAndOut) {
  config_.input_reshapes = {{"x", {-1, 1}, {-1}}};
  config_.output_reshapes = {{"y", {-1, 2, 2}, {-1, 4}}};
  request_.inputs = {floats("x", {3, 1}, {1, 2, 3})};
  ASSERT_TRUE(shape_inputs(request_, config_).ok());
  EXPECT_THAT(request_.inputs[0].shape, ElementsAre(3));
  ASSERT_TRUE(finish_outputs(response_, {"y"}, config_, nullptr).ok());
  EXPECT_THAT(response_.outputs[0].shape, ElementsAre(1, 2, 2));
  response_.outputs[0].shape = {4};
  expect_refused(finish_outputs(response_, {"y"}, config_, nullptr), "output 'y' can't be reshaped",
                 absl::StatusCode::kInternal);
}

TEST_F(TensorsTest, ClassifiesByBatchWithTheOutputsLabels) {
  RequestedOutput wanted("y");
  wanted.classification = 2;
  config_.labels["y"] = {"a", "b", "c", "d"};
  tensor::Response whole = response_;
  ASSERT_TRUE(finish_outputs(whole, {wanted}, config_, nullptr).ok());
  EXPECT_THAT(whole.outputs[0].shape, ElementsAre(2));
  EXPECT_EQ(whole.outputs[0].data_type, DataType::kBytes);
  const auto texts = tensor::unpack_bytes(whole.outputs[0].buffer.view(), 2);
  EXPECT_THAT(*texts, ElementsAre("4.000000:1:b", "3.000000:2:c"));
  configure(1);
  ASSERT_TRUE(finish_outputs(response_, {wanted}, config_, nullptr).ok());
  EXPECT_THAT(response_.outputs[0].shape, ElementsAre(1, 2));
}

TEST_F(TensorsTest, WritesOutputsWhereTheyAreWanted) {
  const std::string expected(response_.outputs[0].buffer.view());
  const std::string behind = object_.read(20, 81);
  RequestedOutput wanted("y");
  wanted.destination = part(3, 50);
  ASSERT_TRUE(finish_outputs(response_, {wanted}, config_, &memory_).ok());
  EXPECT_EQ(object_.read(4, 16), expected);
  EXPECT_EQ(object_.read(20, 81), behind);
  EXPECT_EQ(response_.outputs[0].buffer.data(), wanted.destination.data());
  EXPECT_EQ(response_.outputs[0].buffer.size(), 16U);
  EXPECT_THAT(response_.outputs[0].shape, ElementsAre(1, 4));

  // Memory of the program itself is a destination as well.
  Buffer own = Buffer::allocate(16);
  wanted.destination = own;
  ASSERT_TRUE(finish_outputs(response_, {wanted}, config_, &memory_).ok());
  EXPECT_EQ(own.view(), expected);
}

TEST_F(TensorsTest, AnOutputThatDoesNotFitIsAnError) {
  const std::string before = object_.read(0, 101);
  RequestedOutput wanted("y");
  wanted.destination = part(0, 15);
  expect_refused(finish_outputs(response_, {wanted}, config_, &memory_),
                 "output 'y' has 16 bytes, but the shared memory for it has 15");
  EXPECT_EQ(object_.read(0, 101), before);
  // Known before the model runs where the shape is.
  EXPECT_TRUE(check_outputs({wanted}, config_).ok());
  config_.outputs[0].shape = {1, 4};
  expect_refused(check_outputs({wanted}, config_), "has 16 bytes");
}

TEST_F(TensorsTest, RefusesWhatCanNotBeAskedOfAnOutput) {
  RequestedOutput wanted("s");
  wanted.classification = 1;
  expect_refused(check_outputs({wanted}, config_), "unsupported type 'BYTES'");
  wanted.name = "y";
  EXPECT_TRUE(check_outputs({wanted}, config_).ok());
  wanted.destination = part(0, 50);
  expect_refused(check_outputs({wanted}, config_), "both classified and written");
}

}  // namespace
}  // namespace supernova::service
