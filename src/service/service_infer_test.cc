// Requests through the service's door to an engine made up here, which answers 1, 3, 2.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <future>
#include <optional>

#include "service/access_grants.h"
#include "service/service.h"
#include "support/client_object.h"
#include "support/fake_engine.h"
#include "support/fake_manager.h"
#include "tensor/bytes.h"

namespace supernova::service {
namespace {

using tensor::DataType;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_support::ClientObject;

constexpr float kAnswer[] = {1, 3, 2};
std::optional<float> seen_input;

const sn_model_info* one_in_one_out(sn_model*) {
  static const int64_t in_dims[] = {2};
  static const int64_t out_dims[] = {-1};
  static const auto tensor = [](const char* name, const int64_t* dims) {
    sn_tensor_info made{};
    made.size = sizeof(made);
    made.name = name;
    made.dtype = static_cast<int32_t>(DataType::kFp32);
    made.rank = 1;
    made.dims = dims;
    return made;
  };
  static const sn_tensor_info input = tensor("x", in_dims);
  static const sn_tensor_info output = tensor("y", out_dims);
  static const sn_signature signature = {sizeof(signature), "", &input, 1, &output, 1};
  static const sn_model_info info = {sizeof(info), &signature, 1};
  return &info;
}

int32_t answer(sn_instance*, const sn_run* run, sn_error*) {
  seen_input = static_cast<const float*>(run->inputs[0].buffer.data)[1];
  static const int64_t dims[] = {3};
  sn_tensor output{};
  output.size = sizeof(output);
  output.name = "y";
  output.dtype = static_cast<int32_t>(DataType::kFp32);
  output.rank = 1;
  output.dims = dims;
  output.buffer.size = sizeof(output.buffer);
  output.buffer.data = const_cast<float*>(kAnswer);
  output.buffer.byte_size = sizeof(kAnswer);
  const sn_response response = {sizeof(response), &output, 1, nullptr, 1};
  run->on_response(run->ctx, &response);
  return SN_OK;
}

const sn_engine_api* entry(uint32_t) {
  static const sn_engine_api api = testing_support::fake_engine_table(&one_in_one_out, &answer);
  return &api;
}

class ServiceInferTest : public ::testing::Test {
 protected:
  ServiceInferTest() {
    seen_input.reset();
    const base::Status loaded = fake_.load("m");
    EXPECT_TRUE(loaded.ok()) << loaded;
    service_.set_shared_memory(&memory_);
    const base::Status added =
        service_.register_shared_memory(nobody_, {"r", object_.key(), 0, 64});
    EXPECT_TRUE(added.ok()) << added;
    request_.model_name = "m";
    request_.inputs = {{"x", DataType::kFp32, {2}, tensor::Buffer::allocate(8)}};
    request_.outputs = {"y"};
  }
  base::Result<tensor::Response> infer() {
    std::promise<base::Result<tensor::Response>> promise;
    service_.infer(nobody_, request_, [&](auto result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
  }
  tensor::Buffer part(uint64_t offset, uint64_t size) {
    return *service_.shared_memory_part(nobody_, "r", offset, size);
  }

  ClientObject object_{64};
  SharedMemory memory_;
  const Caller nobody_;
  testing_support::FakeManager fake_{&entry};
  model::ModelManager& models_ = fake_.models();
  Service service_{models_};
  tensor::Request request_;
};

TEST_F(ServiceInferTest, TensorsTravelThroughSharedMemory) {
  const float input[] = {5, 7};
  ASSERT_TRUE(memory_.write(part(3, 8), std::as_bytes(std::span(input))).ok());
  request_.inputs[0].buffer = part(3, 8);
  request_.outputs[0].destination = part(21, 40);
  const auto result = infer();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(seen_input, 7.0F);
  const std::string bytes = object_.read(21, sizeof(kAnswer));
  EXPECT_EQ(std::memcmp(bytes.data(), kAnswer, sizeof(kAnswer)), 0);
  EXPECT_THAT(result->outputs[0].shape, ElementsAre(3));
  EXPECT_EQ(result->outputs[0].buffer.data(), request_.outputs[0].destination.data());
}

TEST_F(ServiceInferTest, AnOutputTooLargeForItsPlaceIsCountedAsAFailure) {
  request_.outputs[0].destination = part(0, 8);
  const auto result = infer();
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(base::message(result.status())), HasSubstr("12 bytes"));
  const auto statistics = service_.statistics(nobody_, "m", "");
  ASSERT_TRUE(statistics.ok());
  EXPECT_EQ((*statistics)[0].statistics.fail.count, 1U);
  EXPECT_EQ((*statistics)[0].statistics.success.count, 0U);
}

TEST_F(ServiceInferTest, ClassifiesUnderTheNameAskedFor) {
  request_.outputs = {"OUTPUT__0"};
  request_.outputs[0].classification = 2;
  const auto result = infer();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->outputs[0].name, "OUTPUT__0");
  EXPECT_THAT(*tensor::unpack_bytes(result->outputs[0].buffer.view(), 2),
              ElementsAre("3.000000:1", "2.000000:2"));
}

TEST_F(ServiceInferTest, SharedMemoryIsOffUnlessItIsSet) {
  Service closed(models_);
  const auto code = absl::StatusCode::kUnimplemented;
  EXPECT_EQ(closed.register_shared_memory(nobody_, {"s", object_.key(), 0, 1}).code(), code);
  EXPECT_EQ(closed.unregister_shared_memory(nobody_, "").code(), code);
  EXPECT_EQ(closed.shared_memory(nobody_, "").status().code(), code);
  EXPECT_EQ(closed.shared_memory_part(nobody_, "r", 0, 1).status().code(), code);
  EXPECT_EQ(service_.shared_memory(nobody_, "r")->front().key, object_.key());
  EXPECT_TRUE(service_.unregister_shared_memory(nobody_, "").ok());
  EXPECT_TRUE(service_.unregister_shared_memory(nobody_, "r").ok());
  EXPECT_TRUE(service_.shared_memory(nobody_, "")->empty());
}

TEST_F(ServiceInferTest, SharedMemoryNeedsItsRight) {
  const Caller caller{"ci", std::make_shared<const Grants>(
                                std::vector<Grant>{{Grant::bit(Api::kInference), {"*"}}})};
  const auto code = absl::StatusCode::kPermissionDenied;
  EXPECT_EQ(service_.register_shared_memory(caller, {"s", object_.key(), 0, 1}).code(), code);
  EXPECT_EQ(service_.unregister_shared_memory(caller, "").code(), code);
  EXPECT_EQ(service_.shared_memory(caller, "").status().code(), code);
  // Nor may it read what others registered, through a model.
  EXPECT_EQ(service_.shared_memory_part(caller, "r", 0, 1).status().code(), code);
  EXPECT_TRUE(service_.shared_memory_part(nobody_, "r", 0, 1).ok());
}

}  // namespace
}  // namespace supernova::service
