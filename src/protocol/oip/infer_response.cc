#include "protocol/oip/infer_response.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/json_writer.h"
#include "tensor/bytes.h"

namespace supernova::protocol::oip {
namespace {

using tensor::DataType;
using tensor::Tensor;

base::Status needs_binary(const Tensor& output, std::string_view why) {
  return absl::InvalidArgumentError(
      base::str_cat("output '", output.name, "' ", why,
                    "; ask for it as binary data (parameter \"binary_data\": true)"));
}

// Longer than the shortest text of any number.
constexpr size_t kMaxDigits = 32;

template <typename T>
base::Status append_numbers(std::string& out, const Tensor& output) {
  const size_t count = output.buffer.size() / sizeof(T);
  char block[64 * kMaxDigits];
  char* at = block;
  for (size_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, output.buffer.data() + i * sizeof(T), sizeof(T));
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(value)) {
        return needs_binary(output, "holds NaN or infinity, which JSON has no number for");
      }
    }
    if (i > 0) *at++ = ',';
    at = std::to_chars(at, block + sizeof(block), value).ptr;
    if constexpr (std::is_floating_point_v<T>) {
      // Readers take "-0" for the integer zero, which has no sign.
      if (value == 0 && std::signbit(value)) at = std::copy_n(".0", 2, at);
    }
    if (static_cast<size_t>(block + sizeof(block) - at) < kMaxDigits) {
      out.append(block, at);
      at = block;
    }
  }
  out.append(block, at);
  return {};
}

void append_bools(std::string& out, const Tensor& output) {
  bool first = true;
  for (const std::byte value : output.buffer.bytes()) {
    if (!first) out += ',';
    first = false;
    out += value == std::byte{0} ? "false" : "true";
  }
}

base::Status append_strings(std::string& out, const Tensor& output) {
  SN_ASSIGN(const int64_t count, tensor::element_count(output.shape));
  auto elements = tensor::unpack_bytes(output.buffer.view(), count);
  if (!elements.ok()) {
    return absl::InternalError(
        base::str_cat("output '", output.name, "': ", base::message(elements.status())));
  }
  bool first = true;
  for (const std::string_view element : *elements) {
    if (!base::is_valid_utf8(element)) {
      return needs_binary(output, "holds bytes that are not UTF-8, which JSON can't carry");
    }
    if (!first) out += ',';
    first = false;
    base::append_json_string(out, element);
  }
  return {};
}

base::Status append_data(std::string& out, const Tensor& output) {
  switch (output.data_type) {
    case DataType::kBool:
      append_bools(out, output);
      return {};
    case DataType::kUint8:
      return append_numbers<uint8_t>(out, output);
    case DataType::kUint16:
      return append_numbers<uint16_t>(out, output);
    case DataType::kUint32:
      return append_numbers<uint32_t>(out, output);
    case DataType::kUint64:
      return append_numbers<uint64_t>(out, output);
    case DataType::kInt8:
      return append_numbers<int8_t>(out, output);
    case DataType::kInt16:
      return append_numbers<int16_t>(out, output);
    case DataType::kInt32:
      return append_numbers<int32_t>(out, output);
    case DataType::kInt64:
      return append_numbers<int64_t>(out, output);
    case DataType::kFp32:
      return append_numbers<float>(out, output);
    case DataType::kFp64:
      return append_numbers<double>(out, output);
    case DataType::kBytes:
      return append_strings(out, output);
    default:
      return needs_binary(output, base::str_cat("is ", tensor::data_type_name(output.data_type),
                                                ", which has no JSON form"));
  }
}

void append_parameters(std::string& out, const tensor::Parameters& parameters) {
  if (parameters.empty()) return;
  out += ",\"parameters\":{";
  bool first = true;
  for (const auto& [key, value] : parameters) {
    if (!first) out += ',';
    first = false;
    base::append_json_string(out, key);
    out += ':';
    if (const auto* text = std::get_if<std::string>(&value)) {
      base::append_json_string(out, *text);
    } else if (const auto* truth = std::get_if<bool>(&value)) {
      out += *truth ? "true" : "false";
    } else if (const auto* number = std::get_if<int64_t>(&value)) {
      base::append_json_number(out, *number);
    } else if (const auto* large = std::get_if<uint64_t>(&value)) {
      base::append_json_number(out, *large);
    } else if (const double real = std::get<double>(value); std::isfinite(real)) {
      base::append_json_number(out, real);
    } else {
      out += "null";
    }
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
    if (form.is_binary(output.name)) {
      any_binary = true;
      out += ",\"parameters\":{\"binary_data_size\":";
      base::append_json_number(out, static_cast<uint64_t>(output.buffer.size()));
      out += "}}";
      reply.buffers.push_back(output.buffer);
    } else {
      out += ",\"data\":[";
      SN_TRY(append_data(out, output));
      out += "]}";
    }
  }
  out += "]}";
  reply.content_type = any_binary ? "application/octet-stream" : "application/json";
  if (any_binary) {
    reply.headers.emplace_back("Inference-Header-Content-Length", std::to_string(out.size()));
  }
  return reply;
}

}  // namespace supernova::protocol::oip
