#include "protocol/grpc/grpc_codec.h"

#include <cstring>
#include <limits>
#include <optional>
#include <set>

#include "protocol/grpc/contents.h"

namespace supernova::protocol::grpc {
namespace {

using inference::ModelInferRequest;
using tensor::Buffer;
using tensor::DataType;
using tensor::Tensor;

using InputMessage = ModelInferRequest::InferInputTensor;
using ParameterMap = google::protobuf::Map<std::string, inference::InferParameter>;

base::Status invalid(const std::string& message) { return absl::InvalidArgumentError(message); }

base::Result<tensor::Parameter> read_parameter(const std::string& key,
                                               const inference::InferParameter& parameter) {
  using Case = inference::InferParameter::ParameterChoiceCase;
  switch (parameter.parameter_choice_case()) {
    case Case::kBoolParam:
      return tensor::Parameter(parameter.bool_param());
    case Case::kInt64Param:
      return tensor::Parameter(int64_t{parameter.int64_param()});
    case Case::kUint64Param:
      return tensor::Parameter(uint64_t{parameter.uint64_param()});
    case Case::kDoubleParam:
      return tensor::Parameter(parameter.double_param());
    case Case::kStringParam:
      return tensor::Parameter(parameter.string_param());
    case Case::PARAMETER_CHOICE_NOT_SET:
      break;
  }
  return invalid(base::str_cat(
      "parameter '", key, "' has no value; set its bool, int64, uint64, double or string field"));
}

base::Result<tensor::Parameters> read_parameters(const ParameterMap& map) {
  // Clients send it with every request; it only means something to streams.
  constexpr std::string_view kEmptyFinal = "triton_enable_empty_final_response";
  tensor::Parameters parameters;
  for (const auto& [key, parameter] : map) {
    if (key == kEmptyFinal) {
      if (!parameter.has_bool_param()) {
        return invalid(base::str_cat("parameter '", key, "' must be a boolean"));
      }
      continue;
    }
    if (key.starts_with("triton_")) {
      return invalid(
          base::str_cat("parameter '", key, "' is reserved: names must not start with 'triton_'"));
    }
    SN_ASSIGN(parameters[key], read_parameter(key, parameter));
  }
  return parameters;
}

// A whole number >= 0 under `key`, whichever of the two integer fields holds it.
base::Result<std::optional<uint64_t>> read_whole(const ParameterMap& map, const char* key) {
  const auto at = map.find(key);
  if (at == map.end()) return std::nullopt;
  const inference::InferParameter& parameter = at->second;
  if (parameter.has_uint64_param()) return parameter.uint64_param();
  if (parameter.has_int64_param() && parameter.int64_param() >= 0) {
    return static_cast<uint64_t>(parameter.int64_param());
  }
  return invalid(base::str_cat("parameter '", key, "' must be a whole number, 0 or more"));
}

// Request parameters whose type matters: it is said here, where the client's field is known.
base::Status check_known_parameters(const ParameterMap& map) {
  for (const char* key : {"priority", "timeout"}) SN_TRY(read_whole(map, key).status());
  for (const char* key : {"sequence_start", "sequence_end"}) {
    const auto at = map.find(key);
    if (at != map.end() && !at->second.has_bool_param()) {
      return invalid(base::str_cat("parameter '", key, "' must be a boolean"));
    }
  }
  const auto id = map.find("sequence_id");
  if (id != map.end() && !id->second.has_string_param() && !read_whole(map, "sequence_id").ok()) {
    return invalid("parameter 'sequence_id' must be a string or a whole number, 0 or more");
  }
  return {};
}

// The part of a shared memory region that a tensor's parameters name; nothing when they name none.
base::Result<std::optional<Buffer>> read_region(const ParameterMap& map,
                                                const SharedMemoryPart& shared_memory) {
  const auto at = map.find("shared_memory_region");
  if (at == map.end()) return std::nullopt;
  if (!at->second.has_string_param()) {
    return invalid("parameter 'shared_memory_region' must be a string");
  }
  SN_ASSIGN(const auto size, read_whole(map, "shared_memory_byte_size"));
  SN_ASSIGN(const auto offset, read_whole(map, "shared_memory_offset"));
  if (!size) {
    return invalid("parameter 'shared_memory_byte_size' must be given with 'shared_memory_region'");
  }
  if (!shared_memory) return absl::UnimplementedError("shared memory is not served here");
  SN_ASSIGN(Buffer part, shared_memory(at->second.string_param(), offset.value_or(0), *size));
  return part;
}

base::Status out_of_memory(size_t bytes) {
  return absl::ResourceExhaustedError(base::str_cat("no memory for ", bytes, " bytes"));
}

// `bytes`, copied when they don't lie as their elements need it.
base::Result<Buffer> aligned(Buffer bytes, DataType type) {
  const size_t alignment = std::max<size_t>(tensor::element_size(type), 1);
  if (reinterpret_cast<uintptr_t>(bytes.data()) % alignment == 0) return bytes;
  Buffer copy = Buffer::copy_of(bytes.bytes());
  if (copy.data() == nullptr) return out_of_memory(bytes.size());
  return copy;
}

// Name, datatype and shape.
base::Result<Tensor> read_head(const InputMessage& message) {
  Tensor input;
  input.name = message.name();
  const auto type = tensor::data_type_from_name(message.datatype());
  if (!type) return invalid(base::str_cat("unknown datatype '", message.datatype(), "'"));
  input.data_type = *type;
  input.shape.assign(message.shape().begin(), message.shape().end());
  SN_TRY(tensor::element_count(input.shape).status());
  return input;
}

// Reads the inputs of one message in their order.
class InputReader {
 public:
  InputReader(const std::shared_ptr<ModelInferRequest>& message,
              const SharedMemoryPart& shared_memory)
      : message_(message), shared_memory_(shared_memory) {}

  base::Result<std::vector<Tensor>> read() {
    std::vector<Tensor> inputs;
    inputs.reserve(static_cast<size_t>(message_->inputs_size()));
    std::set<std::string_view> names;
    for (const InputMessage& from : message_->inputs()) {
      const std::string who = base::str_cat("input '", from.name(), "'");
      if (!names.insert(from.name()).second) return invalid(base::str_cat(who, " is given twice"));
      auto input = read_one(from);
      if (!input.ok()) return base::annotate(input.status(), who);
      inputs.push_back(*std::move(input));
    }
    const int raw = message_->raw_input_contents_size();
    if (raw > 0 && raw != next_raw_) {
      return invalid(base::str_cat("raw_input_contents has ", raw, " entries, but there are ",
                                   next_raw_,
                                   " inputs that are not in shared memory; send one for ", "each"));
    }
    return inputs;
  }

 private:
  base::Result<Tensor> read_one(const InputMessage& from) {
    SN_ASSIGN(Tensor input, read_head(from));
    SN_ASSIGN(auto region, read_region(from.parameters(), shared_memory_));
    if (region) {
      if (from.has_contents()) {
        return invalid("'contents' must not be set for an input in shared memory");
      }
      input.buffer = *std::move(region);
      return input;
    }
    if (message_->raw_input_contents_size() == 0) {
      SN_ASSIGN(input.buffer, read_typed(from, input));
      return input;
    }
    if (from.has_contents()) {
      return invalid("'contents' must not be set when raw_input_contents is used");
    }
    const int index = next_raw_++;
    if (index >= message_->raw_input_contents_size()) {
      return invalid(base::str_cat("raw_input_contents has only ",
                                   message_->raw_input_contents_size(),
                                   " entries; send one for each input"));
    }
    std::string& raw = *message_->mutable_raw_input_contents(index);
    // The bytes where they are, kept alive by the message.
    SN_ASSIGN(input.buffer, aligned(Buffer::adopt(raw.data(), raw.size(), [held = message_] {}),
                                    input.data_type));
    return input;
  }

  static base::Result<Buffer> read_typed(const InputMessage& from, const Tensor& input) {
    if (from.has_contents()) return read_contents(from.contents(), input.data_type, input.shape);
    SN_ASSIGN(const int64_t count, tensor::element_count(input.shape));
    if (count > 0) return invalid("no data: set 'contents', or raw_input_contents for every input");
    return Buffer::allocate(0);
  }

  const std::shared_ptr<ModelInferRequest>& message_;
  const SharedMemoryPart& shared_memory_;
  int next_raw_ = 0;  // of raw_input_contents
};

base::Result<tensor::RequestedOutput> read_output(
    const ModelInferRequest::InferRequestedOutputTensor& from,
    const SharedMemoryPart& shared_memory) {
  tensor::RequestedOutput output(from.name());
  SN_ASSIGN(const auto classes, read_whole(from.parameters(), "classification"));
  if (classes.value_or(0) > std::numeric_limits<uint32_t>::max()) {
    return invalid(base::str_cat("parameter 'classification' is ", *classes,
                                 ", more classes than any model has"));
  }
  output.classification = static_cast<uint32_t>(classes.value_or(0));
  SN_ASSIGN(auto region, read_region(from.parameters(), shared_memory));
  if (region && output.classification > 0) {
    return invalid("an output asked for as classification can't go to shared memory");
  }
  if (region) output.destination = *std::move(region);
  return output;
}

void fill_tensor(const tensor::TensorInfo& info,
                 inference::ModelMetadataResponse::TensorMetadata& message) {
  message.set_name(info.name);
  message.set_datatype(std::string(tensor::data_type_name(info.data_type)));
  message.mutable_shape()->Add(info.shape.begin(), info.shape.end());
}

void fill_parameter(const tensor::Parameter& value, inference::InferParameter& message) {
  if (const auto* truth = std::get_if<bool>(&value)) message.set_bool_param(*truth);
  if (const auto* number = std::get_if<int64_t>(&value)) message.set_int64_param(*number);
  if (const auto* large = std::get_if<uint64_t>(&value)) message.set_uint64_param(*large);
  if (const auto* real = std::get_if<double>(&value)) message.set_double_param(*real);
  if (const auto* text = std::get_if<std::string>(&value)) message.set_string_param(*text);
}

}  // namespace

base::Result<tensor::Request> decode_request(std::shared_ptr<ModelInferRequest> message,
                                             const SharedMemoryPart& shared_memory) {
  tensor::Request request;
  request.model_name = message->model_name();
  request.model_version = message->model_version();
  request.id = message->id();
  SN_TRY(check_known_parameters(message->parameters()));
  SN_ASSIGN(request.parameters, read_parameters(message->parameters()));
  SN_ASSIGN(request.inputs, InputReader(message, shared_memory).read());
  for (const auto& output : message->outputs()) {
    auto wanted = read_output(output, shared_memory);
    if (!wanted.ok()) {
      return base::annotate(wanted.status(), base::str_cat("output '", output.name(), "'"));
    }
    request.outputs.push_back(*std::move(wanted));
  }
  return request;
}

std::vector<Buffer> destinations_of(const tensor::Request& request) {
  std::vector<Buffer> destinations;
  for (size_t i = 0; i < request.outputs.size(); ++i) {
    if (request.outputs[i].destination.data() == nullptr) continue;
    destinations.resize(request.outputs.size());
    destinations[i] = request.outputs[i].destination;
  }
  return destinations;
}

base::Status encode_response(const tensor::Response& response,
                             const std::vector<Buffer>& destinations,
                             inference::ModelInferResponse& message) {
  // Room for names and shapes beside the data.
  constexpr uint64_t kMaxBytes = std::numeric_limits<int32_t>::max() - (uint64_t{1} << 20);
  const auto is_placed = [&](size_t i) {
    return i < destinations.size() && destinations[i].data() != nullptr;
  };
  uint64_t bytes = 0;
  for (size_t i = 0; i < response.outputs.size(); ++i) {
    if (!is_placed(i)) bytes += response.outputs[i].buffer.size();
  }
  if (bytes > kMaxBytes) {
    return absl::ResourceExhaustedError(base::str_cat(
        "the outputs have ", bytes, " bytes and a gRPC message holds less than 2 GiB; ",
        "ask for fewer outputs, or use HTTP"));
  }
  message.set_model_name(response.model_name);
  message.set_model_version(response.model_version);
  message.set_id(response.id);
  for (const auto& [key, value] : response.parameters) {
    fill_parameter(value, (*message.mutable_parameters())[key]);
  }
  message.mutable_outputs()->Reserve(static_cast<int>(response.outputs.size()));
  for (size_t i = 0; i < response.outputs.size(); ++i) {
    const Tensor& output = response.outputs[i];
    auto& to = *message.add_outputs();
    to.set_name(output.name);
    to.set_datatype(std::string(tensor::data_type_name(output.data_type)));
    to.mutable_shape()->Add(output.shape.begin(), output.shape.end());
    if (is_placed(i)) {
      message.add_raw_output_contents();
      continue;
    }
    const std::string_view content = output.buffer.view();
    message.add_raw_output_contents(content.data(), content.size());
  }
  return {};
}

void fill(const service::ServerMetadata& metadata, inference::ServerMetadataResponse& message) {
  message.set_name(metadata.name);
  message.set_version(metadata.version);
  for (const std::string& extension : metadata.extensions) message.add_extensions(extension);
}

void fill(const service::ModelMetadata& metadata, inference::ModelMetadataResponse& message) {
  message.set_name(metadata.name);
  message.set_platform(metadata.platform);
  for (const std::string& version : metadata.versions) message.add_versions(version);
  for (const auto& input : metadata.inputs) fill_tensor(input, *message.add_inputs());
  for (const auto& output : metadata.outputs) fill_tensor(output, *message.add_outputs());
}

}  // namespace supernova::protocol::grpc
