// A real server with real models, called through a real channel.
#include "protocol/grpc/grpc_server.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>

#include <future>
#include <thread>

#include "support/grpc_test_server.h"

// Defined by gRPC, used by its own tests only.
grpc_compression_algorithm grpc_call_test_only_get_compression_algorithm(grpc_call* call);

namespace grpc::testing {
class InteropClientContextInspector {  // a friend of ClientContext
 public:
  static grpc_compression_algorithm compression(const ClientContext& context) {
    return grpc_call_test_only_get_compression_algorithm(context.call_);
  }
};
}  // namespace grpc::testing

namespace supernova::protocol::grpc {
namespace {

using ::grpc::StatusCode;
using ::testing::Contains;
using ::testing::HasSubstr;

using GrpcServerTest = ServerTest;

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
  auto& parameters = *request.mutable_inputs(0)->mutable_parameters();
  parameters["shared_memory_region"].set_string_param("r");
  parameters["shared_memory_byte_size"].set_int64_param(12);
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
  ::grpc::ClientContext c1, c2, c3, c4;
  inference::ModelReadyRequest request;
  inference::ModelReadyResponse response;
  request.set_name("add_sub");
  ASSERT_TRUE(stub_->ModelReady(&c1, request, &response).ok());
  EXPECT_TRUE(response.ready());
  request.set_version("99");
  ASSERT_TRUE(stub_->ModelReady(&c2, request, &response).ok());
  EXPECT_FALSE(response.ready());
  request.set_version("abc");
  EXPECT_EQ(stub_->ModelReady(&c3, request, &response).error_code(), StatusCode::INVALID_ARGUMENT);
  request.set_name("nobody");
  request.clear_version();
  ASSERT_TRUE(stub_->ModelReady(&c4, request, &response).ok());
  EXPECT_FALSE(response.ready());
}

TEST_F(GrpcServerTest, SeveralThreads) {
  options_.threads = 3;
  restart();
  std::atomic<int> right{0};
  std::vector<std::thread> clients;
  for (int client = 0; client < 6; ++client) {
    clients.emplace_back([&] {
      const auto stub = inference::GRPCInferenceService::NewStub(
          channel_to(::grpc::InsecureChannelCredentials()));
      for (int i = 0; i < 100; ++i) {
        ::grpc::ClientContext context;
        inference::ModelInferResponse response;
        const ::grpc::Status status = stub->ModelInfer(&context, add_sub_request(3), &response);
        if (status.ok() && response.raw_output_contents_size() == 2) ++right;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right, 600);
}

TEST_F(GrpcServerTest, APortInUseIsRefused) {
  const auto second = GrpcServer::start({.port = server_->port()}, service_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(base::message(second.status()),
            base::str_cat("gRPC port 127.0.0.1:", server_->port(),
                          " is already in use; choose another with --grpc-port"));
  const auto nowhere = GrpcServer::start({.host = "no.such.host.invalid", .port = 0}, service_);
  EXPECT_EQ(nowhere.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(GrpcServerTest, DrainEndsTheService) {
  server_->drain(std::chrono::steady_clock::now() + std::chrono::seconds(5));
  EXPECT_EQ(infer(add_sub_request(1)).error_code(), StatusCode::UNAVAILABLE);
}

// Calls method M with a request.
template <typename Request, typename Response>
::grpc::Status call(inference::GRPCInferenceService::Stub& stub,
                    ::grpc::Status (inference::GRPCInferenceService::Stub::*method)(
                        ::grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response& response) {
  ::grpc::ClientContext context;
  response.Clear();
  return (stub.*method)(&context, request, &response);
}

TEST_F(GrpcServerTest, Statistics) {
  ASSERT_TRUE(infer(add_sub_request(3)).ok());
  ASSERT_TRUE(infer(add_sub_request(3)).ok());
  auto wrong = add_sub_request(3);
  wrong.mutable_raw_input_contents(0)->resize(11);
  ASSERT_FALSE(infer(wrong).ok());
  using Stub = inference::GRPCInferenceService::Stub;
  inference::ModelStatisticsRequest request;
  inference::ModelStatisticsResponse response;
  request.set_name("add_sub");
  ASSERT_TRUE(call(*stub_, &Stub::ModelStatistics, request, response).ok());
  ASSERT_EQ(response.model_stats_size(), 1);
  const auto& one = response.model_stats(0);
  EXPECT_EQ(one.name(), "add_sub");
  EXPECT_EQ(one.version(), "1");
  EXPECT_GT(one.last_inference(), 0u);
  EXPECT_EQ(one.inference_count(), 2u);
  EXPECT_EQ(one.execution_count(), 2u);
  EXPECT_EQ(one.inference_stats().success().count(), 2u);
  EXPECT_GT(one.inference_stats().success().ns(), 0u);
  EXPECT_EQ(one.inference_stats().fail().count(), 1u);
  EXPECT_EQ(one.inference_stats().queue().count(), 2u);
  EXPECT_EQ(one.inference_stats().compute_infer().count(), 2u);
  EXPECT_TRUE(one.inference_stats().has_cache_hit());
  EXPECT_TRUE(one.inference_stats().has_cache_miss());
  ASSERT_EQ(one.batch_stats_size(), 1);
  EXPECT_EQ(one.batch_stats(0).batch_size(), 1u);
  EXPECT_EQ(one.batch_stats(0).compute_infer().count(), 2u);

  request.clear_name();
  ASSERT_TRUE(call(*stub_, &Stub::ModelStatistics, request, response).ok());
  EXPECT_EQ(response.model_stats_size(), 3);
  request.set_name("add_sub");
  request.set_version("7");
  EXPECT_EQ(call(*stub_, &Stub::ModelStatistics, request, response).error_code(),
            StatusCode::NOT_FOUND);
}

TEST_F(GrpcServerTest, RepositoryIndexAndControl) {
  using Stub = inference::GRPCInferenceService::Stub;
  inference::RepositoryIndexRequest request;
  inference::RepositoryIndexResponse response;
  ASSERT_TRUE(call(*stub_, &Stub::RepositoryIndex, request, response).ok());
  ASSERT_EQ(response.models_size(), 3);
  EXPECT_EQ(response.models(0).name(), "add_sub");
  EXPECT_EQ(response.models(0).version(), "1");
  EXPECT_EQ(response.models(0).state(), "READY");
  request.set_repository_name("r");
  ::grpc::Status status = call(*stub_, &Stub::RepositoryIndex, request, response);
  EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(status.error_message(), "'repository_name' specification is not supported");

  // Models named on the command line are not controlled by clients.
  inference::RepositoryModelLoadRequest load;
  inference::RepositoryModelLoadResponse loaded;
  load.set_model_name("add_sub");
  EXPECT_EQ(call(*stub_, &Stub::RepositoryModelLoad, load, loaded).error_code(),
            StatusCode::UNAVAILABLE);
  (*load.mutable_parameters())["colour"].set_string_param("red");
  status = call(*stub_, &Stub::RepositoryModelLoad, load, loaded);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("'colour'"));
  inference::RepositoryModelUnloadRequest unload;
  inference::RepositoryModelUnloadResponse unloaded;
  unload.set_model_name("add_sub");
  (*unload.mutable_parameters())["unload_dependents"].set_bool_param(false);
  EXPECT_EQ(call(*stub_, &Stub::RepositoryModelUnload, unload, unloaded).error_code(),
            StatusCode::UNAVAILABLE);
  EXPECT_TRUE(infer(add_sub_request(1)).ok());
}

TEST_F(GrpcServerTest, SharedMemoryIsOffUnlessAllowed) {
  using Stub = inference::GRPCInferenceService::Stub;
  inference::SystemSharedMemoryStatusResponse r1;
  inference::SystemSharedMemoryRegisterResponse r2;
  inference::SystemSharedMemoryUnregisterResponse r3;
  inference::CudaSharedMemoryStatusResponse r4;
  inference::CudaSharedMemoryRegisterResponse r5;
  inference::CudaSharedMemoryUnregisterResponse r6;
  const ::grpc::Status answers[] = {
      call(*stub_, &Stub::SystemSharedMemoryStatus, {}, r1),
      call(*stub_, &Stub::SystemSharedMemoryRegister, {}, r2),
      call(*stub_, &Stub::SystemSharedMemoryUnregister, {}, r3),
      call(*stub_, &Stub::CudaSharedMemoryStatus, {}, r4),
      call(*stub_, &Stub::CudaSharedMemoryRegister, {}, r5),
      call(*stub_, &Stub::CudaSharedMemoryUnregister, {}, r6),
  };
  for (const ::grpc::Status& status : answers) {
    EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED);
    EXPECT_THAT(status.error_message(), HasSubstr("Client shared memory is disabled"));
  }
}

TEST_F(GrpcServerTest, SettingsThatAreNoneAreRefused) {
  using Stub = inference::GRPCInferenceService::Stub;
  inference::TraceSettingRequest trace;
  inference::TraceSettingResponse traced;
  (*trace.mutable_settings())["colour"].add_value("red");
  EXPECT_EQ(call(*stub_, &Stub::TraceSetting, trace, traced).error_code(),
            StatusCode::INVALID_ARGUMENT);
  inference::LogSettingsRequest log;
  inference::LogSettingsResponse logged;
  (*log.mutable_settings())["log_info"];
  EXPECT_EQ(call(*stub_, &Stub::LogSettings, log, logged).error_code(),
            StatusCode::INVALID_ARGUMENT);
}

// One call of each method but the stream's, with nothing in it.
std::vector<std::pair<service::Api, ::grpc::Status>> call_all(
    inference::GRPCInferenceService::Stub& stub) {
  using Stub = inference::GRPCInferenceService::Stub;
  std::vector<std::pair<service::Api, ::grpc::Status>> all;
  const auto one = [&]<typename Request, typename Response>(
                       service::Api api, ::grpc::Status (Stub::*method)(
                                             ::grpc::ClientContext*, const Request&, Response*)) {
    Response response;
    all.emplace_back(api, call(stub, method, Request{}, response));
  };
  using service::Api;
  one(Api::kHealth, &Stub::ServerLive);
  one(Api::kHealth, &Stub::ServerReady);
  one(Api::kHealth, &Stub::ModelReady);
  one(Api::kMetadata, &Stub::ServerMetadata);
  one(Api::kMetadata, &Stub::ModelMetadata);
  one(Api::kInference, &Stub::ModelInfer);
  one(Api::kModelConfig, &Stub::ModelConfig);
  one(Api::kStatistics, &Stub::ModelStatistics);
  one(Api::kModelRepository, &Stub::RepositoryIndex);
  one(Api::kModelRepository, &Stub::RepositoryModelLoad);
  one(Api::kModelRepository, &Stub::RepositoryModelUnload);
  one(Api::kSharedMemory, &Stub::SystemSharedMemoryStatus);
  one(Api::kSharedMemory, &Stub::SystemSharedMemoryRegister);
  one(Api::kSharedMemory, &Stub::SystemSharedMemoryUnregister);
  one(Api::kSharedMemory, &Stub::CudaSharedMemoryStatus);
  one(Api::kSharedMemory, &Stub::CudaSharedMemoryRegister);
  one(Api::kSharedMemory, &Stub::CudaSharedMemoryUnregister);
  one(Api::kTrace, &Stub::TraceSetting);
  one(Api::kLogging, &Stub::LogSettings);
  return all;
}

TEST_F(GrpcServerTest, EveryCallIsAdmitted) {
  access_.needs_key = true;
  const auto all = call_all(*stub_);
  ASSERT_EQ(all.size(), access_.asked.size());
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].second.error_code(), StatusCode::UNAUTHENTICATED) << i;
    EXPECT_EQ(all[i].second.error_message(), "who are you?") << i;
    EXPECT_EQ(all[i].first, access_.asked[i]) << i;
  }
}

TEST_F(GrpcServerTest, CredentialsComeFromTheMetadata) {
  access_.needs_key = true;
  inference::ServerLiveResponse response;
  ::grpc::ClientContext key, bearer, wrong;
  key.AddMetadata("x-api-key", "right");
  key.AddMetadata("triton-grpc-protocol-a", "b");
  EXPECT_TRUE(stub_->ServerLive(&key, {}, &response).ok());
  EXPECT_EQ(access_.restricted, "b");
  bearer.AddMetadata("authorization", "Bearer right");
  EXPECT_TRUE(stub_->ServerLive(&bearer, {}, &response).ok());
  EXPECT_EQ(access_.restricted, "");
  wrong.AddMetadata("x-api-key", "wrong");
  EXPECT_EQ(stub_->ServerLive(&wrong, {}, &response).error_code(), StatusCode::UNAUTHENTICATED);
}

TEST_F(GrpcServerTest, ForwardedMetadataBecomesParameters) {
  options_.forward_header = [](std::string_view key, std::string_view value,
                               tensor::Parameters& parameters) -> base::Status {
    if (key == "x-wrong") return absl::InvalidArgumentError("not this");
    if (key.starts_with("x-for-")) parameters[std::string(key)] = std::string(value);
    return {};
  };
  restart();
  held_model().let_go();
  ::grpc::ClientContext context;
  context.AddMetadata("x-for-model", "7");
  context.AddMetadata("x-other", "8");
  ASSERT_TRUE(stub_->ModelInfer(&context, held_request(), &response_).ok());
  EXPECT_EQ(held_model().parameters.count("x-for-model"), 1u);
  EXPECT_EQ(held_model().parameters["x-for-model"], "7");
  EXPECT_EQ(held_model().parameters.count("x-other"), 0u);
  ::grpc::ClientContext wrong;
  wrong.AddMetadata("x-wrong", "9");
  EXPECT_EQ(stub_->ModelInfer(&wrong, held_request(), &response_).error_code(),
            StatusCode::INVALID_ARGUMENT);
}

TEST_F(GrpcServerTest, AnExpiredTimeoutEndsAQueuedRequest) {
  auto first = std::async(std::launch::async, [&] {
    ::grpc::ClientContext context;
    inference::ModelInferResponse response;
    return stub_->ModelInfer(&context, held_request(), &response);
  });
  held_model().wait_for_runs(1);
  // One microsecond after it was read: past by the time the queue comes to it.
  const auto wait_behind = [&](bool is_unsigned) {
    auto request = held_request();
    auto& timeout = (*request.mutable_parameters())["timeout"];
    is_unsigned ? timeout.set_uint64_param(1) : timeout.set_int64_param(1);
    ::grpc::ClientContext context;
    inference::ModelInferResponse response;
    return stub_->ModelInfer(&context, request, &response);
  };
  auto second = std::async(std::launch::async, wait_behind, true);
  auto third = std::async(std::launch::async, wait_behind, false);
  // A client's own deadline counts as well; the client doesn't wait for the queue.
  ::grpc::ClientContext impatient;
  impatient.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
  EXPECT_EQ(stub_->ModelInfer(&impatient, held_request(), &response_).error_code(),
            StatusCode::DEADLINE_EXCEEDED);
  // The server's clock started later than the client's: all three have ended there, too.
  const auto failed = [&] {
    return (*models_.find("held", ""))->statistics().snapshot().fail.count;
  };
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (failed() < 3 && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  ASSERT_EQ(failed(), 3u);
  held_model().let_go();
  EXPECT_TRUE(first.get().ok());
  for (auto* late : {&second, &third}) {
    const ::grpc::Status status = late->get();
    EXPECT_NE(status.error_code(), StatusCode::OK);
    EXPECT_THAT(status.error_message(), HasSubstr("Request timeout expired"));
  }
  models_.drain();
  EXPECT_EQ(held_model().runs, 1);
}

TEST_F(GrpcServerTest, ACancelledCallDoesNotRun) {
  const auto first = std::async(std::launch::async, [&] {
    ::grpc::ClientContext context;
    inference::ModelInferResponse response;
    return stub_->ModelInfer(&context, held_request(), &response);
  });
  held_model().wait_for_runs(1);
  ::grpc::ClientContext context;
  const auto second = std::async(std::launch::async, [&] {
    inference::ModelInferResponse response;
    EXPECT_EQ(stub_->ModelInfer(&context, held_request(), &response).error_code(),
              StatusCode::CANCELLED);
  });
  const auto is_asked = [&](size_t count) {
    std::lock_guard lock(access_.mutex);
    return access_.asked.size() >= count;
  };
  while (!is_asked(2)) std::this_thread::yield();
  context.TryCancel();
  second.wait();
  // Nothing tells when the server has heard of it; these travel behind it on the same connection.
  for (int i = 0; i < 200; ++i) {
    inference::ServerLiveResponse response;
    ASSERT_TRUE(
        call(*stub_, &inference::GRPCInferenceService::Stub::ServerLive, {}, response).ok());
  }
  held_model().let_go();
  models_.drain();
  EXPECT_EQ(held_model().runs, 1);
}

TEST_F(GrpcServerTest, ACancelledCallEndsItsRun) {
  held_model().can_cancel = true;
  ::grpc::ClientContext context;
  auto call = std::async(std::launch::async, [&] {
    inference::ModelInferResponse response;
    return stub_->ModelInfer(&context, held_request(), &response).error_code();
  });
  held_model().wait_for_runs(1);
  context.TryCancel();
  EXPECT_EQ(call.get(), StatusCode::CANCELLED);
  const auto statistics = [&] { return (*models_.find("held", ""))->statistics().snapshot(); };
  // Nobody lets it go.
  while (statistics().fail.count == 0) std::this_thread::yield();
  EXPECT_EQ(statistics().fail_reasons[static_cast<size_t>(model::FailureReason::kCanceled)], 1U);
}

TEST_F(GrpcServerTest, SoDoesItsDeadline) {
  held_model().can_cancel = true;
  auto request = held_request();
  (*request.mutable_parameters())["timeout"].set_int64_param(50'000);
  const ::grpc::Status status = infer(request);
  EXPECT_EQ(status.error_code(), StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(status.error_message(), HasSubstr("Request timeout expired"));
  EXPECT_EQ(held_model().runs, 1);
}

TEST_F(GrpcServerTest, MessagesThatAreTooLargeAreRefused) {
  options_.max_receive_bytes = 1 << 20;
  restart();
  ::grpc::Status status = infer(add_sub_request(1 << 18));  // 1 MiB an input
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("larger than max"));
  EXPECT_TRUE(infer(add_sub_request(1 << 10)).ok());
}

TEST_F(GrpcServerTest, MemoryOfRequestsIsBounded) {
  options_.max_request_memory = 64 << 20;
  restart();
  inference::ModelInferRequest large = held_request();
  auto& input = *large.add_inputs();
  input.set_name("x");
  input.set_datatype("FP32");
  input.add_shape(10 << 20);
  large.add_raw_input_contents(std::string(40 << 20, '\0'));
  auto first = std::async(std::launch::async, [&] {
    ::grpc::ClientContext context;
    inference::ModelInferResponse response;
    return stub_->ModelInfer(&context, large, &response);
  });
  held_model().wait_for_runs(1);
  const ::grpc::Status refused = infer(large);
  EXPECT_EQ(refused.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(), HasSubstr("holds at most 67108864"));
  held_model().let_go();
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(infer(large).ok());
}

TEST_F(GrpcServerTest, CompressionBothWays) {
  options_.response_compression = GrpcCompression::kHigh;
  restart();
  for (const grpc_compression_algorithm algorithm :
       {GRPC_COMPRESS_NONE, GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    ::grpc::ClientContext context;
    context.set_compression_algorithm(algorithm);
    const ::grpc::Status status = stub_->ModelInfer(&context, add_sub_request(10000), &response_);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(output(0), std::vector<float>(10000, 7));
    EXPECT_NE(::grpc::testing::InteropClientContextInspector::compression(context),
              GRPC_COMPRESS_NONE);
  }
}

}  // namespace
}  // namespace supernova::protocol::grpc
