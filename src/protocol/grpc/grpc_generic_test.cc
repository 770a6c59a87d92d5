// Calls that there is no stub for: health checks, and what no client should send.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <thread>

#include "support/grpc_test_server.h"

namespace supernova::protocol::grpc {
namespace {

using ::grpc::StatusCode;
using ::testing::HasSubstr;

// One step after the other.
class GenericCall {
 public:
  GenericCall(const std::shared_ptr<::grpc::Channel>& channel, const std::string& method)
      : stub_(channel), stream_(stub_.PrepareCall(&context_, method, &queue_)) {
    stream_->StartCall(this);
    EXPECT_TRUE(wait());
  }
  void write_last(const std::string& message) {
    const ::grpc::Slice slice(message);
    stream_->WriteLast(::grpc::ByteBuffer(&slice, 1), {}, this);
    EXPECT_TRUE(wait());
  }
  // "none" at the end.
  std::string read() {
    ::grpc::ByteBuffer message;
    stream_->Read(&message, this);
    ::grpc::Slice bytes;
    if (!wait() || !message.DumpToSingleSlice(&bytes).ok()) return "none";
    return {bytes.begin(), bytes.end()};
  }
  ::grpc::Status finish() {
    ::grpc::Status status;
    stream_->Finish(&status, this);
    EXPECT_TRUE(wait());
    return status;
  }

 private:
  bool wait() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  ::grpc::GenericStub stub_;
  ::grpc::ClientContext context_;
  ::grpc::CompletionQueue queue_;
  std::unique_ptr<::grpc::GenericClientAsyncReaderWriter> stream_;
};

// HealthCheckRequest and HealthCheckResponse{status}, by hand: there is no stub for them.
constexpr const char* kServing = "\x08\x01";
constexpr const char* kNotServing = "\x08\x02";
constexpr const char* kServiceUnknown = "\x08\x03";
const std::string kInferenceService = "\x0a\x1einference.GRPCInferenceService";

using GenericTest = ServerTest;

TEST_F(GenericTest, AnswersGrpcHealthChecks) {
  for (const std::string& service : {std::string(), kInferenceService}) {
    GenericCall check(channel_, "/grpc.health.v1.Health/Check");
    check.write_last(service);
    EXPECT_EQ(check.read(), kServing);
    EXPECT_TRUE(check.finish().ok());
  }
  GenericCall check(channel_, "/grpc.health.v1.Health/Check");
  check.write_last("\x0a\x01z");
  EXPECT_EQ(check.finish().error_code(), StatusCode::NOT_FOUND);
}

TEST_F(GenericTest, HealthWatchersAreToldOfTheEnd) {
  GenericCall known(channel_, "/grpc.health.v1.Health/Watch");
  known.write_last(kInferenceService);
  EXPECT_EQ(known.read(), kServing);
  GenericCall unknown(channel_, "/grpc.health.v1.Health/Watch");
  unknown.write_last("\x0a\x01z");
  EXPECT_EQ(unknown.read(), kServiceUnknown);
  // Would be the test's end if it waited for them.
  std::thread drain(
      [&] { server_->drain(std::chrono::steady_clock::now() + std::chrono::hours(1)); });
  for (GenericCall* const watch : {&known, &unknown}) {
    EXPECT_EQ(watch->read(), kNotServing);
    EXPECT_EQ(watch->read(), "none");
    EXPECT_EQ(watch->finish().error_code(), StatusCode::UNAVAILABLE);
  }
  drain.join();
}

TEST_F(GenericTest, WhatItDoesNotKnowIsUnimplemented) {
  GenericCall call(channel_, "/inference.GRPCInferenceService/Nothing");
  const ::grpc::Status status = call.finish();
  EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(status.error_message(), HasSubstr("Nothing"));
}

TEST_F(GenericTest, MessagesThatAreNoneAreRefused) {
  for (const char* method : {"ModelInfer", "ModelReady"}) {
    GenericCall call(channel_, std::string("/inference.GRPCInferenceService/") + method);
    call.write_last("\x0a\x7f");
    const ::grpc::Status status = call.finish();
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT) << method;
    EXPECT_THAT(status.error_message(), HasSubstr(method));
  }
  EXPECT_TRUE(infer(add_sub_request(1)).ok());
}

}  // namespace
}  // namespace supernova::protocol::grpc
