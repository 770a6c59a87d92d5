// For the tests of the gRPC front end: a server with real models and one model that is held, called
// through real channels.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <inference.grpc.pb.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "import/importer.h"
#include "protocol/grpc/grpc_server.h"

namespace supernova::protocol::grpc {

// The model "held" (optional input x, FP32 [-1]; no outputs): its runs wait until let_go(), or
// where the test says so until they are cancelled.
struct HeldModel {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  int runs = 0;  // begun
  bool can_cancel = false;
  std::set<const sn_run*> cancelled;
  std::map<std::string, std::string> parameters;  // of the latest run

  void let_go();
  void wait_for_runs(int count);
};
HeldModel& held_model();

// Admits those who have the key "right" (or everybody), and remembers the latest credentials.
class TestAccess final : public service::AccessControl {
 public:
  base::Result<service::Caller> admit(service::Transport transport, service::Api api,
                                      const service::Credentials& credentials) const override;
  bool needs_key = false;
  mutable std::mutex mutex;
  mutable std::string certificate;
  mutable std::string restricted;  // value of the metadata key triton-grpc-protocol-a
  mutable std::vector<service::Api> asked;
};

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Anew, with `options_`.
  void restart();
  std::shared_ptr<::grpc::Channel> channel_to(
      const std::shared_ptr<::grpc::ChannelCredentials>& credentials) const;
  static inference::ModelInferRequest add_sub_request(size_t count,
                                                      const std::string& id = "seven");
  static inference::ModelInferRequest held_request(const std::string& id = "");
  ::grpc::Status infer(const inference::ModelInferRequest& request);
  std::vector<float> output(int index) const;

  std::filesystem::path folder_;
  TestAccess access_;
  import::ImporterRegistry importers_;
  engine::Catalogue engines_;
  model::ModelManager models_{importers_, engines_};
  service::Service service_{models_};
  GrpcServerOptions options_{.port = 0};
  std::unique_ptr<GrpcServer> server_;
  std::shared_ptr<::grpc::Channel> channel_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
  inference::ModelInferResponse response_;

 private:
  void load(const std::string& name, const std::string& content);
};

}  // namespace supernova::protocol::grpc
