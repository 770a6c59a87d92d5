#include "protocol/grpc/unary_methods.h"

#include <inference.pb.h>

#include <algorithm>
#include <array>

#include "protocol/grpc/extension_codec.h"
#include "protocol/grpc/health.h"
#include "protocol/grpc/response_codec.h"

namespace supernova::protocol::grpc {
namespace {

using service::Api;
using service::Caller;
using service::Service;

// Fills `message` with what was found; the status if nothing was.
template <typename T, typename Message>
base::Status answer_with(const base::Result<T>& result, Message& message) {
  if (result.ok()) fill(*result, message);
  return result.status();
}

// A method that answers at once.
template <typename Request, typename Response,
          base::Status (*kMethod)(Service&, const Caller&, const Request&, Response&)>
base::Status run_now(const CallHouse& house, const Caller& caller, Message& message,
                     MethodDone done) {
  Request request;
  Response response;
  SN_TRY(parse(message, request));
  SN_TRY(kMethod(house.service, caller, request, response));
  done({}, serialize(response));
  return {};
}

model::LifecycleDone empty_reply(MethodDone done) {
  return [done = std::move(done)](const base::Status& end) mutable {
    done(end, end.ok() ? Message::copy_of("") : Message());
  };
}

base::Status server_live(Service& service, const Caller&, const inference::ServerLiveRequest&,
                         inference::ServerLiveResponse& response) {
  response.set_live(service.live());
  return {};
}

base::Status server_ready(Service& service, const Caller&, const inference::ServerReadyRequest&,
                          inference::ServerReadyResponse& response) {
  response.set_ready(service.ready());
  return {};
}

base::Status model_ready(Service& service, const Caller& caller,
                         const inference::ModelReadyRequest& request,
                         inference::ModelReadyResponse& response) {
  const base::Status status = service.model_ready(caller, request.name(), request.version());
  response.set_ready(status.ok());
  // "No" is an answer, also about a model that nobody knows: clients ask until it is "yes".
  // What is no answer: a caller without the right, and a version that is no number.
  int64_t number = 0;
  const bool asked_well = request.version().empty() || base::parse_whole(request.version(), number);
  const bool denied = absl::IsPermissionDenied(status) || absl::IsUnauthenticated(status);
  return denied || !asked_well ? status : base::Status();
}

base::Status server_metadata(Service& service, const Caller& caller,
                             const inference::ServerMetadataRequest&,
                             inference::ServerMetadataResponse& response) {
  return answer_with(service.metadata(caller), response);
}

base::Status model_metadata(Service& service, const Caller& caller,
                            const inference::ModelMetadataRequest& request,
                            inference::ModelMetadataResponse& response) {
  return answer_with(service.model_metadata(caller, request.name(), request.version()), response);
}

base::Status model_config(Service& service, const Caller& caller,
                          const inference::ModelConfigRequest& request,
                          inference::ModelConfigResponse& response) {
  const auto config = service.model_config(caller, request.name(), request.version());
  if (config.ok()) *response.mutable_config() = *config->proto;
  return config.status();
}

base::Status model_statistics(Service& service, const Caller& caller,
                              const inference::ModelStatisticsRequest& request,
                              inference::ModelStatisticsResponse& response) {
  return answer_with(service.statistics(caller, request.name(), request.version()), response);
}

base::Status repository_index(Service& service, const Caller& caller,
                              const inference::RepositoryIndexRequest& request,
                              inference::RepositoryIndexResponse& response) {
  SN_TRY(check_repository_name(request.repository_name()));
  return answer_with(service.repository_index(caller, request.ready()), response);
}

base::Status repository_model_load(const CallHouse& house, const Caller& caller, Message& message,
                                   MethodDone done) {
  // Files may be as large as messages can be.
  struct Held {
    explicit Held(std::shared_ptr<RequestMemory> memory) : hold(std::move(memory)) {}
    RequestMemory::Hold hold;
    inference::RepositoryModelLoadRequest request;
  };
  const auto held = std::make_shared<Held>(house.memory);
  SN_TRY(held->hold.add(message.size()));
  SN_TRY(parse(message, held->request));
  message.reset();
  SN_TRY(check_repository_name(held->request.repository_name()));
  SN_ASSIGN(auto load, decode_load({held, &held->request}));
  house.service.load_model(caller, held->request.model_name(), std::move(load),
                           empty_reply(std::move(done)));
  return {};
}

base::Status repository_model_unload(const CallHouse& house, const Caller& caller, Message& message,
                                     MethodDone done) {
  inference::RepositoryModelUnloadRequest request;
  SN_TRY(parse(message, request));
  SN_TRY(check_repository_name(request.repository_name()));
  SN_ASSIGN(const bool dependents, decode_unload(request));
  house.service.unload_model(caller, request.model_name(), dependents,
                             empty_reply(std::move(done)));
  return {};
}

base::Status shared_memory_status(Service& service, const Caller& caller,
                                  const inference::SystemSharedMemoryStatusRequest& request,
                                  inference::SystemSharedMemoryStatusResponse& response) {
  return answer_with(service.shared_memory(caller, request.name()), response);
}

base::Status shared_memory_register(Service& service, const Caller& caller,
                                    const inference::SystemSharedMemoryRegisterRequest& request,
                                    inference::SystemSharedMemoryRegisterResponse&) {
  return service.register_shared_memory(
      caller, {request.name(), request.key(), request.offset(), request.byte_size()});
}

base::Status shared_memory_unregister(Service& service, const Caller& caller,
                                      const inference::SystemSharedMemoryUnregisterRequest& request,
                                      inference::SystemSharedMemoryUnregisterResponse&) {
  return service.unregister_shared_memory(caller, request.name());
}

// CUDA regions can't be registered, so there are none: none is listed, and none is left after
// unregistering. Clients do the latter before they use shared memory of any kind. Where shared
// memory is disabled, it is so for both kinds.
template <typename Request, typename Response>
base::Status no_cuda_memory(Service& service, const Caller& caller, const Request&, Response&) {
  return service.shared_memory(caller, "").status();
}

base::Status cuda_memory_register(Service& service, const Caller& caller,
                                  const inference::CudaSharedMemoryRegisterRequest&,
                                  inference::CudaSharedMemoryRegisterResponse&) {
  SN_TRY(service.shared_memory(caller, "").status());
  return absl::UnimplementedError("CUDA shared memory is not supported; use system shared memory");
}

base::Status trace_setting(Service& service, const Caller& caller,
                           const inference::TraceSettingRequest& request,
                           inference::TraceSettingResponse& response) {
  if (request.settings().empty()) {
    return answer_with(service.trace_settings(caller, request.model_name()), response);
  }
  SN_ASSIGN(const auto update, decode_trace_update(request));
  return answer_with(service.update_trace_settings(caller, request.model_name(), update), response);
}

base::Status log_settings(Service& service, const Caller& caller,
                          const inference::LogSettingsRequest& request,
                          inference::LogSettingsResponse& response) {
  if (request.settings().empty()) return answer_with(service.log_settings(caller), response);
  SN_ASSIGN(const auto update, decode_log_update(request));
  return answer_with(service.update_log_settings(caller, update), response);
}

#define SN_METHOD(name, api, function)                                          \
  UnaryMethod {                                                                 \
    "/inference.GRPCInferenceService/" #name, api,                              \
        &run_now<inference::name##Request, inference::name##Response, function> \
  }

const std::array kMethods{
    SN_METHOD(ServerLive, Api::kHealth, &server_live),
    SN_METHOD(ServerReady, Api::kHealth, &server_ready),
    SN_METHOD(ModelReady, Api::kHealth, &model_ready),
    SN_METHOD(ServerMetadata, Api::kMetadata, &server_metadata),
    SN_METHOD(ModelMetadata, Api::kMetadata, &model_metadata),
    SN_METHOD(ModelConfig, Api::kModelConfig, &model_config),
    SN_METHOD(ModelStatistics, Api::kStatistics, &model_statistics),
    SN_METHOD(RepositoryIndex, Api::kModelRepository, &repository_index),
    UnaryMethod{"/inference.GRPCInferenceService/RepositoryModelLoad", Api::kModelRepository,
                &repository_model_load},
    UnaryMethod{"/inference.GRPCInferenceService/RepositoryModelUnload", Api::kModelRepository,
                &repository_model_unload},
    SN_METHOD(SystemSharedMemoryStatus, Api::kSharedMemory, &shared_memory_status),
    SN_METHOD(SystemSharedMemoryRegister, Api::kSharedMemory, &shared_memory_register),
    SN_METHOD(SystemSharedMemoryUnregister, Api::kSharedMemory, &shared_memory_unregister),
    SN_METHOD(CudaSharedMemoryStatus, Api::kSharedMemory, &no_cuda_memory),
    SN_METHOD(CudaSharedMemoryRegister, Api::kSharedMemory, &cuda_memory_register),
    SN_METHOD(CudaSharedMemoryUnregister, Api::kSharedMemory, &no_cuda_memory),
    SN_METHOD(TraceSetting, Api::kTrace, &trace_setting),
    SN_METHOD(LogSettings, Api::kLogging, &log_settings),
    UnaryMethod{kCheckMethod, std::nullopt, &check_health},
};

#undef SN_METHOD

}  // namespace

const UnaryMethod* find_unary_method(std::string_view name) {
  const auto found = std::find_if(kMethods.begin(), kMethods.end(),
                                  [&](const UnaryMethod& method) { return method.name == name; });
  return found == kMethods.end() ? nullptr : &*found;
}

}  // namespace supernova::protocol::grpc
