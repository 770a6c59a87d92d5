#include "protocol/grpc/grpc_codec.h"

#include <array>
#include <cstring>
#include <limits>
#include <set>
#include <span>

#include "tensor/bytes.h"

namespace supernova::protocol::grpc {
namespace {

using inference::InferTensorContents;
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

base::Status refuse_extensions(const ParameterMap& map, std::string_view who) {
  for (const std::string_view key : {"shared_memory_region", "classification"}) {
    if (map.contains(std::string(key))) {
      return absl::UnimplementedError(
          base::str_cat(who, ": the parameter '", key,
                        "' is not supported; leave it out and send and receive the tensor itself"));
    }
  }
  return {};
}

// The lists of InferTensorContents, by name and number of elements.
struct List {
  std::string_view name;
  int size;
};

std::array<List, 8> lists(const InferTensorContents& contents) {
  return {{{"bool_contents", contents.bool_contents_size()},
           {"int_contents", contents.int_contents_size()},
           {"int64_contents", contents.int64_contents_size()},
           {"uint_contents", contents.uint_contents_size()},
           {"uint64_contents", contents.uint64_contents_size()},
           {"fp32_contents", contents.fp32_contents_size()},
           {"fp64_contents", contents.fp64_contents_size()},
           {"bytes_contents", contents.bytes_contents_size()}}};
}

// The list in which elements of that type travel; "" where they travel as raw bytes only.
std::string_view list_of(DataType type) {
  switch (type) {
    case DataType::kBool:
      return "bool_contents";
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
      return "int_contents";
    case DataType::kInt64:
      return "int64_contents";
    case DataType::kUint8:
    case DataType::kUint16:
    case DataType::kUint32:
      return "uint_contents";
    case DataType::kUint64:
      return "uint64_contents";
    case DataType::kFp32:
      return "fp32_contents";
    case DataType::kFp64:
      return "fp64_contents";
    case DataType::kBytes:
      return "bytes_contents";
    default:
      return "";
  }
}

base::Status check_lists(const InferTensorContents& contents, const Tensor& input, int64_t count) {
  const std::string_view expected = list_of(input.data_type);
  const std::string_view type = tensor::data_type_name(input.data_type);
  if (expected.empty()) {
    return invalid(base::str_cat(type, " has no list in 'contents'; send raw_input_contents"));
  }
  for (const List& list : lists(contents)) {
    if (list.name == expected) {
      if (list.size == count) continue;
      return invalid(base::str_cat(list.name, " has ", list.size, " elements, but shape ",
                                   tensor::shape_to_string(input.shape), " needs ", count));
    }
    if (list.size > 0) {
      return invalid(
          base::str_cat(list.name, " is filled, but datatype ", type, " travels in ", expected));
    }
  }
  return {};
}

base::Status out_of_memory(size_t bytes) {
  return absl::ResourceExhaustedError(base::str_cat("no memory for ", bytes, " bytes"));
}

// Copies a list whose elements may be wider than the tensor's, refusing those that don't fit.
template <typename T, typename List>
base::Result<Buffer> copy_list(const List& list) {
  using Wide = typename List::value_type;
  const auto count = static_cast<size_t>(list.size());
  Buffer buffer = Buffer::allocate(count * sizeof(T));
  if (buffer.data() == nullptr) return out_of_memory(count * sizeof(T));
  T* const out = reinterpret_cast<T*>(buffer.data());
  for (size_t i = 0; i < count; ++i) {
    const Wide value = list.Get(static_cast<int>(i));
    if constexpr (sizeof(T) < sizeof(Wide)) {
      if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max()) {
        return invalid(base::str_cat("element ", i, " is ", value, ", out of range for ",
                                     std::is_signed_v<T> ? "INT" : "UINT", sizeof(T) * 8));
      }
    }
    out[i] = static_cast<T>(value);
  }
  return buffer;
}

base::Result<Buffer> pack_list(const google::protobuf::RepeatedPtrField<std::string>& list) {
  size_t size = 0;
  for (const std::string& element : list) size += sizeof(uint32_t) + element.size();
  Buffer buffer = Buffer::allocate(size);
  if (buffer.data() == nullptr) return out_of_memory(size);
  std::byte* out = buffer.data();
  for (const std::string& element : list) {
    const auto length = static_cast<uint32_t>(element.size());  // messages end at 2 GiB
    std::memcpy(out, &length, sizeof(length));
    std::memcpy(out + sizeof(length), element.data(), element.size());
    out += sizeof(length) + element.size();
  }
  return buffer;
}

base::Result<Buffer> read_contents(const InferTensorContents& contents, DataType type) {
  switch (type) {
    case DataType::kBool:
      return copy_list<bool>(contents.bool_contents());
    case DataType::kInt8:
      return copy_list<int8_t>(contents.int_contents());
    case DataType::kInt16:
      return copy_list<int16_t>(contents.int_contents());
    case DataType::kInt32:
      return copy_list<int32_t>(contents.int_contents());
    case DataType::kInt64:
      return copy_list<int64_t>(contents.int64_contents());
    case DataType::kUint8:
      return copy_list<uint8_t>(contents.uint_contents());
    case DataType::kUint16:
      return copy_list<uint16_t>(contents.uint_contents());
    case DataType::kUint32:
      return copy_list<uint32_t>(contents.uint_contents());
    case DataType::kUint64:
      return copy_list<uint64_t>(contents.uint64_contents());
    case DataType::kFp32:
      return copy_list<float>(contents.fp32_contents());
    case DataType::kFp64:
      return copy_list<double>(contents.fp64_contents());
    default:
      return pack_list(contents.bytes_contents());
  }
}

// The bytes of `raw` where they are, kept alive by `message`.
base::Result<Buffer> share_raw(std::string& raw, DataType type,
                               const std::shared_ptr<ModelInferRequest>& message) {
  const size_t alignment = std::max<size_t>(tensor::element_size(type), 1);
  if (reinterpret_cast<uintptr_t>(raw.data()) % alignment != 0) {
    Buffer copy = Buffer::copy_of(raw);
    if (copy.data() == nullptr) return out_of_memory(raw.size());
    return copy;
  }
  return Buffer::adopt(raw.data(), raw.size(), [message] {});
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

base::Result<Tensor> read_input(const std::shared_ptr<ModelInferRequest>& message, int index) {
  const InputMessage& from = message->inputs(index);
  SN_ASSIGN(Tensor input, read_head(from));
  if (message->raw_input_contents_size() > 0) {
    if (from.has_contents()) {
      return invalid("'contents' must not be set when raw_input_contents is used");
    }
    SN_ASSIGN(input.buffer,
              share_raw(*message->mutable_raw_input_contents(index), input.data_type, message));
    return input;
  }
  SN_ASSIGN(const int64_t count, tensor::element_count(input.shape));
  if (!from.has_contents()) {
    if (count > 0) return invalid("no data: set 'contents', or raw_input_contents for every input");
    input.buffer = Buffer::allocate(0);
    return input;
  }
  SN_TRY(check_lists(from.contents(), input, count));
  SN_ASSIGN(input.buffer, read_contents(from.contents(), input.data_type));
  return input;
}

base::Status read_inputs(const std::shared_ptr<ModelInferRequest>& message,
                         tensor::Request& request) {
  std::set<std::string_view> names;
  for (const InputMessage& input : message->inputs()) {
    const std::string who = base::str_cat("input '", input.name(), "'");
    if (!names.insert(input.name()).second) return invalid(base::str_cat(who, " is given twice"));
    SN_TRY(refuse_extensions(input.parameters(), who));
  }
  const int raw = message->raw_input_contents_size();
  if (raw > 0 && raw != message->inputs_size()) {
    return invalid(base::str_cat("raw_input_contents has ", raw, " entries, but there are ",
                                 message->inputs_size(), " inputs; send one for each"));
  }
  request.inputs.reserve(static_cast<size_t>(message->inputs_size()));
  for (int i = 0; i < message->inputs_size(); ++i) {
    auto input = read_input(message, i);
    if (!input.ok()) {
      return base::annotate(input.status(),
                            base::str_cat("input '", message->inputs(i).name(), "'"));
    }
    request.inputs.push_back(*std::move(input));
  }
  return {};
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

base::Result<tensor::Request> decode_request(std::shared_ptr<ModelInferRequest> message) {
  tensor::Request request;
  request.model_name = message->model_name();
  request.model_version = message->model_version();
  request.id = message->id();
  SN_ASSIGN(request.parameters, read_parameters(message->parameters()));
  SN_TRY(read_inputs(message, request));
  for (const auto& output : message->outputs()) {
    SN_TRY(refuse_extensions(output.parameters(), base::str_cat("output '", output.name(), "'")));
    request.outputs.push_back(output.name());
  }
  return request;
}

base::Status encode_response(const tensor::Response& response,
                             inference::ModelInferResponse& message) {
  // Room for names and shapes beside the data.
  constexpr uint64_t kMaxBytes = std::numeric_limits<int32_t>::max() - (uint64_t{1} << 20);
  uint64_t bytes = 0;
  for (const Tensor& output : response.outputs) bytes += output.buffer.size();
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
  for (const Tensor& output : response.outputs) {
    auto& to = *message.add_outputs();
    to.set_name(output.name);
    to.set_datatype(std::string(tensor::data_type_name(output.data_type)));
    to.mutable_shape()->Add(output.shape.begin(), output.shape.end());
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
