#include "service/classification.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "tensor/bytes.h"

namespace supernova::service {
namespace {

using tensor::DataType;
using tensor::Tensor;

float from_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

// IEEE 754 binary16: 1 bit sign, 5 exponent, 10 fraction.
float from_fp16(uint16_t bits) {
  const int exponent = bits >> 10 & 0x1f;
  const int fraction = bits & 0x3ff;
  float value = 0;
  if (exponent == 0x1f) {
    value = fraction == 0 ? INFINITY : NAN;
  } else if (exponent == 0) {
    value = std::ldexp(static_cast<float>(fraction), -24);
  } else {
    value = std::ldexp(static_cast<float>(fraction + 0x400), exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -value : value;
}

// What one output is classified with: its packed answer grows row by row.
struct Answer {
  size_t length = 0;  // of a row
  size_t count = 0;   // taken of each
  const std::vector<std::string>* labels = nullptr;
  std::string packed;
};

template <typename T>
bool is_nan(T value) {
  if constexpr (std::is_floating_point_v<T>) return std::isnan(value);
  return false;
}

template <typename T>
std::string value_text(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::isnan(value) ? "nan" : fmt::format("{:.6f}", value);
  } else {
    return base::str_cat(
        static_cast<std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>(value));
  }
}

template <typename T>
void append_row(const std::vector<T>& values, std::vector<size_t>& indices, Answer& answer) {
  std::iota(indices.begin(), indices.end(), size_t{0});
  const auto best_end = indices.begin() + static_cast<std::ptrdiff_t>(answer.count);
  std::partial_sort(indices.begin(), best_end, indices.end(), [&](size_t a, size_t b) {
    if (is_nan(values[a]) != is_nan(values[b])) return is_nan(values[b]);
    if (values[a] > values[b]) return true;
    return !(values[b] > values[a]) && a < b;
  });
  for (auto best = indices.begin(); best != best_end; ++best) {
    std::string element = base::str_cat(value_text(values[*best]), ":", *best);
    if (answer.labels != nullptr && *best < answer.labels->size()) {
      element += ':';
      element += (*answer.labels)[*best];
    }
    tensor::pack_bytes(answer.packed, element);
  }
}

// `Stored` is the element in memory, `decode` makes it a number.
template <typename Stored, typename Decode>
void append_rows(const Tensor& output, Decode decode, Answer& answer) {
  using Value = decltype(decode(Stored{}));
  if (answer.count == 0) return;
  std::vector<Value> values(answer.length);
  std::vector<size_t> indices(answer.length);
  const std::byte* at = output.buffer.data();
  const std::byte* const end = at + output.buffer.size();
  while (at != end) {
    for (Value& value : values) {
      Stored stored;
      std::memcpy(&stored, at, sizeof(stored));
      value = decode(stored);
      at += sizeof(stored);
    }
    append_row(values, indices, answer);
  }
}

template <typename T>
void append_rows(const Tensor& output, Answer& answer) {
  append_rows<T>(
      output, [](T value) { return value; }, answer);
}

void append_rows(const Tensor& output, Answer& answer) {
  switch (output.data_type) {
    case DataType::kUint8:
      return append_rows<uint8_t>(output, answer);
    case DataType::kUint16:
      return append_rows<uint16_t>(output, answer);
    case DataType::kUint32:
      return append_rows<uint32_t>(output, answer);
    case DataType::kUint64:
      return append_rows<uint64_t>(output, answer);
    case DataType::kInt8:
      return append_rows<int8_t>(output, answer);
    case DataType::kInt16:
      return append_rows<int16_t>(output, answer);
    case DataType::kInt32:
      return append_rows<int32_t>(output, answer);
    case DataType::kInt64:
      return append_rows<int64_t>(output, answer);
    case DataType::kFp16:
      return append_rows<uint16_t>(output, from_fp16, answer);
    case DataType::kBf16:
      return append_rows<uint16_t>(output, from_bf16, answer);
    case DataType::kFp32:
      return append_rows<float>(output, answer);
    case DataType::kFp64:
      return append_rows<double>(output, answer);
    case DataType::kInvalid:
    case DataType::kBool:
    case DataType::kBytes:
      return;  // refused before
  }
}

}  // namespace

base::Status check_classification(std::string_view output, DataType type) {
  if (type != DataType::kBool && tensor::element_size(type) != 0) return {};
  return absl::InvalidArgumentError(base::str_cat(
      "class result not available for output '", output, "' due to unsupported type '",
      tensor::data_type_name(type), "'; ask for it without classification"));
}

base::Result<Tensor> classify(const Tensor& output, uint32_t count, bool batched,
                              const std::vector<std::string>* labels) {
  SN_TRY(check_classification(output.name, output.data_type));
  SN_ASSIGN(const size_t bytes, tensor::byte_size(output.data_type, output.shape));
  if (bytes != output.buffer.size()) {
    return absl::InternalError(base::str_cat("output '", output.name, "' of shape ",
                                             tensor::shape_to_string(output.shape), " has ",
                                             output.buffer.size(), " bytes"));
  }
  Tensor result;
  result.name = output.name;
  result.data_type = DataType::kBytes;
  std::span<const int64_t> row = output.shape;
  if (batched && !row.empty()) {
    result.shape.push_back(row.front());
    row = row.subspan(1);
  }
  SN_ASSIGN(const int64_t length, tensor::element_count(row));
  Answer answer;
  answer.length = static_cast<size_t>(length);
  answer.count = std::min<size_t>(answer.length, count);
  answer.labels = labels;
  append_rows(output, answer);
  result.shape.push_back(static_cast<int64_t>(answer.count));
  result.buffer = tensor::Buffer::copy_of(answer.packed);
  return result;
}

}  // namespace supernova::service
