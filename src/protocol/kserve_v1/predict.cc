#include "protocol/kserve_v1/predict.h"

#include <algorithm>
#include <map>

#include "protocol/kserve_v1/nested_tensor.h"
#include "protocol/oip/json_object.h"
#include "protocol/oip/json_text.h"

namespace supernova::protocol::kserve_v1 {
namespace {

using oip::JsonReader;
using oip::JsonValues;
using tensor::Tensor;
using tensor::TensorInfo;

base::Status invalid(const std::string& message) { return absl::InvalidArgumentError(message); }

// The values of each input as they stand in the text, one per row.
using Rows = std::map<std::string, std::vector<std::string_view>, std::less<>>;

class Decoder {
 public:
  Decoder(const std::vector<TensorInfo>& inputs, tensor::Request& request)
      : inputs_(inputs), request_(request) {}

  base::Status read_instances(std::string_view json);
  base::Status read_columns(std::string_view json);

 private:
  // The input that is meant without a name: the only one that must be given.
  base::Result<const TensorInfo*> only_input() const;
  const TensorInfo* input_named(std::string_view name) const;
  // Whether a value is an object of inputs by name, and not the element {"b64": "..."}.
  bool is_named(std::string_view json) const;
  base::Status add(std::string_view json, const TensorInfo& info);
  base::Status read_row(std::string_view json, size_t row, Rows& rows);
  base::Status add_rows(const Rows& rows, size_t count);

  const std::vector<TensorInfo>& inputs_;
  tensor::Request& request_;
};

base::Result<const TensorInfo*> Decoder::only_input() const {
  const TensorInfo* only = nullptr;
  for (const TensorInfo& info : inputs_) {
    if (info.optional && inputs_.size() > 1) continue;
    if (only != nullptr) {
      return invalid(base::str_cat("model '", request_.model_name, "' has ", inputs_.size(),
                                   " inputs; give them by name, as members of an object"));
    }
    only = &info;
  }
  if (only == nullptr) {
    return invalid(base::str_cat("model '", request_.model_name,
                                 "' has no input that must be given; give inputs by name"));
  }
  return only;
}

const TensorInfo* Decoder::input_named(std::string_view name) const {
  const auto at = std::find_if(inputs_.begin(), inputs_.end(),
                               [&](const TensorInfo& info) { return info.name == name; });
  return at == inputs_.end() ? nullptr : &*at;
}

bool Decoder::is_named(std::string_view json) const {
  if (!json.starts_with('{')) return false;
  JsonReader reader(json);
  std::string key;
  std::string_view ignored;
  bool first = true;
  const bool is_base64 = reader.next_member(first, key) && key == "b64" &&
                         reader.skip_value(ignored) && !reader.next_member(first, key);
  return !is_base64 || input_named("b64") != nullptr;
}

base::Status Decoder::add(std::string_view json, const TensorInfo& info) {
  SN_ASSIGN(Tensor tensor, read_nested_tensor(json, info));
  request_.inputs.push_back(std::move(tensor));
  return {};
}

base::Status Decoder::read_columns(std::string_view json) {
  if (!is_named(json)) {
    SN_ASSIGN(const TensorInfo* const info, only_input());
    return add(json, *info);
  }
  JsonReader reader(json);
  return oip::read_json_object(reader, "'inputs'", [&](const std::string& name) -> base::Status {
    std::string_view value;
    if (!reader.skip_value(value)) return reader.status();
    const TensorInfo* const info = input_named(name);
    if (info == nullptr) {
      return invalid(base::str_cat("unexpected inference input '", name, "' for model '",
                                   request_.model_name, "'"));
    }
    return add(value, *info);
  });
}

base::Status Decoder::read_row(std::string_view json, size_t row, Rows& rows) {
  if (!is_named(json)) {
    return invalid(
        base::str_cat("instance ", row, " is no object of inputs by name, as those before it are"));
  }
  JsonReader reader(json);
  const std::string what = base::str_cat("instance ", row);
  return oip::read_json_object(reader, what, [&](const std::string& name) -> base::Status {
    std::string_view value;
    if (!reader.skip_value(value)) return reader.status();
    if (input_named(name) == nullptr) {
      return invalid(base::str_cat(what, " has '", name, "', which is no input of model '",
                                   request_.model_name, "'"));
    }
    std::vector<std::string_view>& column = rows[name];
    if (column.size() != row) {
      return invalid(base::str_cat("instances before instance ", row, " lack input '", name, "'"));
    }
    column.push_back(value);
    return {};
  });
}

base::Status Decoder::add_rows(const Rows& rows, size_t count) {
  for (const auto& [name, column] : rows) {
    if (column.size() != count) {
      return invalid(base::str_cat("instance ", column.size(), " lacks input '", name, "'"));
    }
    SN_TRY(add(base::str_cat("[", base::str_join(column, ","), "]"), *input_named(name)));
  }
  return {};
}

base::Status Decoder::read_instances(std::string_view json) {
  if (!json.starts_with('[')) return invalid("'instances' must be an array");
  JsonReader reader(json);
  Rows rows;
  size_t row = 0;
  for (bool first = true; reader.next_element(first); ++row) {
    std::string_view value;
    if (!reader.skip_value(value)) break;
    if (row == 0 && !is_named(value)) {
      SN_ASSIGN(const TensorInfo* const info, only_input());
      return add(json, *info);
    }
    SN_TRY(read_row(value, row, rows));
  }
  SN_TRY(reader.status());
  if (row > 0) return add_rows(rows, row);
  SN_ASSIGN(const TensorInfo* const info, only_input());
  return add(json, *info);
}

base::Result<JsonValues> values_of(const Tensor& output) {
  const auto bytes =
      output.name.ends_with("_bytes") ? JsonValues::Bytes::kAlways : JsonValues::Bytes::kMark;
  return JsonValues::of(output, bytes);
}

base::Status append_columns(std::string& out, const tensor::Response& response) {
  out += '{';
  for (const Tensor& output : response.outputs) {
    SN_ASSIGN(const JsonValues values, values_of(output));
    oip::append_key(out, output.name);
    SN_TRY(append_nested(out, values, output.shape, 0));
  }
  out += '}';
  return {};
}

base::Status append_rows(std::string& out, const tensor::Response& response) {
  std::vector<JsonValues> values;
  for (const Tensor& output : response.outputs) {
    if (output.shape.empty() || output.shape[0] != response.outputs[0].shape[0]) {
      return invalid(base::str_cat("output '", output.name, "' of shape ",
                                   tensor::shape_to_string(output.shape),
                                   " is not one row per instance; ask with \"inputs\" in place of "
                                   "\"instances\""));
    }
    SN_ASSIGN(JsonValues one, values_of(output));
    values.push_back(std::move(one));
  }
  const auto count = static_cast<size_t>(response.outputs[0].shape[0]);
  out += '[';
  for (size_t row = 0; row < count; ++row) {
    out += row > 0 ? ",{" : "{";
    for (size_t i = 0; i < values.size(); ++i) {
      const Tensor& output = response.outputs[i];
      oip::append_key(out, output.name);
      SN_TRY(append_nested(out, values[i], std::span(output.shape).subspan(1),
                           row * (values[i].count() / count)));
    }
    out += '}';
  }
  out += ']';
  return {};
}

}  // namespace

base::Result<PredictRequest> decode_predict_request(std::string_view text,
                                                    std::string_view model_name,
                                                    const std::vector<TensorInfo>& inputs) {
  PredictRequest decoded;
  decoded.request.model_name = std::string(model_name);
  std::string_view instances;
  std::string_view columns;
  const auto member = [&](JsonReader& reader, const std::string& key) -> base::Status {
    std::string_view value;
    if (!reader.skip_value(value)) return reader.status();
    if (key == "instances") instances = value;
    if (key == "inputs") columns = value;
    return {};
  };
  SN_TRY(oip::read_json_text(text, "the request", member));
  if (instances.empty() == columns.empty()) {
    return invalid("the request must have exactly one of \"instances\" and \"inputs\"");
  }
  decoded.by_row = columns.empty();
  Decoder decoder(inputs, decoded.request);
  SN_TRY(decoded.by_row ? decoder.read_instances(instances) : decoder.read_columns(columns));
  return decoded;
}

base::Result<std::string> encode_predict_response(const tensor::Response& response, bool by_row) {
  std::string out = "{\"predictions\":";
  if (response.outputs.size() == 1) {
    SN_ASSIGN(const JsonValues values, values_of(response.outputs[0]));
    SN_TRY(append_nested(out, values, response.outputs[0].shape, 0));
  } else {
    SN_TRY(by_row && !response.outputs.empty() ? append_rows(out, response)
                                               : append_columns(out, response));
  }
  out += '}';
  return out;
}

}  // namespace supernova::protocol::kserve_v1
