#include "protocol/oip/infer_response.h"

#include "protocol/oip/json_text.h"
#include "protocol/oip/json_values.h"

namespace supernova::protocol::oip {
namespace {

using tensor::Tensor;

// About what the JSON takes without data: one allocation for most responses.
constexpr size_t kHeadBytes = 128;
constexpr size_t kBytesEach = 128;

void append_parameters(std::string& out, const tensor::Parameters& parameters) {
  if (parameters.empty()) return;
  append_raw(out, "parameters", "{");
  for (const auto& [key, value] : parameters) {
    append_key(out, key);
    append_parameter(out, value);
  }
  out += '}';
}

void append_head(std::string& out, const tensor::Response& response) {
  out += '{';
  if (!response.id.empty()) {
    out += "\"id\":";
    base::append_json_string(out, response.id);
    out += ',';
  }
  out += "\"model_name\":";
  base::append_json_string(out, response.model_name);
  out += ",\"model_version\":";
  base::append_json_string(out, response.model_version);
  append_parameters(out, response.parameters);
  out += ",\"outputs\":[";
}

}  // namespace

base::Result<http::HttpResponse> encode_infer_response(const tensor::Response& response,
                                                       const OutputForm& form) {
  http::HttpResponse reply;
  std::string& out = reply.body;
  out.reserve(kHeadBytes + kBytesEach * response.outputs.size());
  bool any_binary = false;
  append_head(out, response);
  for (size_t i = 0; i < response.outputs.size(); ++i) {
    const Tensor& output = response.outputs[i];
    if (i > 0) out += ',';
    out += "{\"name\":";
    base::append_json_string(out, output.name);
    out += ",\"datatype\":\"";
    out += tensor::data_type_name(output.data_type);
    out += "\",\"shape\":";
    out += tensor::shape_to_string(output.shape);
    switch (form.of(output.name)) {
      case OutputForm::Form::kSharedMemory:  // it is there already
        break;
      case OutputForm::Form::kBinary:
        any_binary = true;
        out += ",\"parameters\":{\"binary_data_size\":";
        base::append_json_number(out, static_cast<uint64_t>(output.buffer.size()));
        out += '}';
        reply.buffers.push_back(output.buffer);
        break;
      case OutputForm::Form::kJson: {
        SN_ASSIGN(const JsonValues values, JsonValues::of(output));
        out += ",\"data\":[";
        SN_TRY(values.append(out, 0, values.count()));
        out += ']';
        break;
      }
    }
    out += '}';
  }
  out += "]}";
  reply.content_type = any_binary ? "application/octet-stream" : "application/json";
  if (any_binary) reply.json_size = out.size();
  return reply;
}

}  // namespace supernova::protocol::oip
