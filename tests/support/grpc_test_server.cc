#include "support/grpc_test_server.h"

#include <unistd.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>

#include "support/fake_engine.h"
#include "support/onnx_models.h"

namespace supernova::protocol::grpc {
namespace {

namespace fs = std::filesystem;

// gRPC's threads end in the background. One that does so beside the end of the process finds
// OpenSSL's key for its error queue gone already, and the queue counts as leaked.
class LastThread : public ::testing::Environment {
 public:
  void TearDown() override {
    const auto most = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (others() > 1 && std::chrono::steady_clock::now() < most) std::this_thread::yield();
  }

 private:
  // Threads, this one included, that do not carry a name of the server's.
  static int others() {
    int count = 0;
    for (const auto& task : fs::directory_iterator("/proc/self/task")) {
      std::string name;
      std::getline(std::ifstream(task.path() / "comm"), name);
      count += static_cast<int>(!name.empty() && !name.starts_with("sn-"));
    }
    return count;
  }
};
[[maybe_unused]] ::testing::Environment* const last_thread =
    ::testing::AddGlobalTestEnvironment(new LastThread);

int32_t held_run(sn_instance*, const sn_run* run, sn_error*) {
  HeldModel& held = held_model();
  {
    std::lock_guard lock(held.mutex);
    ++held.runs;
    held.parameters.clear();
    for (size_t i = 0; run->parameters != nullptr && i < run->parameters->count; ++i) {
      held.parameters[run->parameters->items[i].key] = run->parameters->items[i].value;
    }
  }
  held.changed.notify_all();
  std::thread([run] {
    HeldModel& held = held_model();
    sn_error error{};
    error.size = sizeof(error);
    {
      std::unique_lock lock(held.mutex);
      held.changed.wait(lock, [&] { return held.open || held.cancelled.contains(run); });
      if (held.cancelled.erase(run) > 0) error.code = SN_CANCELLED;
    }
    const sn_response response = {sizeof(response), nullptr, 0,
                                  error.code != SN_OK ? &error : nullptr, 1};
    run->on_response(run->ctx, &response);
  }).detach();
  return SN_OK;
}

void held_cancel(sn_instance*, const sn_run* run) {
  HeldModel& held = held_model();
  std::lock_guard lock(held.mutex);
  if (held.can_cancel) held.cancelled.insert(run);
  held.changed.notify_all();
}

const sn_model_info* held_info(sn_model*) {
  static const int64_t any = -1;
  static const sn_tensor_info input = {sizeof(input), "x", SN_FP32, 1, &any, nullptr, 1, 0};
  static const sn_signature signature = {sizeof(signature), "", &input, 1, nullptr, 0};
  static const sn_model_info info = {sizeof(info), &signature, 1};
  return &info;
}

const sn_engine_api* held_entry(uint32_t) {
  static const sn_engine_api api = [] {
    sn_engine_api table = testing_support::fake_engine_table(&held_info, &held_run);
    table.cancel = &held_cancel;
    return table;
  }();
  return &api;
}

}  // namespace

HeldModel& held_model() {
  static HeldModel model;
  return model;
}

void HeldModel::let_go() {
  std::lock_guard lock(mutex);
  open = true;
  changed.notify_all();
}

void HeldModel::wait_for_runs(int count) {
  std::unique_lock lock(mutex);
  ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(30), [&] { return runs >= count; }));
}

base::Result<service::Caller> TestAccess::admit(service::Transport transport, service::Api api,
                                                const service::Credentials& credentials) const {
  EXPECT_EQ(transport, service::Transport::kGrpc);
  std::lock_guard lock(mutex);
  certificate = credentials.certificate;
  const std::string* const value = credentials.header("triton-grpc-protocol-a");
  restricted = value == nullptr ? "" : *value;
  asked.push_back(api);
  if (needs_key && credentials.api_key != "right" && credentials.authorization != "Bearer right") {
    return absl::UnauthenticatedError("who are you?");
  }
  return service::Caller{"somebody", nullptr};
}

void ServerTest::SetUp() {
  held_model().open = false;
  held_model().runs = 0;
  static std::atomic<int> count{0};
  folder_ = fs::temp_directory_path() /
            ("supernova-grpc-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
  fs::create_directories(folder_);
  import::register_importers(importers_);
  engine::register_builtin_engines(engines_);
  engines_.add_builtin("fake", &held_entry);
  load("add_sub", test::add_sub_model({"n"}));
  load("upper", test::upper_case_model());
  model::LoadOptions held;
  held.engine = "fake";
  const base::Status status = models_.load({"held", 1, "/nowhere/held"}, held);
  ASSERT_TRUE(status.ok()) << status;
  service_.set_access_control(&access_);
  service_.set_ready(true);
  restart();
}

void ServerTest::TearDown() {
  held_model().let_go();
  server_.reset();
  models_.drain();
  fs::remove_all(folder_);
}

void ServerTest::load(const std::string& name, const std::string& content) {
  const fs::path path = folder_ / (name + ".onnx");
  std::ofstream(path, std::ios::binary) << content;
  const base::Status status = models_.load({name, 1, path.string()}, {});
  ASSERT_TRUE(status.ok()) << status;
}

void ServerTest::restart() {
  stub_.reset();
  server_.reset();
  auto server = GrpcServer::start(options_, service_);
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  channel_ = channel_to(::grpc::InsecureChannelCredentials());
  stub_ = inference::GRPCInferenceService::NewStub(channel_);
}

std::shared_ptr<::grpc::Channel> ServerTest::channel_to(
    const std::shared_ptr<::grpc::ChannelCredentials>& credentials) const {
  ::grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
  return ::grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(server_->port()), credentials,
                                     arguments);
}

inference::ModelInferRequest ServerTest::add_sub_request(size_t count, const std::string& id) {
  inference::ModelInferRequest request;
  request.set_model_name("add_sub");
  request.set_id(id);
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

inference::ModelInferRequest ServerTest::held_request(const std::string& id) {
  inference::ModelInferRequest request;
  request.set_model_name("held");
  request.set_id(id);
  return request;
}

::grpc::Status ServerTest::infer(const inference::ModelInferRequest& request) {
  ::grpc::ClientContext context;
  response_.Clear();
  return stub_->ModelInfer(&context, request, &response_);
}

std::vector<float> ServerTest::output(int index) const {
  const std::string& raw = response_.raw_output_contents(index);
  std::vector<float> values(raw.size() / sizeof(float));
  std::memcpy(values.data(), raw.data(), raw.size());
  return values;
}

}  // namespace supernova::protocol::grpc
