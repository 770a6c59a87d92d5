#include "protocol/grpc/inference_service.h"

#include "protocol/grpc/extension_codec.h"
#include "protocol/grpc/grpc_codec.h"
#include "protocol/grpc/infer_call.h"

namespace supernova::protocol::grpc {

using service::Api;
using service::Caller;
using Reactor = InferenceService::Reactor;

namespace {

// Fills `message` with what was found; the status if nothing was.
template <typename T, typename Message>
base::Status answer_with(const base::Result<T>& result, Message& message) {
  if (result.ok()) fill(*result, message);
  return result.status();
}

}  // namespace

template <typename Body>
Reactor* InferenceService::answer(Context* context, Api api, Body body) {
  Reactor* const reactor = context->DefaultReactor();
  reactor->Finish(to_grpc(guarded([&]() -> base::Status {
    SN_ASSIGN(const Caller caller, admit(service_, api, *context));
    return body(caller);
  })));
  return reactor;
}

template <typename Body>
Reactor* InferenceService::answer_later(Context* context, Api api, Body body) {
  Reactor* const reactor = context->DefaultReactor();
  const base::Status status = guarded([&]() -> base::Status {
    SN_ASSIGN(const Caller caller, admit(service_, api, *context));
    return body(caller, [reactor](const base::Status& end) { reactor->Finish(to_grpc(end)); });
  });
  if (!status.ok()) reactor->Finish(to_grpc(status));
  return reactor;
}

Reactor* InferenceService::ServerLive(Context* context, const inference::ServerLiveRequest*,
                                      inference::ServerLiveResponse* response) {
  return answer(context, Api::kHealth, [&](const Caller&) -> base::Status {
    response->set_live(service_.live());
    return {};
  });
}

Reactor* InferenceService::ServerReady(Context* context, const inference::ServerReadyRequest*,
                                       inference::ServerReadyResponse* response) {
  return answer(context, Api::kHealth, [&](const Caller&) -> base::Status {
    response->set_ready(service_.ready());
    return {};
  });
}

Reactor* InferenceService::ModelReady(Context* context, const inference::ModelReadyRequest* request,
                                      inference::ModelReadyResponse* response) {
  return answer(context, Api::kHealth, [&](const Caller& caller) -> base::Status {
    const base::Status status = service_.model_ready(caller, request->name(), request->version());
    response->set_ready(status.ok());
    // "No" is an answer, also about a model that nobody knows: clients ask until it is "yes".
    // What is no answer: a caller without the right, and a version that is no number.
    int64_t number = 0;
    const bool asked_well =
        request->version().empty() || base::parse_whole(request->version(), number);
    const bool denied = absl::IsPermissionDenied(status) || absl::IsUnauthenticated(status);
    return denied || !asked_well ? status : base::Status();
  });
}

Reactor* InferenceService::ServerMetadata(Context* context, const inference::ServerMetadataRequest*,
                                          inference::ServerMetadataResponse* response) {
  return answer(context, Api::kMetadata, [&](const Caller& caller) {
    return answer_with(service_.metadata(caller), *response);
  });
}

Reactor* InferenceService::ModelMetadata(Context* context,
                                         const inference::ModelMetadataRequest* request,
                                         inference::ModelMetadataResponse* response) {
  return answer(context, Api::kMetadata, [&](const Caller& caller) {
    return answer_with(service_.model_metadata(caller, request->name(), request->version()),
                       *response);
  });
}

Reactor* InferenceService::ModelInfer(Context* context, const inference::ModelInferRequest* request,
                                      inference::ModelInferResponse* response) {
  // gRPC made the message for this call and doesn't look at it again; it is const in the signature
  // for the sake of handlers that only read.
  return start_infer_call(house_, *context, const_cast<inference::ModelInferRequest&>(*request),
                          *response);
}

StreamReactor* InferenceService::ModelStreamInfer(Context* context) {
  return streams_.start(house_, *context);
}

Reactor* InferenceService::ModelConfig(Context* context,
                                       const inference::ModelConfigRequest* request,
                                       inference::ModelConfigResponse* response) {
  return answer(context, Api::kModelConfig, [&](const Caller& caller) -> base::Status {
    const auto config = service_.model_config(caller, request->name(), request->version());
    if (config.ok()) *response->mutable_config() = *config->proto;
    return config.status();
  });
}

Reactor* InferenceService::ModelStatistics(Context* context,
                                           const inference::ModelStatisticsRequest* request,
                                           inference::ModelStatisticsResponse* response) {
  return answer(context, Api::kStatistics, [&](const Caller& caller) {
    return answer_with(service_.statistics(caller, request->name(), request->version()), *response);
  });
}

Reactor* InferenceService::RepositoryIndex(Context* context,
                                           const inference::RepositoryIndexRequest* request,
                                           inference::RepositoryIndexResponse* response) {
  return answer(context, Api::kModelRepository, [&](const Caller& caller) -> base::Status {
    SN_TRY(check_repository_name(request->repository_name()));
    return answer_with(service_.repository_index(caller, request->ready()), *response);
  });
}

Reactor* InferenceService::RepositoryModelLoad(Context* context,
                                               const inference::RepositoryModelLoadRequest* request,
                                               inference::RepositoryModelLoadResponse*) {
  return answer_later(
      context, Api::kModelRepository, [&](const Caller& caller, auto done) -> base::Status {
        SN_TRY(check_repository_name(request->repository_name()));
        // Taken over, as in ModelInfer: files may be as large as messages can be.
        SN_ASSIGN(auto message,
                  RequestMemory::hold(
                      house_.memory, const_cast<inference::RepositoryModelLoadRequest&>(*request)));
        SN_ASSIGN(auto load, decode_load(message));
        service_.load_model(caller, message->model_name(), std::move(load), std::move(done));
        return {};
      });
}

Reactor* InferenceService::RepositoryModelUnload(
    Context* context, const inference::RepositoryModelUnloadRequest* request,
    inference::RepositoryModelUnloadResponse*) {
  return answer_later(
      context, Api::kModelRepository, [&](const Caller& caller, auto done) -> base::Status {
        SN_TRY(check_repository_name(request->repository_name()));
        SN_ASSIGN(const bool dependents, decode_unload(*request));
        service_.unload_model(caller, request->model_name(), dependents, std::move(done));
        return {};
      });
}

Reactor* InferenceService::SystemSharedMemoryStatus(
    Context* context, const inference::SystemSharedMemoryStatusRequest* request,
    inference::SystemSharedMemoryStatusResponse* response) {
  return answer(context, Api::kSharedMemory, [&](const Caller& caller) {
    return answer_with(service_.shared_memory(caller, request->name()), *response);
  });
}

Reactor* InferenceService::SystemSharedMemoryRegister(
    Context* context, const inference::SystemSharedMemoryRegisterRequest* request,
    inference::SystemSharedMemoryRegisterResponse*) {
  return answer(context, Api::kSharedMemory, [&](const Caller& caller) {
    return service_.register_shared_memory(
        caller, {request->name(), request->key(), request->offset(), request->byte_size()});
  });
}

Reactor* InferenceService::SystemSharedMemoryUnregister(
    Context* context, const inference::SystemSharedMemoryUnregisterRequest* request,
    inference::SystemSharedMemoryUnregisterResponse*) {
  return answer(context, Api::kSharedMemory, [&](const Caller& caller) {
    return service_.unregister_shared_memory(caller, request->name());
  });
}

// CUDA regions can't be registered, so there are none: none is listed, and none is left after
// unregistering. Clients do the latter before they use shared memory of any kind. Where shared
// memory is disabled, it is so for both kinds.
Reactor* InferenceService::CudaSharedMemoryStatus(Context* context,
                                                  const inference::CudaSharedMemoryStatusRequest*,
                                                  inference::CudaSharedMemoryStatusResponse*) {
  return answer(context, Api::kSharedMemory,
                [&](const Caller& caller) { return service_.shared_memory(caller, "").status(); });
}

Reactor* InferenceService::CudaSharedMemoryRegister(
    Context* context, const inference::CudaSharedMemoryRegisterRequest*,
    inference::CudaSharedMemoryRegisterResponse*) {
  return answer(context, Api::kSharedMemory, [&](const Caller& caller) -> base::Status {
    SN_TRY(service_.shared_memory(caller, "").status());
    return absl::UnimplementedError(
        "CUDA shared memory is not supported; use system shared memory");
  });
}

Reactor* InferenceService::CudaSharedMemoryUnregister(
    Context* context, const inference::CudaSharedMemoryUnregisterRequest*,
    inference::CudaSharedMemoryUnregisterResponse*) {
  return answer(context, Api::kSharedMemory,
                [&](const Caller& caller) { return service_.shared_memory(caller, "").status(); });
}

Reactor* InferenceService::TraceSetting(Context* context,
                                        const inference::TraceSettingRequest* request,
                                        inference::TraceSettingResponse* response) {
  return answer(context, Api::kTrace, [&](const Caller& caller) -> base::Status {
    if (request->settings().empty()) {
      return answer_with(service_.trace_settings(caller, request->model_name()), *response);
    }
    SN_ASSIGN(const auto update, decode_trace_update(*request));
    return answer_with(service_.update_trace_settings(caller, request->model_name(), update),
                       *response);
  });
}

Reactor* InferenceService::LogSettings(Context* context,
                                       const inference::LogSettingsRequest* request,
                                       inference::LogSettingsResponse* response) {
  return answer(context, Api::kLogging, [&](const Caller& caller) -> base::Status {
    if (request->settings().empty()) return answer_with(service_.log_settings(caller), *response);
    SN_ASSIGN(const auto update, decode_log_update(*request));
    return answer_with(service_.update_log_settings(caller, update), *response);
  });
}

}  // namespace supernova::protocol::grpc
