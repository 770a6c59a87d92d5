#include "service/service.h"

#include <algorithm>

#include "base/log.h"
#include "model_config.pb.h"
#include "service/access_log.h"
#include "service/tensors.h"
#include "tensor/bytes.h"

namespace supernova::service {
namespace {

using tensor::Tensor;
using tensor::TensorInfo;

const TensorInfo* find_info(const std::vector<TensorInfo>& infos, std::string_view name) {
  const auto at = std::find_if(infos.begin(), infos.end(),
                               [&](const TensorInfo& info) { return info.name == name; });
  return at == infos.end() ? nullptr : &*at;
}

// The tensor meant by a positional alias such as INPUT__0; null when `name` is none.
const TensorInfo* find_alias(const std::vector<TensorInfo>& infos, std::string_view name,
                             std::string_view prefix) {
  size_t index = 0;
  if (!name.starts_with(prefix) || !base::parse_whole(name.substr(prefix.size()), index)) {
    return nullptr;
  }
  return index < infos.size() ? &infos[index] : nullptr;
}

std::vector<std::string> names_of(const std::vector<tensor::RequestedOutput>& outputs) {
  std::vector<std::string> names;
  for (const tensor::RequestedOutput& output : outputs) names.push_back(output.name);
  return names;
}

// The outputs, where any of them is to be more than handed on; else none.
std::vector<tensor::RequestedOutput> beyond_names(
    const std::vector<tensor::RequestedOutput>& outputs) {
  const bool any = std::any_of(outputs.begin(), outputs.end(), [](const auto& output) {
    return output.classification > 0 || output.destination.data() != nullptr;
  });
  return any ? outputs : std::vector<tensor::RequestedOutput>();
}

base::Status check_presence(const tensor::Request& request, const std::vector<TensorInfo>& inputs) {
  std::vector<std::string_view> missing;
  for (const TensorInfo& info : inputs) {
    const bool given = std::any_of(request.inputs.begin(), request.inputs.end(),
                                   [&](const Tensor& input) { return input.name == info.name; });
    if (!given && !info.optional) missing.push_back(info.name);
  }
  if (missing.empty()) return {};
  std::vector<std::string> given;
  for (const Tensor& input : request.inputs) given.push_back("'" + input.name + "'");
  return absl::InvalidArgumentError(
      base::str_cat("expected ", inputs.size(), " inputs but got ", request.inputs.size(),
                    " inputs for model '", request.model_name, "'. Got input(s) [",
                    base::str_join(given, ", "), "], but missing required input(s) ['",
                    base::str_join(missing, "', '"), "']. Please provide all required input(s)."));
}

base::Status check_input(const Tensor& input, const TensorInfo& info, std::string_view model) {
  if (input.data_type != info.data_type) {
    return absl::InvalidArgumentError(
        base::str_cat("inference input '", input.name, "' data-type is '",
                      tensor::data_type_name(input.data_type), "', but model '", model,
                      "' expects '", tensor::data_type_name(info.data_type), "'"));
  }
  if (info.rank_known && !tensor::shape_matches(info.shape, input.shape)) {
    return absl::InvalidArgumentError(base::str_cat(
        "unexpected shape for input '", input.name, "' for model '", model, "'. Expected ",
        tensor::shape_to_string(info.shape), ", got ", tensor::shape_to_string(input.shape), "."));
  }
  return check_content(input, model);
}

}  // namespace

base::Status check_byte_size(const Tensor& tensor, uint64_t size, std::string_view model) {
  const auto expected = tensor::byte_size(tensor.data_type, tensor.shape);
  if (!expected.ok()) {
    return base::annotate(expected.status(), base::str_cat("input '", tensor.name, "'"));
  }
  if (*expected == size) return {};
  return absl::InvalidArgumentError(base::str_cat("input byte size mismatch for input '",
                                                  tensor.name, "' for model '", model,
                                                  "'. Expected ", *expected, ", got ", size));
}

base::Status check_content(const Tensor& tensor, std::string_view model) {
  if (tensor.data_type == tensor::DataType::kBytes) {
    SN_ASSIGN(const int64_t count, tensor::element_count(tensor.shape));
    const auto elements = tensor::unpack_bytes(tensor.buffer.view(), count);
    return base::annotate(elements.status(),
                          base::str_cat("input '", tensor.name, "' for model '", model, "'"));
  }
  SN_TRY(check_byte_size(tensor, tensor.buffer.size(), model));
  if (tensor.data_type != tensor::DataType::kBool) return {};
  // A runtime may branch on the byte itself: any value but 0 and 1 is undefined there.
  unsigned all = 0;
  for (const std::byte byte : tensor.buffer.bytes()) all |= std::to_integer<unsigned>(byte);
  if (all <= 1) return {};
  return absl::InvalidArgumentError(base::str_cat("input '", tensor.name, "' for model '", model,
                                                  "' is BOOL and holds a byte other than 0 and 1"));
}

base::Status validate(const tensor::Request& request, const std::vector<TensorInfo>& inputs,
                      const std::vector<TensorInfo>& outputs) {
  const std::string& model = request.model_name;
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    const Tensor& input = request.inputs[i];
    const TensorInfo* info = find_info(inputs, input.name);
    if (info == nullptr) {
      return absl::InvalidArgumentError(
          base::str_cat("unexpected inference input '", input.name, "' for model '", model, "'"));
    }
    const bool repeated =
        std::any_of(request.inputs.begin(), request.inputs.begin() + static_cast<std::ptrdiff_t>(i),
                    [&](const Tensor& earlier) { return earlier.name == input.name; });
    if (repeated) {
      return absl::InvalidArgumentError(
          base::str_cat("input '", input.name, "' is given twice for model '", model, "'"));
    }
    SN_TRY(check_input(input, *info, model));
  }
  SN_TRY(check_presence(request, inputs));
  for (size_t i = 0; i < request.outputs.size(); ++i) {
    const std::string& name = request.outputs[i].name;
    if (find_info(outputs, name) == nullptr) {
      return absl::InvalidArgumentError(
          base::str_cat("unexpected inference output '", name, "' for model '", model, "'"));
    }
    const auto here = request.outputs.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::any_of(request.outputs.begin(), here,
                    [&](const auto& earlier) { return earlier.name == name; })) {
      return absl::InvalidArgumentError(
          base::str_cat("output '", name, "' is asked for twice of model '", model, "'"));
    }
  }
  return {};
}

base::Result<Caller> Service::admit(Transport transport, Api api,
                                    const Credentials& credentials) const {
  if (access_ == nullptr) return Caller{};
  return access_->admit(transport, api, credentials);
}

base::Result<ServerMetadata> Service::metadata(const Caller& caller) const {
  SN_TRY(check_right(caller, Api::kMetadata, ""));
  return ServerMetadata{
      "supernova",
      SUPERNOVA_VERSION,
      {"classification", "model_repository", "model_repository(unload_dependents)",
       "schedule_policy", "model_configuration", "system_shared_memory", "binary_tensor_data",
       "parameters", "statistics", "trace", "logging"}};
}

base::Result<ModelMetadata> Service::model_metadata(const Caller& caller, std::string_view model,
                                                    std::string_view version) const {
  SN_TRY(check_right(caller, Api::kMetadata, model));
  SN_ASSIGN(const model::VersionHandle handle, models_.find(model, version));
  std::vector<std::string> versions{std::to_string(handle->version())};
  if (version.empty()) {
    SN_ASSIGN(const auto ready, models_.ready_versions(model));
    versions.clear();
    for (const auto& one : ready) versions.push_back(std::to_string(one->version()));
  }
  const model::ModelConfig& config = handle->config();
  return ModelMetadata{handle->name(), std::move(versions), config.proto->platform(), config.inputs,
                       config.outputs};
}

base::Result<model::ModelConfig> Service::model_config(const Caller& caller, std::string_view model,
                                                       std::string_view version) const {
  SN_TRY(check_right(caller, Api::kModelConfig, model));
  SN_ASSIGN(const model::VersionHandle handle, models_.find(model, version));
  return handle->config();
}

base::Result<ModelPlacement> Service::placement(const Caller& caller, std::string_view model,
                                                std::string_view version) const {
  SN_TRY(check_right(caller, Api::kMetadata, model));
  auto handle = models_.find(model, version);
  if (!handle.ok()) {
    for (const model::VersionHandle& other : models_.list()) {
      const bool same = other->name() == model &&
                        (version.empty() || std::to_string(other->version()) == version);
      if (same && other->placement() != nullptr) handle = other;
    }
  }
  if (!handle.ok()) return handle.status();
  ModelPlacement placement;
  placement.name = (*handle)->name();
  placement.version = std::to_string((*handle)->version());
  placement.report = (*handle)->placement();
  const model::VersionState state = (*handle)->state();
  placement.state = std::string(model::version_state_name(state));
  if (placement.report == nullptr) {
    return absl::UnavailableError(
        base::str_cat("nothing is known yet of where model '", model, "' runs"));
  }
  if (state == model::VersionState::kReady) {
    placement.sessions = (*handle)->scheduler().instances();
    placement.moved = (*handle)->scheduler().figures().moved;
  }
  return placement;
}

base::Status Service::model_ready(const Caller& caller, std::string_view model,
                                  std::string_view version) const {
  SN_TRY(check_right(caller, Api::kHealth, model));
  SN_ASSIGN(const model::VersionHandle handle, models_.find(model, version));
  const base::Status health = handle->health();
  if (health.ok()) return {};
  return absl::UnavailableError(base::str_cat("Request for model '", handle->name(), "' version ",
                                              handle->version(),
                                              ": it can't be run now: ", base::message(health)));
}

base::Result<std::vector<ModelStatistics>> Service::statistics(const Caller& caller,
                                                               std::string_view model,
                                                               std::string_view version) const {
  SN_TRY(check_right(caller, Api::kStatistics, model));
  std::vector<model::VersionHandle> handles;
  if (model.empty()) {
    handles = models_.list();
  } else if (version.empty()) {
    SN_ASSIGN(handles, models_.ready_versions(model));
  } else {
    SN_ASSIGN(auto handle, models_.find(model, version));
    handles.push_back(std::move(handle));
  }
  std::vector<ModelStatistics> all;
  for (const auto& handle : handles) {
    if (handle->state() != model::VersionState::kReady) continue;
    if (!may_see(caller, Api::kStatistics, handle->name())) continue;
    all.push_back(
        {handle->name(), std::to_string(handle->version()), handle->statistics().snapshot()});
  }
  return all;
}

base::Result<std::vector<model::IndexEntry>> Service::repository_index(const Caller& caller,
                                                                       bool only_ready) const {
  SN_TRY(check_right(caller, Api::kModelRepository, ""));
  std::vector<model::IndexEntry> index = models_.index(only_ready);
  std::erase_if(index, [&](const model::IndexEntry& entry) {
    return !may_see(caller, Api::kModelRepository, entry.name);
  });
  return index;
}

void Service::load_model(const Caller& caller, std::string model, model::LoadRequest request,
                         model::LifecycleDone done) {
  const base::Status right = check_right(caller, Api::kModelRepository, model);
  if (!right.ok()) return done(right);
  models_.load_explicitly(std::move(model), std::move(request), std::move(done));
}

void Service::unload_model(const Caller& caller, std::string model, bool unload_dependents,
                           model::LifecycleDone done) {
  const base::Status right = check_right(caller, Api::kModelRepository, model);
  if (!right.ok()) return done(right);
  models_.unload_explicitly(std::move(model), unload_dependents, std::move(done));
}

namespace {

base::Status no_shared_memory() {
  return absl::UnimplementedError(
      "Client shared memory is disabled; start the server with --allow-client-shm");
}

}  // namespace

base::Status Service::register_shared_memory(const Caller& caller,
                                             const SharedMemoryRegion& region) {
  if (shared_memory_ == nullptr) return no_shared_memory();
  SN_TRY(check_right(caller, Api::kSharedMemory, ""));
  return shared_memory_->add(region);
}

base::Status Service::unregister_shared_memory(const Caller& caller, std::string_view name) {
  if (shared_memory_ == nullptr) return no_shared_memory();
  SN_TRY(check_right(caller, Api::kSharedMemory, ""));
  shared_memory_->remove(name);
  return {};
}

base::Result<std::vector<SharedMemoryRegion>> Service::shared_memory(const Caller& caller,
                                                                     std::string_view name) const {
  if (shared_memory_ == nullptr) return no_shared_memory();
  SN_TRY(check_right(caller, Api::kSharedMemory, ""));
  return shared_memory_->list(name);
}

void Service::devices(const Caller& caller, bool anew, DevicesDone done) const {
  if (const base::Status right = check_right(caller, Api::kMetadata, ""); !right.ok()) {
    return done(right);
  }
  if (devices_ == nullptr) {
    return done(absl::UnimplementedError("this server does not tell of its devices"));
  }
  devices_->get(anew, [done = std::move(done)](const device::DeviceList::Snapshot& found) mutable {
    done(found);
  });
}

base::Result<tensor::Buffer> Service::shared_memory_part(const Caller& caller,
                                                         std::string_view name, uint64_t offset,
                                                         uint64_t byte_size) const {
  if (shared_memory_ == nullptr) return no_shared_memory();
  SN_TRY(check_right(caller, Api::kSharedMemory, ""));
  return shared_memory_->part(name, offset, byte_size);
}

base::Status Service::check_trace(const Caller& caller, std::string_view model) const {
  SN_TRY(check_right(caller, Api::kTrace, model));
  if (tracer_ == nullptr) return absl::UnavailableError("the server does not support tracing");
  if (model.empty() || models_.find(model, "").ok()) return {};
  return absl::InvalidArgumentError(base::str_cat("Request for unknown model : ", model));
}

base::Result<TraceSettings> Service::trace_settings(const Caller& caller,
                                                    std::string_view model) const {
  SN_TRY(check_trace(caller, model));
  return tracer_->settings(model);
}

base::Result<TraceSettings> Service::update_trace_settings(const Caller& caller,
                                                           std::string_view model,
                                                           const TraceUpdate& update) {
  SN_TRY(check_trace(caller, model));
  return tracer_->update(model, update);
}

base::Result<LogSettings> Service::log_settings(const Caller& caller) const {
  SN_TRY(check_right(caller, Api::kLogging, ""));
  return current_log_settings();
}

base::Result<LogSettings> Service::update_log_settings(const Caller& caller,
                                                       const LogSettings& update) {
  SN_TRY(check_right(caller, Api::kLogging, ""));
  SN_TRY(apply_log_settings(update));
  return current_log_settings();
}

namespace {

base::Status with_id(const base::Status& status, std::string_view id) {
  if (id.empty()) return status;
  return {status.code(), base::str_cat("[request id: ", id, "] ", status.message())};
}

// A parameter that is a whole number from 0 to 2^64-1; nothing when it is not given.
base::Result<std::optional<uint64_t>> whole_parameter(const tensor::Request& request,
                                                      std::string_view key,
                                                      std::string_view meaning) {
  const auto at = request.parameters.find(key);
  if (at == request.parameters.end()) return std::nullopt;
  if (const auto* large = std::get_if<uint64_t>(&at->second)) return *large;
  const auto* const number = std::get_if<int64_t>(&at->second);
  if (number != nullptr && *number >= 0) return static_cast<uint64_t>(*number);
  return absl::InvalidArgumentError(
      base::str_cat("parameter '", key, "' must be ", meaning, ", 0 or more"));
}

// What the protocol gives a meaning: `timeout` is the time the client is willing to wait, 0 for
// ever.
base::Status apply_parameters(tensor::Request& request,
                              std::chrono::steady_clock::time_point arrived) {
  SN_TRY(whole_parameter(request, "priority", "a whole number").status());
  SN_ASSIGN(const auto timeout,
            whole_parameter(request, "timeout", "a whole number of microseconds"));
  if (!timeout || *timeout == 0) return {};
  // Beyond a year it makes no difference, and sums can't overflow.
  constexpr uint64_t kYear = uint64_t{365} * 24 * 3600 * 1'000'000;
  const auto deadline = arrived + std::chrono::microseconds(std::min(*timeout, kYear));
  request.deadline = std::min(request.deadline.value_or(deadline), deadline);
  return {};
}

}  // namespace

tensor::Completion Service::observe(tensor::Request& request,
                                    std::chrono::steady_clock::time_point arrived,
                                    tensor::Completion done) {
  if (tracer_ != nullptr) done = tracer_->trace(request, arrived, std::move(done));
  if (base::log_enabled(base::LogLevel::kDebug)) {
    done = log_access(request, arrived, std::move(done));
  }
  return done;
}

void Service::infer(const Caller& caller, tensor::Request request, tensor::Completion done) {
  const auto refuse = [&](const base::Status& status) {
    observe(request, std::chrono::steady_clock::now(),
            std::move(done))(with_id(status, request.id));
  };
  const base::Status right = check_right(caller, Api::kInference, request.model_name);
  if (!right.ok()) return refuse(right);
  auto found = models_.find(request.model_name, request.model_version);
  if (!found.ok()) return refuse(found.status());
  infer(caller, *std::move(found), std::move(request), std::move(done));
}

void Service::infer(const Caller& caller, model::VersionHandle handle, tensor::Request request,
                    tensor::Completion done) {
  const auto arrived = std::chrono::steady_clock::now();
  done = observe(request, arrived, std::move(done));
  const auto refuse = [&](const base::Status& status) { done(with_id(status, request.id)); };
  const base::Status right = check_right(caller, Api::kInference, handle->name());
  if (!right.ok()) return refuse(right);
  request.principal = caller.name;
  const model::ModelConfig& config = handle->config();

  for (Tensor& input : request.inputs) {
    if (find_info(config.inputs, input.name) != nullptr) continue;
    if (const TensorInfo* meant = find_alias(config.inputs, input.name, "INPUT__")) {
      input.name = meant->name;
    }
  }
  // Aliases of outputs come back under the name that was asked for; empty where none is an alias.
  std::vector<std::string> asked;
  for (tensor::RequestedOutput& output : request.outputs) {
    if (find_info(config.outputs, output.name) != nullptr) continue;
    if (const TensorInfo* meant = find_alias(config.outputs, output.name, "OUTPUT__")) {
      if (asked.empty()) asked = names_of(request.outputs);
      output.name = meant->name;
    }
  }
  const base::Status status = [&]() -> base::Status {
    SN_TRY(apply_parameters(request, arrived));
    SN_TRY(fetch_inputs(request, shared_memory_));
    SN_TRY(validate(request, config.inputs, config.outputs));
    SN_TRY(check_outputs(request.outputs, config));
    return shape_inputs(request, config).status();
  }();
  if (!status.ok()) {
    handle->statistics().record_failure(std::chrono::steady_clock::now() - arrived);
    return refuse(status);
  }
  if (request.outputs.empty() && !handle->has_engine_outputs()) {
    request.outputs.reserve(config.outputs.size());
    for (const TensorInfo& output : config.outputs) request.outputs.emplace_back(output.name);
  }
  schedule::Scheduler& scheduler = handle->scheduler();
  std::vector<tensor::RequestedOutput> wanted = beyond_names(request.outputs);
  scheduler.enqueue(std::move(request),
                    [handle, arrived, asked = std::move(asked), wanted = std::move(wanted),
                     shared_memory = shared_memory_,
                     done = std::move(done)](base::Result<tensor::Response> result) mutable {
                      if (result.ok()) {
                        const base::Status finished =
                            finish_outputs(*result, wanted, handle->config(), shared_memory);
                        if (!finished.ok()) result = finished;
                      }
                      const auto total = std::chrono::steady_clock::now() - arrived;
                      if (!result.ok()) {
                        const auto reason = model::failure_reason(result.status());
                        handle->statistics().record_failure(total, reason);
                      } else {
                        handle->statistics().record_success(result->timing, total);
                        result->model_name = handle->name();
                        result->model_version = std::to_string(handle->version());
                        for (size_t i = 0; i < result->outputs.size() && i < asked.size(); ++i) {
                          result->outputs[i].name = std::move(asked[i]);
                        }
                      }
                      done(std::move(result));
                    });
}

}  // namespace supernova::service
