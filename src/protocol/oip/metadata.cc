#include "protocol/oip/metadata.h"

#include <span>

#include "base/json_writer.h"

namespace supernova::protocol::oip {
namespace {

using base::append_json_string;

// Appends `"key":`, with a comma in front unless it opens an object.
void append_key(std::string& out, std::string_view key) {
  if (!out.empty() && out.back() != '{' && out.back() != '[') out += ',';
  append_json_string(out, key);
  out += ':';
}

void append_text(std::string& out, std::string_view key, std::string_view value) {
  append_key(out, key);
  append_json_string(out, value);
}

void append_raw(std::string& out, std::string_view key, std::string_view json) {
  append_key(out, key);
  out += json;
}

void append_strings(std::string& out, std::string_view key,
                    const std::vector<std::string>& values) {
  append_key(out, key);
  out += '[';
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, values[i]);
  }
  out += ']';
}

void append_tensors(std::string& out, std::string_view key,
                    const std::vector<tensor::TensorInfo>& tensors) {
  append_key(out, key);
  out += '[';
  for (size_t i = 0; i < tensors.size(); ++i) {
    out += i > 0 ? ",{" : "{";
    append_text(out, "name", tensors[i].name);
    append_text(out, "datatype", tensor::data_type_name(tensors[i].data_type));
    append_raw(out, "shape", tensor::shape_to_string(tensors[i].shape));
    out += '}';
  }
  out += ']';
}

// "TYPE_FP32"; strings have another name here than on the wire.
std::string config_type(tensor::DataType type) {
  if (type == tensor::DataType::kBytes) return "TYPE_STRING";
  if (type == tensor::DataType::kInvalid) return "TYPE_INVALID";
  return base::str_cat("TYPE_", tensor::data_type_name(type));
}

// Dimensions without the batch where the model batches.
std::string dims(const tensor::TensorInfo& info, bool batches) {
  std::span<const int64_t> shape(info.shape);
  return tensor::shape_to_string(batches && !shape.empty() ? shape.subspan(1) : shape);
}

void append_config_tensors(std::string& out, const model::ModelConfig& config, bool input) {
  append_key(out, input ? "input" : "output");
  out += '[';
  const auto& tensors = input ? config.inputs : config.outputs;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const tensor::TensorInfo& info = tensors[i];
    out += i > 0 ? ",{" : "{";
    append_text(out, "name", info.name);
    append_text(out, "data_type", config_type(info.data_type));
    if (input) append_text(out, "format", "FORMAT_NONE");
    append_raw(out, "dims", dims(info, config.max_batch_size > 0));
    if (!input) append_text(out, "label_filename", "");
    append_raw(out, "is_shape_tensor", "false");
    if (input) {
      append_raw(out, "allow_ragged_batch", "false");
      append_raw(out, "optional", info.optional ? "true" : "false");
    }
    append_raw(out, "is_non_linear_format_io", "false");
    out += '}';
  }
  out += ']';
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
  std::string out = "{";
  append_text(out, "name", config.name);
  append_text(out, "platform", config.platform);
  append_text(out, "backend", config.backend);
  append_text(out, "runtime", "");
  append_raw(out, "version_policy", "{\"latest\":{\"num_versions\":1}}");
  append_raw(out, "max_batch_size", std::to_string(config.max_batch_size));
  append_config_tensors(out, config, true);
  append_config_tensors(out, config, false);
  append_key(out, "instance_group");
  out += "[{";
  append_text(out, "name", config.name + "_0");
  append_text(out, "kind", "KIND_CPU");
  out += ",\"count\":1,\"gpus\":[],\"profile\":[],\"passive\":false,\"host_policy\":\"\"}]";
  append_text(out, "default_model_filename", config.default_model_filename);
  append_raw(out, "metric_tags", "{}");
  append_key(out, "parameters");
  out += '{';
  for (const auto& [key, value] : config.parameters) {
    append_key(out, key);
    out += '{';
    append_text(out, "string_value", value);
    out += '}';
  }
  out += '}';
  return out + "}";
}

}  // namespace supernova::protocol::oip
