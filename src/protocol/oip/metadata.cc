#include "protocol/oip/metadata.h"

#include "base/json_writer.h"
#include "model/config_text.h"

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

}  // namespace supernova::protocol::oip
