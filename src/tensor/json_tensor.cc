#include "tensor/json_tensor.h"

#include <simdjson.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/base64.h"
#include "base/json_writer.h"
#include "tensor/bytes.h"

namespace supernova::tensor {
namespace {

namespace dom = simdjson::dom;

constexpr size_t kMaxRank = 64;
constexpr float kHalfLimit = 65520.0F;  // from here on a half rounds to infinity

// Round to nearest, ties to even. `value` is finite and below kHalfLimit.
uint16_t half_bits(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16U & 0x8000U);
  const float magnitude = std::fabs(value);
  if (magnitude < 0x1p-14F) {
    // Subnormal: a multiple of 2^-24; nearbyint rounds to even.
    return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::nearbyint(magnitude * 0x1p24F)));
  }
  const uint32_t rebased = (bits & 0x7FFFFFFFU) - (112U << 23U);
  return static_cast<uint16_t>(sign | (rebased + 0xFFFU + (rebased >> 13U & 1U)) >> 13U);
}

// `value` is finite.
uint16_t bfloat_bits(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7FFFU + (bits >> 16U & 1U)) >> 16U);
}

template <typename T>
void append_raw(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

DataType type_of(dom::element element) {
  switch (element.type()) {
    case dom::element_type::BOOL:
      return DataType::kBool;
    case dom::element_type::INT64:
    case dom::element_type::UINT64:
      return DataType::kInt64;
    case dom::element_type::DOUBLE:
      return DataType::kFp32;
    default:
      return DataType::kBytes;
  }
}

// Appends elements in the tensor's memory layout.
class Filler {
 public:
  explicit Filler(DataType type) : type_(type) {}

  base::Status add_all(dom::array array) {
    for (const dom::element element : array) {
      if (element.is_array()) {
        SN_TRY(add_all(element.get_array()));  // depth is bounded by the parser
      } else {
        SN_TRY(add(element));
        ++count_;
      }
    }
    return absl::OkStatus();
  }
  int64_t count() const { return count_; }
  const std::string& data() const { return data_; }

 private:
  base::Status add(dom::element element) {
    switch (type_) {
      case DataType::kBytes:
        return add_bytes(element);
      case DataType::kBool:
        return add_bool(element);
      case DataType::kUint8:
        return add_integer<uint8_t>(element);
      case DataType::kUint16:
        return add_integer<uint16_t>(element);
      case DataType::kUint32:
        return add_integer<uint32_t>(element);
      case DataType::kUint64:
        return add_integer<uint64_t>(element);
      case DataType::kInt8:
        return add_integer<int8_t>(element);
      case DataType::kInt16:
        return add_integer<int16_t>(element);
      case DataType::kInt32:
        return add_integer<int32_t>(element);
      case DataType::kInt64:
        return add_integer<int64_t>(element);
      default:
        return add_float(element);
    }
  }

  base::Status wrong(dom::element element, std::string_view reason) const {
    const std::string text = simdjson::minify(element);
    return absl::InvalidArgumentError(base::str_cat("element ", count_, " (", text.substr(0, 40),
                                                    ") is no ", data_type_name(type_), ": ",
                                                    reason));
  }

  base::Status add_bytes(dom::element element) {
    std::string_view text;
    if (element.get_string().get(text) == simdjson::SUCCESS) {
      if (text.size() > std::numeric_limits<uint32_t>::max())
        return wrong(element, "it is too long");
      pack_bytes(data_, text);
      return absl::OkStatus();
    }
    dom::object object;
    if (element.get_object().get(object) == simdjson::SUCCESS && object.size() == 1 &&
        object["b64"].get_string().get(text) == simdjson::SUCCESS) {
      std::string bytes;
      if (!base::decode_base64(text, bytes)) return wrong(element, "its base64 is damaged");
      pack_bytes(data_, bytes);
      return absl::OkStatus();
    }
    return wrong(element, "a string or {\"b64\":\"...\"} is expected");
  }

  base::Status add_bool(dom::element element) {
    bool flag = false;
    if (element.get_bool().get(flag) == simdjson::SUCCESS) {
      data_ += static_cast<char>(flag);
      return absl::OkStatus();
    }
    int64_t number = 0;
    if (element.get_int64().get(number) == simdjson::SUCCESS && (number == 0 || number == 1)) {
      data_ += static_cast<char>(number);
      return absl::OkStatus();
    }
    return wrong(element, "true, false, 1 or 0 is expected");
  }

  template <typename T>
  base::Status add_integer(dom::element element) {
    int64_t number = 0;
    uint64_t large = 0;
    if (element.is_int64() && element.get_int64().get(number) == simdjson::SUCCESS) {
      if (!std::in_range<T>(number)) return wrong(element, "it is out of range");
      append_raw(data_, static_cast<T>(number));
      return absl::OkStatus();
    }
    if (element.is_uint64() && element.get_uint64().get(large) == simdjson::SUCCESS) {
      if (!std::in_range<T>(large)) return wrong(element, "it is out of range");
      append_raw(data_, static_cast<T>(large));
      return absl::OkStatus();
    }
    return wrong(element, "a whole number is expected");
  }

  base::Status add_float(dom::element element) {
    double number = 0;
    if (!element.is_number() || element.get_double().get(number) != simdjson::SUCCESS) {
      return wrong(element, "a number is expected");
    }
    if (type_ == DataType::kFp64) {
      append_raw(data_, number);
      return absl::OkStatus();
    }
    if (std::fabs(number) > std::numeric_limits<float>::max()) {
      return wrong(element, "it is out of range");
    }
    const auto single = static_cast<float>(number);
    if (type_ == DataType::kFp16) {
      if (std::fabs(single) >= kHalfLimit) return wrong(element, "it is out of range");
      append_raw(data_, half_bits(single));
    } else if (type_ == DataType::kBf16) {
      append_raw(data_, bfloat_bits(single));
    } else {
      append_raw(data_, single);
    }
    return absl::OkStatus();
  }

  DataType type_;
  std::string data_;
  int64_t count_ = 0;
};

base::Result<Shape> parse_shape(dom::object object) {
  dom::array sizes;
  if (object["shape"].get_array().get(sizes) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("'shape' is missing, or no list of numbers");
  }
  Shape shape;
  for (const dom::element size : sizes) {
    int64_t number = 0;
    if (!size.is_int64() || size.get_int64().get(number) != simdjson::SUCCESS || number < 0) {
      return absl::InvalidArgumentError("'shape' holds something that is no size");
    }
    if (shape.size() == kMaxRank) {
      return absl::InvalidArgumentError("'shape' has more than 64 dimensions");
    }
    shape.push_back(number);
  }
  return shape;
}

// The type that all elements have together: one number with a fraction makes all of them FP32.
DataType common_type(dom::array array) {
  DataType type = DataType::kInvalid;
  for (const dom::element element : array) {
    const DataType one = element.is_array() ? common_type(element.get_array()) : type_of(element);
    if (one == DataType::kInvalid) continue;
    if (type == DataType::kInvalid || (type == DataType::kInt64 && one == DataType::kFp32))
      type = one;
  }
  return type;
}

base::Result<Tensor> parse(std::string_view content, DataType type) {
  dom::parser parser;
  dom::element root;
  if (const auto error = parser.parse(content.data(), content.size()).get(root)) {
    return absl::InvalidArgumentError(
        base::str_cat("it is not valid JSON: ", simdjson::error_message(error)));
  }
  dom::object object;
  if (root.get_object().get(object) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("it is no JSON object with 'shape' and 'data'");
  }
  SN_ASSIGN(Shape shape, parse_shape(object));
  dom::array data;
  if (object["data"].get_array().get(data) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("'data' is missing, or no list");
  }
  if (type == DataType::kInvalid) type = common_type(data);
  if (type == DataType::kInvalid) {
    return absl::InvalidArgumentError("'data' is empty, so its type is unknown");
  }
  SN_ASSIGN(const int64_t count, element_count(shape));
  Filler filler(type);
  SN_TRY(filler.add_all(data));
  if (filler.count() != count) {
    return absl::InvalidArgumentError(base::str_cat("shape ", shape_to_string(shape), " needs ",
                                                    count, " elements, but 'data' has ",
                                                    filler.count()));
  }
  Tensor tensor{"", type, std::move(shape), Buffer::copy_of(filler.data())};
  if (tensor.buffer.data() == nullptr)
    return absl::ResourceExhaustedError("there is no memory for it");
  return tensor;
}

}  // namespace

base::Result<Tensor> parse_json_tensor(std::string_view content, DataType type,
                                       std::string_view what) {
  try {
    base::Result<Tensor> tensor = parse(content, type);
    if (!tensor.ok()) return base::annotate(tensor.status(), what);
    return tensor;
  } catch (const simdjson::simdjson_error& error) {
    return absl::InvalidArgumentError(base::str_cat(what, ": ", error.what()));
  }
}

base::Result<std::string> format_json_tensor(const Tensor& tensor) {
  if (tensor.data_type != DataType::kBytes) {
    return absl::InvalidArgumentError(base::str_cat("tensor '", tensor.name, "' of ",
                                                    data_type_name(tensor.data_type),
                                                    " is not written as .json; use .npy"));
  }
  SN_ASSIGN(const int64_t count, element_count(tensor.shape));
  SN_ASSIGN(const auto elements, unpack_bytes(tensor.buffer.view(), count));
  std::string out = base::str_cat("{\"shape\":", shape_to_string(tensor.shape), ",\"data\":[");
  for (size_t i = 0; i < elements.size(); ++i) {
    if (i > 0) out += ',';
    if (base::is_valid_utf8(elements[i])) {
      base::append_json_string(out, elements[i]);
    } else {
      out += "{\"b64\":\"";
      base::append_base64(out, elements[i]);
      out += "\"}";
    }
  }
  out += "]}\n";
  return out;
}

}  // namespace supernova::tensor
