#include "protocol/oip/infer_request.h"

#include <simdjson.h>

#include <optional>
#include <set>

#include "protocol/oip/binary_input.h"
#include "protocol/oip/json_data.h"
#include "protocol/oip/json_object.h"
#include "protocol/oip/known_request.h"
#include "protocol/oip/requested_output.h"
#include "service/service.h"

namespace supernova::protocol::oip {
namespace {

using tensor::Buffer;
using tensor::DataType;
using tensor::Tensor;

base::Status invalid(std::string_view message) {
  return absl::InvalidArgumentError(absl::string_view(message.data(), message.size()));
}

// One input as far as it has been read.
struct InputParts {
  Tensor tensor;
  std::string data_type_text;
  bool has_name = false;
  bool has_shape = false;
  bool has_data = false;
  bool data_is_read = false;
  std::string_view raw_data;
  std::optional<uint64_t> binary_size;
  SharedMemoryPlace shared_memory;
};

class Decoder {
 public:
  Decoder(const Buffer& body, size_t json_size, std::string_view model,
          const SharedMemoryPart& shared_memory)
      : body_(body),
        json_(body.view().substr(0, json_size)),
        reader_(json_),
        next_binary_(json_size),
        model_(model),
        shared_memory_(shared_memory) {}

  base::Result<DecodedRequest> decode(KnownRequest* known);

 private:
  base::Status once(std::string_view object, std::string_view key, bool& seen);
  base::Status read_request();
  base::Status read_parameters();
  base::Status read_inputs();
  base::Status read_input();
  base::Status read_input_parameters(InputParts& input);
  base::Status read_shape(InputParts& input);
  base::Status read_data(JsonReader& reader, InputParts& input);
  base::Status finish_input(InputParts& input);
  base::Status read_outputs();
  base::Status read_output();
  base::Status attach_binary();
  base::Status attach_binary(Tensor& tensor, uint64_t size);

  const Buffer& body_;
  const std::string_view json_;
  JsonReader reader_;
  size_t next_binary_;
  const std::string_view model_;
  const SharedMemoryPart& shared_memory_;
  DecodedRequest decoded_;
  std::vector<std::optional<uint64_t>> binary_sizes_;  // per input
  std::set<std::string> input_names_;
  std::set<std::string> output_names_;
};

base::Status Decoder::once(std::string_view object, std::string_view key, bool& seen) {
  if (seen) return invalid(base::str_cat(object, " has '", key, "' twice"));
  seen = true;
  return {};
}

base::Result<DecodedRequest> Decoder::decode(KnownRequest* known) {
  decoded_.request.model_name = std::string(model_);
  if (!simdjson::validate_utf8(json_.data(), json_.size())) {
    return invalid("the request's JSON is not valid UTF-8");
  }
  SN_TRY(base::annotate(read_request(), "failed to read the inference request"));
  SN_TRY(attach_binary());
  if (known != nullptr) known->learn(json_, decoded_, binary_sizes_);
  return std::move(decoded_);
}

base::Status Decoder::read_request() {
  bool has_id = false;
  bool has_parameters = false;
  bool has_inputs = false;
  bool has_outputs = false;
  std::string key;
  for (bool first = true; reader_.next_member(first, key);) {
    std::string_view ignored;
    if (key == "id") {
      SN_TRY(once("the request", key, has_id));
      if (reader_.peek() != '"') return invalid("'id' must be a string");
      reader_.read_string(decoded_.request.id);
    } else if (key == "parameters") {
      SN_TRY(once("the request", key, has_parameters));
      SN_TRY(read_parameters());
    } else if (key == "inputs") {
      SN_TRY(once("the request", key, has_inputs));
      SN_TRY(read_inputs());
    } else if (key == "outputs") {
      SN_TRY(once("the request", key, has_outputs));
      SN_TRY(read_outputs());
    } else {
      reader_.skip_value(ignored);
    }
  }
  SN_TRY(reader_.status());
  if (!reader_.at_end()) {
    reader_.fail("unexpected text after the request");
    return reader_.status();
  }
  if (!has_inputs) return invalid("'inputs' is missing");
  return {};
}

base::Status Decoder::read_parameters() {
  std::string key;
  for (bool first = true; reader_.next_member(first, key);) {
    if (key.starts_with("triton_")) {
      return invalid(
          base::str_cat("parameter '", key, "' is reserved: names must not start with 'triton_'"));
    }
    tensor::Parameter value;
    SN_TRY(read_parameter(reader_, key, "the request", value));
    if (key == "binary_data_output") {
      const bool* const truth = std::get_if<bool>(&value);
      if (truth == nullptr) return invalid("parameter 'binary_data_output' must be a boolean");
      decoded_.output_form.binary_by_default = *truth;
      continue;
    }
    if (!decoded_.request.parameters.emplace(key, std::move(value)).second) {
      return invalid(base::str_cat("parameter '", key, "' is given twice"));
    }
  }
  return reader_.status();
}

base::Status Decoder::read_inputs() {
  if (reader_.peek() != '[') return invalid("'inputs' must be an array");
  for (bool first = true; reader_.next_element(first);) SN_TRY(read_input());
  return reader_.status();
}

base::Status Decoder::read_input() {
  const std::string place = base::str_cat("input ", decoded_.request.inputs.size());
  if (reader_.peek() != '{') return invalid(base::str_cat(place, " must be an object"));
  InputParts input;
  bool has_datatype = false;
  bool has_parameters = false;
  std::string key;
  const auto who = [&] { return input.has_name ? "input '" + input.tensor.name + "'" : place; };
  for (bool first = true; reader_.next_member(first, key);) {
    std::string_view ignored;
    if (key == "name") {
      SN_TRY(once(who(), key, input.has_name));
      reader_.read_string(input.tensor.name);
    } else if (key == "datatype") {
      SN_TRY(once(who(), key, has_datatype));
      reader_.read_string(input.data_type_text);
      SN_TRY(reader_.status());
      const auto type = tensor::data_type_from_name(input.data_type_text);
      if (!type) {
        return invalid(
            base::str_cat(who(), " has the unknown datatype '", input.data_type_text, "'"));
      }
      input.tensor.data_type = *type;
    } else if (key == "shape") {
      SN_TRY(once(who(), key, input.has_shape));
      SN_TRY(base::annotate(read_shape(input), who()));
    } else if (key == "parameters") {
      SN_TRY(once(who(), key, has_parameters));
      SN_TRY(base::annotate(read_input_parameters(input), who()));
    } else if (key == "data") {
      SN_TRY(once(who(), key, input.has_data));
      if (input.has_shape && has_datatype) {
        SN_TRY(base::annotate(read_data(reader_, input), who()));
      } else {
        reader_.skip_value(input.raw_data);
      }
    } else {
      reader_.skip_value(ignored);
    }
  }
  SN_TRY(base::annotate(reader_.status(), who()));
  for (const auto& [present, what] : {std::pair{input.has_name, "name"},
                                      {has_datatype, "datatype"},
                                      {input.has_shape, "shape"}}) {
    if (!present) return invalid(base::str_cat(who(), " has no '", what, "'"));
  }
  if (!input_names_.insert(input.tensor.name).second) {
    return invalid(base::str_cat("input '", input.tensor.name, "' is given twice"));
  }
  return base::annotate(finish_input(input), who());
}

base::Status Decoder::read_shape(InputParts& input) {
  for (bool first = true; reader_.next_element(first);) {
    std::string_view token;
    bool whole = false;
    if (!reader_.read_number(token, whole)) return reader_.status();
    int64_t size = 0;
    if (!whole || !base::parse_whole(token, size)) {
      return invalid(base::str_cat("shape has the dimension ", token.substr(0, 40),
                                   "; dimensions are whole numbers from 0 to 2^63-1"));
    }
    input.tensor.shape.push_back(size);
  }
  SN_TRY(reader_.status());
  return tensor::element_count(input.tensor.shape).status();
}

base::Status Decoder::read_input_parameters(InputParts& input) {
  std::string key;
  for (bool first = true; reader_.next_member(first, key);) {
    tensor::Parameter value;
    SN_TRY(read_parameter(reader_, key, "the input", value));
    if (key == "binary_data_size") {
      const int64_t* const size = std::get_if<int64_t>(&value);
      if (size == nullptr || *size < 0) {
        return invalid("'binary_data_size' must be a whole number of bytes");
      }
      input.binary_size = static_cast<uint64_t>(*size);
    } else {
      SN_TRY(input.shared_memory.take(key, value));
    }
  }
  return reader_.status();
}

base::Status Decoder::read_data(JsonReader& reader, InputParts& input) {
  SN_ASSIGN(const int64_t count, tensor::element_count(input.tensor.shape));
  SN_ASSIGN(input.tensor.buffer, read_json_data(reader, input.tensor.data_type, count));
  input.data_is_read = true;
  return {};
}

base::Status Decoder::finish_input(InputParts& input) {
  const int sources = static_cast<int>(input.has_data) +
                      static_cast<int>(input.binary_size.has_value()) +
                      static_cast<int>(input.shared_memory.given());
  SN_ASSIGN(const int64_t count, tensor::element_count(input.tensor.shape));
  if (sources > 1 || (sources == 0 && count > 0)) {
    return invalid(
        "Input must set only one of the following fields: 'data', 'binary_data_size' in "
        "'parameters', 'shared_memory_region' in 'parameters'");
  }
  SN_TRY(input.shared_memory.check());
  // Not looked at here: the client can change the bytes at any time.
  if (input.shared_memory.given()) {
    SN_ASSIGN(input.tensor.buffer, input.shared_memory.resolve(shared_memory_));
  }
  if (input.has_data && !input.data_is_read) {
    JsonReader reader(input.raw_data);
    SN_TRY(read_data(reader, input));
  }
  if (sources == 0) input.tensor.buffer = Buffer::allocate(0);
  decoded_.request.inputs.push_back(std::move(input.tensor));
  binary_sizes_.push_back(input.binary_size);
  return {};
}

base::Status Decoder::read_outputs() {
  if (reader_.peek() != '[') return invalid("'outputs' must be an array");
  for (bool first = true; reader_.next_element(first);) SN_TRY(read_output());
  return reader_.status();
}

base::Status Decoder::read_output() {
  OutputForm::Listed form;
  SN_TRY(read_requested_output(reader_, base::str_cat("output ", decoded_.request.outputs.size()),
                               shared_memory_, form, decoded_.request.outputs));
  if (!output_names_.insert(form.name).second) {
    return invalid(base::str_cat("output '", form.name, "' is asked for twice"));
  }
  decoded_.output_form.listed.push_back(std::move(form));
  return {};
}

base::Status Decoder::attach_binary() {
  for (size_t i = 0; i < binary_sizes_.size(); ++i) {
    if (binary_sizes_[i]) SN_TRY(attach_binary(decoded_.request.inputs[i], *binary_sizes_[i]));
  }
  const size_t left = body_.size() - next_binary_;
  if (left > 0) {
    return invalid(base::str_cat("unexpected additional input data for model '", model_,
                                 "': ", left, " bytes after the last tensor"));
  }
  return {};
}

base::Status Decoder::attach_binary(Tensor& tensor, uint64_t size) {
  const size_t left = body_.size() - next_binary_;
  if (size > left) {
    return invalid(base::str_cat(
        "input '", tensor.name, "' has a binary_data_size of ", size, ", but only ", left,
        " bytes are left in the body",
        next_binary_ == body_.size() ? " (is Inference-Header-Content-Length right?)" : ""));
  }
  if (tensor.data_type != DataType::kBytes) {
    SN_TRY(service::check_byte_size(tensor, size, model_));
  }
  SN_ASSIGN(tensor.buffer, aligned_part(body_, next_binary_, size, tensor.data_type));
  next_binary_ += size;
  return {};
}

}  // namespace

OutputForm::Form OutputForm::of(std::string_view output) const {
  for (const Listed& one : listed) {
    if (one.name == output) return one.form;
  }
  return binary_by_default ? Form::kBinary : Form::kJson;
}

base::Result<DecodedRequest> decode_infer_request(const Buffer& body,
                                                  const std::string* header_length,
                                                  std::string_view model_name,
                                                  const std::vector<tensor::TensorInfo>& inputs,
                                                  const SharedMemoryPart& shared_memory,
                                                  KnownRequest* known) {
  size_t json_size = body.size();
  if (header_length != nullptr) {
    if (!base::parse_whole(*header_length, json_size)) {
      return invalid(base::str_cat("Inference-Header-Content-Length '", *header_length,
                                   "' is not a number of bytes"));
    }
    if (json_size > body.size()) {
      return invalid(base::str_cat("Inference-Header-Content-Length is ", json_size,
                                   ", but the body has ", body.size(), " bytes"));
    }
    if (json_size == 0) return decode_raw_request(body, model_name, inputs);
  }
  if (json_size == 0) return invalid("the request has no body; an inference request is JSON");
  if (known != nullptr) {
    if (auto request = known->recall(body, json_size)) return *std::move(request);
  }
  return Decoder(body, json_size, model_name, shared_memory).decode(known);
}

}  // namespace supernova::protocol::oip
