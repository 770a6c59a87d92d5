#include "protocol/oip/metadata.h"

#include "model/config_text.h"
#include "protocol/oip/json_text.h"

namespace supernova::protocol::oip {
namespace {

void append_tensors(std::string& out, std::string_view key,
                    const std::vector<tensor::TensorInfo>& tensors) {
  append_objects(out, key, tensors, [&](const tensor::TensorInfo& tensor) {
    append_text(out, "name", tensor.name);
    append_text(out, "datatype", tensor::data_type_name(tensor.data_type));
    append_raw(out, "shape", tensor::shape_to_string(tensor.shape));
  });
}

void append_time(std::string& out, std::string_view key, const model::CountedTime& time) {
  append_raw(out, key, "{");
  append_count(out, "count", time.count);
  append_count(out, "ns", time.ns);
  out += '}';
}

void append_statistics(std::string& out, const service::ModelStatistics& model) {
  const model::StatisticsSnapshot& all = model.statistics;
  append_text(out, "name", model.name);
  append_text(out, "version", model.version);
  append_count(out, "last_inference", all.last_inference_ms);
  append_count(out, "inference_count", all.inference_count);
  append_count(out, "execution_count", all.execution_count);
  append_raw(out, "inference_stats", "{");
  append_time(out, "success", all.success);
  append_time(out, "fail", all.fail);
  append_time(out, "queue", all.queue);
  append_time(out, "compute_input", all.compute_input);
  append_time(out, "compute_infer", all.compute_infer);
  append_time(out, "compute_output", all.compute_output);
  append_time(out, "cache_hit", all.cache_hit);
  append_time(out, "cache_miss", all.cache_miss);
  out += '}';
  append_raw(out, "response_stats", "{}");
  append_objects(out, "batch_stats", all.batches, [&](const model::BatchStatistics& batch) {
    append_count(out, "batch_size", batch.batch_size);
    append_time(out, "compute_input", batch.compute_input);
    append_time(out, "compute_infer", batch.compute_infer);
    append_time(out, "compute_output", batch.compute_output);
  });
  append_raw(out, "memory_usage", "[]");
}

}  // namespace

std::string server_metadata_json(const service::ServerMetadata& metadata) {
  std::string out = "{";
  append_text(out, "name", metadata.name);
  append_text(out, "version", metadata.version);
  append_strings(out, "extensions", metadata.extensions);
  return out + "}";
}

std::string model_metadata_json(const service::ModelMetadata& metadata) {
  std::string out = "{";
  append_text(out, "name", metadata.name);
  append_strings(out, "versions", metadata.versions);
  append_text(out, "platform", metadata.platform);
  append_tensors(out, "inputs", metadata.inputs);
  append_tensors(out, "outputs", metadata.outputs);
  return out + "}";
}

std::string model_config_json(const model::ModelConfig& config) {
  return model::config_json(*config.proto);
}

std::string statistics_json(const std::vector<service::ModelStatistics>& statistics) {
  std::string out = "{";
  append_objects(out, "model_stats", statistics,
                 [&](const service::ModelStatistics& model) { append_statistics(out, model); });
  return out + "}";
}

std::string repository_index_json(const std::vector<model::IndexEntry>& index) {
  std::string out;
  append_objects(out, index, [&](const model::IndexEntry& entry) {
    append_text(out, "name", entry.name);
    append_text_if(out, "version", entry.version);
    append_text_if(out, "state", entry.state);
    append_text_if(out, "reason", entry.reason);
  });
  return out;
}

std::string shared_memory_json(const std::vector<service::SharedMemoryRegion>& regions) {
  std::string out;
  append_objects(out, regions, [&](const service::SharedMemoryRegion& region) {
    append_text(out, "name", region.name);
    append_text(out, "key", region.key);
    append_count(out, "offset", region.offset);
    append_count(out, "byte_size", region.byte_size);
  });
  return out;
}

std::string trace_settings_json(const service::TraceSettings& settings) {
  std::string out = "{";
  append_strings(out, "trace_level", settings.level);
  append_text(out, "trace_rate", settings.rate);
  append_text(out, "trace_count", settings.count);
  append_text(out, "log_frequency", settings.log_frequency);
  append_text(out, "trace_file", settings.file);
  append_text(out, "trace_mode", settings.mode);
  return out + "}";
}

std::string log_settings_json(const service::LogSettings& settings) {
  std::string out = "{";
  for (const auto& [key, value] : settings) {
    append_key(out, key);
    append_parameter(out, value);
  }
  return out + "}";
}

}  // namespace supernova::protocol::oip
