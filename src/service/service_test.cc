#include "service/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tensor/bytes.h"

namespace supernova::service {
namespace {

using tensor::Buffer;
using tensor::DataType;
using tensor::Tensor;
using tensor::TensorInfo;
using ::testing::HasSubstr;

TensorInfo info(std::string name, DataType type, tensor::Shape shape, bool optional = false) {
  TensorInfo made;
  made.name = std::move(name);
  made.data_type = type;
  made.shape = std::move(shape);
  made.optional = optional;
  return made;
}

Tensor fp32(std::string name, tensor::Shape shape, size_t bytes) {
  return {std::move(name), DataType::kFp32, std::move(shape), Buffer::allocate(bytes)};
}

class ValidateTest : public ::testing::Test {
 protected:
  ValidateTest() { request_.model_name = "m"; }
  base::Status check() { return validate(request_, inputs_, outputs_); }
  void expect_refused(std::string_view text) {
    const base::Status status = check();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(base::message(status)), HasSubstr(std::string(text)));
  }

  std::vector<TensorInfo> inputs_{info("x", DataType::kFp32, {-1, 3}),
                                  info("s", DataType::kBytes, {1}, true)};
  std::vector<TensorInfo> outputs_{info("y", DataType::kFp32, {-1})};
  tensor::Request request_;
};

TEST_F(ValidateTest, TakesWhatTheModelDeclares) {
  request_.inputs.push_back(fp32("x", {2, 3}, 24));
  EXPECT_TRUE(check().ok()) << check();
  request_.outputs = {"y"};
  EXPECT_TRUE(check().ok());
}

TEST_F(ValidateTest, NamesWhatIsMissing) {
  expect_refused(
      "expected 2 inputs but got 0 inputs for model 'm'. Got input(s) [], but missing "
      "required input(s) ['x']. Please provide all required input(s).");
}

TEST_F(ValidateTest, RefusesUnknownAndRepeatedNames) {
  request_.inputs.push_back(fp32("x", {2, 3}, 24));
  request_.inputs.push_back(fp32("q", {1}, 4));
  expect_refused("unexpected inference input 'q' for model 'm'");
  request_.inputs.back() = fp32("x", {2, 3}, 24);
  expect_refused("input 'x' is given twice");
  request_.inputs.pop_back();
  request_.outputs = {"z"};
  expect_refused("unexpected inference output 'z' for model 'm'");
  request_.outputs = {"y", "y"};
  expect_refused("asked for twice");
}

TEST_F(ValidateTest, RefusesWrongTypeShapeAndSize) {
  request_.inputs.push_back(fp32("x", {2, 4}, 32));
  expect_refused("unexpected shape for input 'x' for model 'm'. Expected [-1,3], got [2,4].");
  request_.inputs[0] = fp32("x", {2, 3}, 20);
  expect_refused("input byte size mismatch for input 'x' for model 'm'. Expected 24, got 20");
  request_.inputs[0].data_type = DataType::kInt32;
  expect_refused("inference input 'x' data-type is 'INT32', but model 'm' expects 'FP32'");
}

TEST_F(ValidateTest, RefusesBytesThatAreNoBool) {
  inputs_ = {info("b", DataType::kBool, {2})};
  request_.inputs.push_back(
      {"b", DataType::kBool, {2}, Buffer::copy_of(std::string_view("\1\2", 2))});
  expect_refused("BOOL");
  request_.inputs[0].buffer = Buffer::copy_of(std::string_view("\1\0", 2));
  EXPECT_TRUE(check().ok());
}

TEST_F(ValidateTest, ChecksThePackingOfStrings) {
  request_.inputs.push_back(fp32("x", {2, 3}, 24));
  request_.inputs.push_back({"s", DataType::kBytes, {1}, Buffer::copy_of("\x05\0\0\0ab")});
  expect_refused("input 's' for model 'm'");
  request_.inputs[1].buffer = tensor::pack_bytes(std::vector<std::string>{"ab"});
  EXPECT_TRUE(check().ok());
}

}  // namespace
}  // namespace supernova::service
