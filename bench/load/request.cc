#include "load/request.h"

#include <simdjson.h>

#include <cmath>
#include <cstring>

#include "base/json_writer.h"
#include "inference.pb.h"
#include "tensor/bytes.h"

namespace supernova::bench {
namespace {

using tensor::DataType;
using tensor::Tensor;

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::strchr("-._~", c) != nullptr;
    if (plain && c != '\0') {
      out += c;
    } else {
      constexpr std::string_view kDigits = "0123456789ABCDEF";
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

template <typename T, typename As>
base::Status append_numbers(std::string& out, std::string_view bytes) {
  for (size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    if constexpr (std::floating_point<T>) {
      if (!std::isfinite(value)) return absl::InvalidArgumentError("JSON has no NaN or infinity");
    }
    if (at > 0) out += ',';
    base::append_json_number(out, static_cast<As>(value));
  }
  return {};
}

base::Status append_strings(std::string& out, const Tensor& tensor) {
  SN_ASSIGN(const int64_t count, tensor::element_count(tensor.shape));
  SN_ASSIGN(const auto elements, tensor::unpack_bytes(tensor.buffer.view(), count));
  for (size_t i = 0; i < elements.size(); ++i) {
    if (!base::is_valid_utf8(elements[i])) {
      return absl::InvalidArgumentError("an element is not UTF-8 text");
    }
    if (i > 0) out += ',';
    base::append_json_string(out, elements[i]);
  }
  return {};
}

base::Status append_data(std::string& out, const Tensor& tensor) {
  const std::string_view bytes = tensor.buffer.view();
  switch (tensor.data_type) {
    case DataType::kBool:
      for (size_t i = 0; i < bytes.size(); ++i) {
        if (i > 0) out += ',';
        out += bytes[i] != 0 ? "true" : "false";
      }
      return {};
    case DataType::kUint8:
      return append_numbers<uint8_t, uint64_t>(out, bytes);
    case DataType::kUint16:
      return append_numbers<uint16_t, uint64_t>(out, bytes);
    case DataType::kUint32:
      return append_numbers<uint32_t, uint64_t>(out, bytes);
    case DataType::kUint64:
      return append_numbers<uint64_t, uint64_t>(out, bytes);
    case DataType::kInt8:
      return append_numbers<int8_t, int64_t>(out, bytes);
    case DataType::kInt16:
      return append_numbers<int16_t, int64_t>(out, bytes);
    case DataType::kInt32:
      return append_numbers<int32_t, int64_t>(out, bytes);
    case DataType::kInt64:
      return append_numbers<int64_t, int64_t>(out, bytes);
    case DataType::kFp32:
      return append_numbers<float, float>(out, bytes);
    case DataType::kFp64:
      return append_numbers<double, double>(out, bytes);
    case DataType::kBytes:
      return append_strings(out, tensor);
    default:
      break;
  }
  return absl::InvalidArgumentError(
      base::str_cat(tensor::data_type_name(tensor.data_type), " travels in binary only"));
}

}  // namespace

std::string model_path(const Target& target) {
  std::string path = "/v2/models/" + percent_encoded(target.model);
  if (!target.version.empty()) path += "/versions/" + percent_encoded(target.version);
  return path;
}

std::string http_message(const Target& target, std::string_view method, std::string_view path,
                         std::string_view fields, std::string_view body) {
  std::string out = base::str_cat(method, " ", target.prefix, path,
                                  " HTTP/1.1\r\nHost: ", target.address(), "\r\n", fields);
  for (const auto& [name, value] : target.headers) {
    out += base::str_cat(name, ": ", value, "\r\n");
  }
  if (!body.empty()) out += base::str_cat("Content-Length: ", body.size(), "\r\n");
  return base::str_cat(out, "\r\n", body);
}

base::Result<std::string> http_infer_request(const Target& target,
                                             const std::vector<Tensor>& inputs, Encoding encoding) {
  const bool binary = encoding == Encoding::kBinary;
  std::string json = R"({"inputs":[)";
  std::string blocks;
  for (const Tensor& input : inputs) {
    if (&input != &inputs.front()) json += ',';
    json += R"({"name":)";
    base::append_json_string(json, input.name);
    json += base::str_cat(R"(,"datatype":")", tensor::data_type_name(input.data_type),
                          R"(","shape":)", tensor::shape_to_string(input.shape));
    if (binary) {
      json += base::str_cat(R"(,"parameters":{"binary_data_size":)", input.buffer.size(), "}}");
      blocks += input.buffer.view();
      continue;
    }
    json += R"(,"data":[)";
    const base::Status status = append_data(json, input);
    if (!status.ok()) {
      return base::annotate(status, base::str_cat("input '", input.name, "' as JSON"));
    }
    json += "]}";
  }
  json += binary ? R"(],"parameters":{"binary_data_output":true}})" : "]}";
  const std::string path = model_path(target) + "/infer";
  if (!binary) {
    return http_message(target, "POST", path, "Content-Type: application/json\r\n", json);
  }
  const std::string fields = base::str_cat(
      "Content-Type: application/octet-stream\r\nInference-Header-Content-Length: ", json.size(),
      "\r\n");
  return http_message(target, "POST", path, fields, json + blocks);
}

std::string grpc_infer_request(const Target& target, const std::vector<Tensor>& inputs) {
  inference::ModelInferRequest request;
  request.set_model_name(target.model);
  request.set_model_version(target.version);
  for (const Tensor& input : inputs) {
    auto& described = *request.add_inputs();
    described.set_name(input.name);
    described.set_datatype(std::string(tensor::data_type_name(input.data_type)));
    for (const int64_t size : input.shape) described.add_shape(size);
    request.add_raw_input_contents(input.buffer.data(), input.buffer.size());
  }
  return request.SerializeAsString();
}

std::string error_text(std::string_view body) {
  simdjson::dom::parser parser;
  std::string_view message;
  if (parser.parse(body.data(), body.size())["error"].get(message) != simdjson::SUCCESS) {
    message = body.substr(0, body.find_first_of("\r\n"));
  }
  std::string out(message.substr(0, 200));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return out;
}

}  // namespace supernova::bench
