// Runs that would go on for years, unless they are ended: a loop of as many turns as it is told.
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "conformance/engines.h"
#include "support/onnx_models.h"

namespace supernova::conformance {
namespace {

constexpr int64_t kForEver = int64_t{1} << 60;

tensor::Tensor turns(int64_t count) {
  return test::tensor_of("count", tensor::DataType::kInt64, {}, std::vector<int64_t>{count});
}

class Cancel : public testing::TestWithParam<EngineCase> {
 protected:
  void SetUp() override {
    auto opened = open(GetParam(), onnx_artefact(test::loop_model()), GetParam().options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    opened_ = *std::move(opened);
    ASSERT_TRUE(opened_.engine->can_cancel());
  }
  // On a thread of its own.
  std::future<base::Status> start(int64_t count, size_t size, engine::Stop& stop) {
    return std::async(std::launch::async, [this, count, size, &stop] {
      const auto promise = std::make_shared<std::promise<base::Status>>();
      tensor::Request request;
      request.inputs = {turns(count),
                        floats("x", {static_cast<int64_t>(size)}, std::vector<float>(size, 1.0F))};
      opened_.session->run(
          request,
          [promise](base::Result<tensor::Response> result) { promise->set_value(result.status()); },
          &stop);
      return promise->get_future().get();
    });
  }
  void expect_works() {
    const auto response = run(*opened_.session, {turns(3), floats("x", {2}, {1, 5})});
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(values_of<float>(response->outputs[0]), (std::vector<float>{8, 40}));
  }
  Opened opened_;
};

INSTANTIATE_TEST_SUITE_P(Engines, Cancel, testing::ValuesIn(onnx_engines()),
                         testing::PrintToStringParamName());

TEST_P(Cancel, EndsARunAtAnyMoment) {
  // Small tensors take another way than large ones.
  for (const size_t size : {size_t{2}, size_t{5000}}) {
    for (int i = 0; i < 40; ++i) {
      engine::Stop stop;
      auto status = start(kForEver, size, stop);
      status.wait_for(std::chrono::microseconds(i * i * 10));
      stop.request();
      ASSERT_EQ(status.get().code(), absl::StatusCode::kCancelled);
    }
    expect_works();
  }
}

TEST_P(Cancel, EndsOnlyTheRunThatIsMeant) {
  engine::Stop first;
  engine::Stop second;
  auto one = start(kForEver, 2, first);
  auto other = start(kForEver, 2, second);
  second.request();
  EXPECT_EQ(other.get().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(one.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  first.request();
  EXPECT_EQ(one.get().code(), absl::StatusCode::kCancelled);
  expect_works();
}

TEST_P(Cancel, OfAShortRunGivesTheAnswerOrIsOne) {
  int cancelled = 0;
  for (int i = 0; i < 500; ++i) {
    engine::Stop stop;
    auto status = start(i % 50, 2, stop);
    for (int spin = 0; spin < i % 20; ++spin) std::this_thread::yield();
    stop.request();
    const base::Status got = status.get();
    ASSERT_TRUE(got.ok() || absl::IsCancelled(got)) << got;
    cancelled += got.ok() ? 0 : 1;
  }
  RecordProperty("cancelled", cancelled);
  expect_works();
}

}  // namespace
}  // namespace supernova::conformance
