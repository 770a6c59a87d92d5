#include "protocol/grpc/parameters.h"

namespace supernova::protocol::grpc {
namespace {

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

}  // namespace

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

base::Result<std::optional<tensor::Buffer>> read_region(const ParameterMap& map,
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
  SN_ASSIGN(tensor::Buffer part,
            shared_memory(at->second.string_param(), offset.value_or(0), *size));
  return part;
}

void fill(const tensor::Parameter& value, inference::InferParameter& message) {
  if (const auto* truth = std::get_if<bool>(&value)) message.set_bool_param(*truth);
  if (const auto* number = std::get_if<int64_t>(&value)) message.set_int64_param(*number);
  if (const auto* large = std::get_if<uint64_t>(&value)) message.set_uint64_param(*large);
  if (const auto* real = std::get_if<double>(&value)) message.set_double_param(*real);
  if (const auto* text = std::get_if<std::string>(&value)) message.set_string_param(*text);
}

}  // namespace supernova::protocol::grpc
