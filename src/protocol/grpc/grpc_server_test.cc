// A real server with real models, called through a real channel.
#include "protocol/grpc/grpc_server.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/byte_buffer.h>
#include <gtest/gtest.h>
#include <inference.grpc.pb.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "import/importer.h"
#include "support/onnx_models.h"

namespace supernova::protocol::grpc {
namespace {

namespace fs = std::filesystem;
using ::grpc::StatusCode;
using ::testing::HasSubstr;

::grpc::ByteBuffer empty_message() {
  const ::grpc::Slice nothing{std::string()};
  return {&nothing, 1};
}

class GrpcServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("supernova-grpc-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    import::register_importers(importers_);
    engine::register_builtin_engines(engines_);
    load("add_sub", test::add_sub_model({"n"}));
    load("upper", test::upper_case_model());
    service_.set_ready(true);
    auto server = GrpcServer::start({"127.0.0.1", 0}, service_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    ::grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    channel_ = ::grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(server_->port()),
                                           ::grpc::InsecureChannelCredentials(), arguments);
    stub_ = inference::GRPCInferenceService::NewStub(channel_);
  }
  void TearDown() override {
    server_.reset();
    models_.drain();
    fs::remove_all(folder_);
  }

  void load(const std::string& name, const std::string& content) {
    const fs::path path = folder_ / (name + ".onnx");
    std::ofstream(path, std::ios::binary) << content;
    const base::Status status = models_.load({name, 1, path.string()}, {});
    ASSERT_TRUE(status.ok()) << status;
  }

  static inference::ModelInferRequest add_sub_request(size_t count) {
    inference::ModelInferRequest request;
    request.set_model_name("add_sub");
    request.set_id("seven");
    for (const char* name : {"INPUT0", "INPUT1"}) {
      auto& input = *request.add_inputs();
      input.set_name(name);
      input.set_datatype("FP32");
      input.add_shape(static_cast<int64_t>(count));
      const std::vector<float> values(count, name[5] == '0' ? 5.0F : 2.0F);
      request.add_raw_input_contents(values.data(), count * sizeof(float));
    }
    return request;
  }
  ::grpc::Status infer(const inference::ModelInferRequest& request) {
    ::grpc::ClientContext context;
    response_.Clear();
    return stub_->ModelInfer(&context, request, &response_);
  }
  std::vector<float> output(int index) {
    const std::string& raw = response_.raw_output_contents(index);
    std::vector<float> values(raw.size() / sizeof(float));
    std::memcpy(values.data(), raw.data(), raw.size());
    return values;
  }

  fs::path folder_;
  import::ImporterRegistry importers_;
  engine::Catalogue engines_;
  model::ModelManager models_{importers_, engines_};
  service::Service service_{models_};
  std::unique_ptr<GrpcServer> server_;
  std::shared_ptr<::grpc::Channel> channel_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
  inference::ModelInferResponse response_;
};

TEST_F(GrpcServerTest, Infers) {
  const ::grpc::Status status = infer(add_sub_request(3));
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response_.model_name(), "add_sub");
  EXPECT_EQ(response_.model_version(), "1");
  EXPECT_EQ(response_.id(), "seven");
  ASSERT_EQ(response_.raw_output_contents_size(), 2);
  EXPECT_EQ(output(0), std::vector<float>(3, 7));
  EXPECT_EQ(output(1), std::vector<float>(3, 3));
}

TEST_F(GrpcServerTest, MessagesBeyondTheDefaultLimitOfGrpc) {
  const size_t count = 3 << 20;  // 12 MiB an input
  const ::grpc::Status status = infer(add_sub_request(count));
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(output(1), std::vector<float>(count, 3));
}

TEST_F(GrpcServerTest, OutputsAskedFor) {
  auto request = add_sub_request(1);
  request.add_outputs()->set_name("OUTPUT1");
  ASSERT_TRUE(infer(request).ok());
  ASSERT_EQ(response_.outputs_size(), 1);
  EXPECT_EQ(response_.outputs(0).name(), "OUTPUT1");
  EXPECT_EQ(output(0), std::vector<float>{3});
}

TEST_F(GrpcServerTest, Strings) {
  inference::ModelInferRequest request;
  request.set_model_name("upper");
  auto& input = *request.add_inputs();
  input.set_name("TEXT");
  input.set_datatype("BYTES");
  input.add_shape(2);
  input.mutable_contents()->add_bytes_contents("ab");
  input.mutable_contents()->add_bytes_contents("c");
  const ::grpc::Status status = infer(request);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response_.raw_output_contents(0), std::string("\2\0\0\0AB\1\0\0\0C", 11));
}

TEST_F(GrpcServerTest, ErrorsKeepTheirCodesAndTheServerGoesOn) {
  auto request = add_sub_request(3);
  request.mutable_raw_input_contents(0)->resize(11);
  ::grpc::Status status = infer(request);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("Expected 12, got 11"));

  request = add_sub_request(3);
  request.set_model_name("nobody");
  EXPECT_EQ(infer(request).error_code(), StatusCode::INVALID_ARGUMENT);
  request.set_model_name("add_sub");
  request.set_model_version("9");
  EXPECT_EQ(infer(request).error_code(), StatusCode::NOT_FOUND);

  request = add_sub_request(3);
  (*request.mutable_inputs(0)->mutable_parameters())["shared_memory_region"].set_string_param("r");
  EXPECT_EQ(infer(request).error_code(), StatusCode::UNIMPLEMENTED);

  // A name longer than what trailers hold.
  request = add_sub_request(3);
  request.set_model_name(std::string(100000, 'n'));
  EXPECT_EQ(infer(request).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(infer(add_sub_request(3)).ok());
}

TEST_F(GrpcServerTest, HealthMetadataAndConfig) {
  ::grpc::ClientContext c1, c2, c3, c4, c5, c6, c7;
  inference::ServerLiveResponse live;
  ASSERT_TRUE(stub_->ServerLive(&c1, {}, &live).ok());
  EXPECT_TRUE(live.live());
  inference::ServerReadyResponse ready;
  ASSERT_TRUE(stub_->ServerReady(&c2, {}, &ready).ok());
  EXPECT_TRUE(ready.ready());
  service_.set_ready(false);
  ASSERT_TRUE(stub_->ServerReady(&c3, {}, &ready).ok());
  EXPECT_FALSE(ready.ready());
  inference::ServerMetadataResponse server;
  ASSERT_TRUE(stub_->ServerMetadata(&c4, {}, &server).ok());
  EXPECT_EQ(server.name(), "supernova");

  inference::ModelMetadataRequest metadata_request;
  metadata_request.set_name("upper");
  inference::ModelMetadataResponse metadata;
  ASSERT_TRUE(stub_->ModelMetadata(&c5, metadata_request, &metadata).ok());
  ASSERT_EQ(metadata.inputs_size(), 1);
  EXPECT_EQ(metadata.inputs(0).datatype(), "BYTES");
  EXPECT_THAT(metadata.inputs(0).shape(), ::testing::ElementsAre(-1));

  inference::ModelConfigRequest config_request;
  config_request.set_name("upper");
  inference::ModelConfigResponse config;
  ASSERT_TRUE(stub_->ModelConfig(&c6, config_request, &config).ok());
  EXPECT_EQ(config.config().input(0).data_type(), inference::TYPE_STRING);
  EXPECT_EQ(config.config().backend(), "onnxruntime");

  config_request.set_name("nobody");
  EXPECT_EQ(stub_->ModelConfig(&c7, config_request, &config).error_code(),
            StatusCode::INVALID_ARGUMENT);
}

TEST_F(GrpcServerTest, ModelReady) {
  ::grpc::ClientContext c1, c2;
  inference::ModelReadyRequest request;
  inference::ModelReadyResponse response;
  request.set_name("add_sub");
  ASSERT_TRUE(stub_->ModelReady(&c1, request, &response).ok());
  EXPECT_TRUE(response.ready());
  request.set_name("nobody");
  EXPECT_EQ(stub_->ModelReady(&c2, request, &response).error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(GrpcServerTest, AnswersGrpcHealthChecks) {
  // HealthCheckRequest{} and HealthCheckResponse{status: SERVING}, by hand: there is no stub for
  // them.
  ::grpc::GenericStub stub(channel_);
  ::grpc::ClientContext context;
  ::grpc::CompletionQueue queue;
  const auto call =
      stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", empty_message(), &queue);
  call->StartCall();
  ::grpc::ByteBuffer reply;
  ::grpc::Status status;
  call->Finish(&reply, &status, this);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  ASSERT_TRUE(status.ok()) << status.error_message();
  ::grpc::Slice bytes;
  ASSERT_TRUE(reply.DumpToSingleSlice(&bytes).ok());
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "\x08\x01");
}

TEST_F(GrpcServerTest, APortInUseIsRefused) {
  const auto second = GrpcServer::start({"127.0.0.1", server_->port()}, service_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(base::message(second.status()),
            base::str_cat("gRPC port 127.0.0.1:", server_->port(),
                          " is already in use; choose another with --grpc-port"));
  const auto nowhere = GrpcServer::start({"no.such.host.invalid", 0}, service_);
  EXPECT_EQ(nowhere.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(GrpcServerTest, MethodsThatAreNotServedAreUnimplemented) {
  ::grpc::GenericStub stub(channel_);
  ::grpc::ClientContext context;
  ::grpc::CompletionQueue queue;
  const auto call = stub.PrepareUnaryCall(
      &context, "/inference.GRPCInferenceService/ModelStatistics", empty_message(), &queue);
  call->StartCall();
  ::grpc::ByteBuffer reply;
  ::grpc::Status status;
  call->Finish(&reply, &status, this);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED);
}

TEST_F(GrpcServerTest, DrainEndsTheService) {
  server_->drain(std::chrono::steady_clock::now() + std::chrono::seconds(5));
  EXPECT_EQ(infer(add_sub_request(1)).error_code(), StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace supernova::protocol::grpc
