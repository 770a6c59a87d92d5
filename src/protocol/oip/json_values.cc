#include "protocol/oip/json_values.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/base64.h"
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
// What most numbers take, with a comma: more or less one allocation for all.
template <typename T>
constexpr size_t kUsualDigits = std::is_floating_point_v<T> ? 4 + 2 * sizeof(T) : 3 + sizeof(T);

template <typename T>
base::Status append_numbers(std::string& out, const Tensor& output, size_t first, size_t count) {
  out.reserve(out.size() + count * kUsualDigits<T>);
  char block[64 * kMaxDigits];
  char* at = block;
  for (size_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, output.buffer.data() + (first + i) * sizeof(T), sizeof(T));
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

void append_bools(std::string& out, const Tensor& output, size_t first, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) out += ',';
    out += output.buffer.data()[first + i] == std::byte{0} ? "false" : "true";
  }
}

}  // namespace

base::Result<JsonValues> JsonValues::of(const Tensor& output, Bytes bytes) {
  JsonValues values(output, bytes);
  SN_ASSIGN(const int64_t count, tensor::element_count(output.shape));
  values.count_ = static_cast<size_t>(count);
  const auto damaged = [&](std::string_view what) {
    return absl::InternalError(base::str_cat("output '", output.name, "': ", what));
  };
  if (output.data_type == DataType::kBytes) {
    auto elements = tensor::unpack_bytes(output.buffer.view(), count);
    if (!elements.ok()) return damaged(base::message(elements.status()));
    values.strings_ = *std::move(elements);
  } else if (output.buffer.size() != values.count_ * tensor::element_size(output.data_type)) {
    return damaged("its size does not fit its shape");
  }
  return values;
}

base::Status JsonValues::append_strings(std::string& out, size_t first, size_t count) const {
  for (size_t i = 0; i < count; ++i) {
    const std::string_view element = strings_[first + i];
    if (i > 0) out += ',';
    const bool is_text = bytes_ != Bytes::kAlways && base::is_valid_utf8(element);
    if (is_text) {
      base::append_json_string(out, element);
    } else if (bytes_ == Bytes::kRefuse) {
      return needs_binary(*output_, "holds bytes that are not UTF-8, which JSON can't carry");
    } else {
      out += "{\"b64\":\"";
      base::append_base64(out, element);
      out += "\"}";
    }
  }
  return {};
}

base::Status JsonValues::append(std::string& out, size_t first, size_t count) const {
  const Tensor& output = *output_;
  switch (output.data_type) {
    case DataType::kBool:
      append_bools(out, output, first, count);
      return {};
    case DataType::kUint8:
      return append_numbers<uint8_t>(out, output, first, count);
    case DataType::kUint16:
      return append_numbers<uint16_t>(out, output, first, count);
    case DataType::kUint32:
      return append_numbers<uint32_t>(out, output, first, count);
    case DataType::kUint64:
      return append_numbers<uint64_t>(out, output, first, count);
    case DataType::kInt8:
      return append_numbers<int8_t>(out, output, first, count);
    case DataType::kInt16:
      return append_numbers<int16_t>(out, output, first, count);
    case DataType::kInt32:
      return append_numbers<int32_t>(out, output, first, count);
    case DataType::kInt64:
      return append_numbers<int64_t>(out, output, first, count);
    case DataType::kFp32:
      return append_numbers<float>(out, output, first, count);
    case DataType::kFp64:
      return append_numbers<double>(out, output, first, count);
    case DataType::kBytes:
      return append_strings(out, first, count);
    default:
      return needs_binary(output, base::str_cat("is ", tensor::data_type_name(output.data_type),
                                                ", which has no JSON form"));
  }
}

}  // namespace supernova::protocol::oip
