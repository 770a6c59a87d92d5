#include "protocol/grpc/extension_codec.h"

#include <algorithm>
#include <limits>

namespace supernova::protocol::grpc {
namespace {

base::Status invalid(const std::string& message) { return absl::InvalidArgumentError(message); }

void fill(const model::CountedTime& time, inference::StatisticDuration& message) {
  message.set_count(time.count);
  message.set_ns(time.ns);
}

void fill_totals(const model::StatisticsSnapshot& totals, inference::InferStatistics& message) {
  fill(totals.success, *message.mutable_success());
  fill(totals.fail, *message.mutable_fail());
  fill(totals.queue, *message.mutable_queue());
  fill(totals.compute_input, *message.mutable_compute_input());
  fill(totals.compute_infer, *message.mutable_compute_infer());
  fill(totals.compute_output, *message.mutable_compute_output());
  fill(totals.cache_hit, *message.mutable_cache_hit());
  fill(totals.cache_miss, *message.mutable_cache_miss());
}

void fill_batch(const model::BatchStatistics& batch, inference::InferBatchStatistics& message) {
  message.set_batch_size(batch.batch_size);
  fill(batch.compute_input, *message.mutable_compute_input());
  fill(batch.compute_infer, *message.mutable_compute_infer());
  fill(batch.compute_output, *message.mutable_compute_output());
}

base::Result<std::string> read_single(const std::string& key,
                                      const inference::TraceSettingRequest::SettingValue& value) {
  if (value.value_size() == 1) return value.value(0);
  return invalid(
      base::str_cat("trace setting '", key, "' takes one value, not ", value.value_size()));
}

}  // namespace

void fill(const std::vector<service::ModelStatistics>& statistics,
          inference::ModelStatisticsResponse& message) {
  for (const service::ModelStatistics& of_version : statistics) {
    const model::StatisticsSnapshot& from = of_version.statistics;
    auto& to = *message.add_model_stats();
    to.set_name(of_version.name);
    to.set_version(of_version.version);
    to.set_last_inference(from.last_inference_ms);
    to.set_inference_count(from.inference_count);
    to.set_execution_count(from.execution_count);
    fill_totals(from, *to.mutable_inference_stats());
    for (const auto& batch : from.batches) fill_batch(batch, *to.add_batch_stats());
    if (from.load.memory_bytes == 0) continue;  // not known
    auto& memory = *to.add_memory_usage();
    memory.set_type("CPU");
    memory.set_byte_size(from.load.memory_bytes);
  }
}

void fill(const std::vector<model::IndexEntry>& index,
          inference::RepositoryIndexResponse& message) {
  for (const model::IndexEntry& entry : index) {
    auto& to = *message.add_models();
    to.set_name(entry.name);
    to.set_version(entry.version);
    to.set_state(entry.state);
    to.set_reason(entry.reason);
  }
}

void fill(const std::vector<service::SharedMemoryRegion>& regions,
          inference::SystemSharedMemoryStatusResponse& message) {
  for (const service::SharedMemoryRegion& region : regions) {
    auto& to = (*message.mutable_regions())[region.name];
    to.set_name(region.name);
    to.set_key(region.key);
    to.set_offset(region.offset);
    to.set_byte_size(region.byte_size);
  }
}

void fill(const service::TraceSettings& settings, inference::TraceSettingResponse& message) {
  auto& to = *message.mutable_settings();
  for (const std::string& level : settings.level) to["trace_level"].add_value(level);
  to["trace_rate"].add_value(settings.rate);
  to["trace_count"].add_value(settings.count);
  to["log_frequency"].add_value(settings.log_frequency);
  to["trace_file"].add_value(settings.file);
  to["trace_mode"].add_value(settings.mode);
}

void fill(const service::LogSettings& settings, inference::LogSettingsResponse& message) {
  constexpr uint64_t kMax = std::numeric_limits<uint32_t>::max();
  for (const auto& [key, value] : settings) {
    auto& to = (*message.mutable_settings())[key];
    if (const auto* truth = std::get_if<bool>(&value)) to.set_bool_param(*truth);
    if (const auto* number = std::get_if<int64_t>(&value)) {
      to.set_uint32_param(
          static_cast<uint32_t>(std::clamp<int64_t>(*number, 0, static_cast<int64_t>(kMax))));
    }
    if (const auto* large = std::get_if<uint64_t>(&value)) {
      to.set_uint32_param(static_cast<uint32_t>(std::min(*large, kMax)));
    }
    if (const auto* text = std::get_if<std::string>(&value)) to.set_string_param(*text);
  }
}

base::Status check_repository_name(const std::string& name) {
  if (name.empty()) return {};
  return absl::UnimplementedError("'repository_name' specification is not supported");
}

base::Result<model::LoadRequest> decode_load(
    const std::shared_ptr<inference::RepositoryModelLoadRequest>& message) {
  constexpr std::string_view kFile = "file:";
  model::LoadRequest request;
  for (auto& [key, value] : *message->mutable_parameters()) {
    if (key == "config") {
      if (!value.has_string_param()) return invalid("load parameter 'config' must be a string");
      request.config = value.string_param();
    } else if (key.starts_with(kFile)) {
      if (!value.has_bytes_param()) {
        return invalid(base::str_cat("load parameter '", key, "' must be bytes"));
      }
      std::string& content = *value.mutable_bytes_param();
      request.files.push_back(
          {key.substr(kFile.size()),
           tensor::Buffer::adopt(content.data(), content.size(), [held = message] {})});
    } else {
      return invalid(base::str_cat("unrecognized load parameter '", key,
                                   "'; there are 'config' and 'file:<version>/<name>'"));
    }
  }
  if (!request.files.empty() && request.config.empty()) {
    return invalid("load parameter 'config' must be given with 'file:' parameters");
  }
  return request;
}

base::Result<bool> decode_unload(const inference::RepositoryModelUnloadRequest& message) {
  bool dependents = false;
  for (const auto& [key, value] : message.parameters()) {
    if (key != "unload_dependents") {
      return invalid(
          base::str_cat("unrecognized unload parameter '", key, "'; there is 'unload_dependents'"));
    }
    if (!value.has_bool_param()) return invalid("'unload_dependents' must be a boolean");
    dependents = value.bool_param();
  }
  return dependents;
}

base::Result<service::TraceUpdate> decode_trace_update(
    const inference::TraceSettingRequest& message) {
  service::TraceUpdate update;
  const std::pair<std::string_view, service::TraceUpdate::Field<std::string>*> single[] = {
      {"trace_rate", &update.rate},
      {"trace_count", &update.count},
      {"log_frequency", &update.log_frequency},
      {"trace_file", &update.file}};
  for (const auto& [key, value] : message.settings()) {
    if (key == "trace_level") {
      update.level.emplace();
      if (value.value_size() > 0) update.level->emplace(value.value().begin(), value.value().end());
      continue;
    }
    const auto* const field =
        std::find_if(std::begin(single), std::end(single),
                     [&, &name = key](const auto& known) { return known.first == name; });
    if (field == std::end(single)) {
      return invalid(base::str_cat("unknown trace setting '", key,
                                   "'; there are trace_level, trace_rate, trace_count and "
                                   "log_frequency"));
    }
    field->second->emplace();
    if (value.value_size() == 0) continue;
    SN_ASSIGN(**field->second, read_single(key, value));
  }
  return update;
}

base::Result<service::LogSettings> decode_log_update(const inference::LogSettingsRequest& message) {
  service::LogSettings update;
  for (const auto& [key, value] : message.settings()) {
    using Case = inference::LogSettingsRequest::SettingValue::ParameterChoiceCase;
    switch (value.parameter_choice_case()) {
      case Case::kBoolParam:
        update[key] = value.bool_param();
        break;
      case Case::kUint32Param:
        update[key] = int64_t{value.uint32_param()};
        break;
      case Case::kStringParam:
        update[key] = value.string_param();
        break;
      case Case::PARAMETER_CHOICE_NOT_SET:
        return invalid(base::str_cat("log setting '", key, "' has no value"));
    }
  }
  return update;
}

}  // namespace supernova::protocol::grpc
