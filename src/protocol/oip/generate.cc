#include "protocol/oip/generate.h"

#include <algorithm>

#include "protocol/oip/json_data.h"
#include "protocol/oip/json_object.h"
#include "protocol/oip/json_text.h"
#include "protocol/oip/json_values.h"

namespace supernova::protocol::oip {
namespace {

using tensor::Shape;
using tensor::Tensor;
using tensor::TensorInfo;

base::Result<Shape> shape_for(const TensorInfo& info, int64_t count) {
  if (!info.rank_known) return Shape{count};
  Shape shape = info.shape;
  auto innermost = shape.end();
  for (auto size = shape.begin(); size != shape.end(); ++size) {
    if (*size >= 0) continue;
    *size = 1;
    innermost = size;
  }
  SN_ASSIGN(const int64_t fixed, tensor::element_count(shape));
  if (innermost != shape.end() && fixed > 0 && count % fixed == 0) {
    *innermost = count / fixed;
    return shape;
  }
  if (fixed == count) return shape;
  return absl::InvalidArgumentError(base::str_cat("input '", info.name, "' has ", count,
                                                  " elements, which no shape like ",
                                                  tensor::shape_to_string(info.shape), " has"));
}

base::Result<int64_t> count_elements(std::string_view array) {
  JsonReader reader(array);
  int64_t count = 0;
  std::string_view ignored;
  for (bool first = true; reader.next_element(first); ++count) {
    if (reader.peek() == '[') reader.fail("a list inside a list");
    reader.skip_value(ignored);
  }
  SN_TRY(reader.status());
  return count;
}

base::Result<Tensor> read_tensor(JsonReader& reader, const TensorInfo& info) {
  std::string_view raw;
  if (!reader.skip_value(raw)) return reader.status();
  const std::string array = raw.starts_with('[') ? "" : base::str_cat("[", raw, "]");
  if (!array.empty()) raw = array;
  const auto counted = count_elements(raw);
  if (!counted.ok()) {
    return base::annotate(counted.status(), base::str_cat("input '", info.name, "'"));
  }
  const int64_t count = *counted;
  Tensor tensor;
  tensor.name = info.name;
  tensor.data_type = info.data_type;
  SN_ASSIGN(tensor.shape, shape_for(info, count));
  JsonReader values(raw);
  auto buffer = read_json_data(values, info.data_type, count);
  if (!buffer.ok()) {
    return base::annotate(buffer.status(), base::str_cat("input '", info.name, "'"));
  }
  tensor.buffer = *std::move(buffer);
  return tensor;
}

class Decoder {
 public:
  Decoder(tensor::Request& request, const std::vector<TensorInfo>& inputs)
      : request_(request), inputs_(inputs) {}

  base::Status read(std::string_view text) {
    return read_json_text(text, "the request", [&](JsonReader& reader, const std::string& key) {
      if (key == "id" && input_named(key) == nullptr) return read_id(reader);
      if (key == "parameters" && reader.peek() == '{') {
        return read_json_object(reader, "'parameters'", [&](const std::string& inner) {
          return read_member(reader, inner);
        });
      }
      return read_member(reader, key);
    });
  }

 private:
  const TensorInfo* input_named(std::string_view name) const {
    const auto at = std::find_if(inputs_.begin(), inputs_.end(),
                                 [&](const TensorInfo& info) { return info.name == name; });
    return at == inputs_.end() ? nullptr : &*at;
  }

  base::Status read_id(JsonReader& reader) {
    SN_ASSIGN(request_.id, read_text(reader, "id", "the request"));
    return {};
  }

  base::Status read_member(JsonReader& reader, const std::string& key) {
    if (const TensorInfo* info = input_named(key)) {
      SN_ASSIGN(Tensor tensor, read_tensor(reader, *info));
      request_.inputs.push_back(std::move(tensor));
      return {};
    }
    if (key.starts_with("triton_")) {
      return absl::InvalidArgumentError(
          base::str_cat("parameter '", key, "' is reserved: names must not start with 'triton_'"));
    }
    tensor::Parameter value;
    SN_TRY(read_parameter(reader, key, "the request", value));
    if (!request_.parameters.emplace(key, std::move(value)).second) {
      return absl::InvalidArgumentError(base::str_cat("parameter '", key, "' is given twice"));
    }
    return {};
  }

  tensor::Request& request_;
  const std::vector<TensorInfo>& inputs_;
};

}  // namespace

base::Result<tensor::Request> decode_generate_request(std::string_view text,
                                                      std::string_view model_name,
                                                      const std::vector<TensorInfo>& inputs) {
  tensor::Request request;
  request.model_name = std::string(model_name);
  SN_TRY(base::annotate(Decoder(request, inputs).read(text), "failed to read the request"));
  return request;
}

base::Result<std::string> encode_generate_response(const tensor::Response& response) {
  std::string out = "{";
  // An output's name wins over a key of ours: keys stay unique.
  const auto append_unless_output = [&](std::string_view key, std::string_view value) {
    const bool taken = std::any_of(response.outputs.begin(), response.outputs.end(),
                                   [&](const Tensor& output) { return output.name == key; });
    if (!taken) append_text(out, key, value);
  };
  if (!response.id.empty()) append_unless_output("id", response.id);
  append_unless_output("model_name", response.model_name);
  append_unless_output("model_version", response.model_version);
  for (const Tensor& output : response.outputs) {
    SN_ASSIGN(const JsonValues values, JsonValues::of(output));
    const bool is_list = values.count() != 1;
    append_key(out, output.name);
    if (is_list) out += '[';
    SN_TRY(values.append(out, 0, values.count()));
    if (is_list) out += ']';
  }
  out += '}';
  return out;
}

}  // namespace supernova::protocol::oip
