#include "conformance/array.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/half.h"

namespace supernova::conformance {
namespace {

using tensor::DataType;

// SplitMix64: the same numbers everywhere.
uint64_t next(uint64_t& state) {
  uint64_t z = (state += 0x9E3779B97F4A7C15U);
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

template <typename T>
void put(std::byte* to, double value) {
  const T typed = static_cast<T>(value);
  std::memcpy(to, &typed, sizeof(T));
}

template <typename T>
double get(const std::byte* from) {
  T typed;
  std::memcpy(&typed, from, sizeof(T));
  return static_cast<double>(typed);
}

void put_number(DataType type, std::byte* to, double value) {
  switch (type) {
    case DataType::kBool:
    case DataType::kUint8:
      return put<uint8_t>(to, value);
    case DataType::kUint16:
      return put<uint16_t>(to, value);
    case DataType::kUint32:
      return put<uint32_t>(to, value);
    case DataType::kUint64:
      return put<uint64_t>(to, value);
    case DataType::kInt8:
      return put<int8_t>(to, value);
    case DataType::kInt16:
      return put<int16_t>(to, value);
    case DataType::kInt32:
      return put<int32_t>(to, value);
    case DataType::kInt64:
      return put<int64_t>(to, value);
    case DataType::kFp16:
      return put<uint16_t>(to, tensor::float_to_half(static_cast<float>(value)));
    case DataType::kBf16:
      return put<uint16_t>(to, tensor::float_to_bfloat(static_cast<float>(value)));
    case DataType::kFp32:
      return put<float>(to, value);
    case DataType::kFp64:
      return put<double>(to, value);
    default:
      return;
  }
}

double get_number(DataType type, const std::byte* from) {
  switch (type) {
    case DataType::kBool:
    case DataType::kUint8:
      return get<uint8_t>(from);
    case DataType::kUint16:
      return get<uint16_t>(from);
    case DataType::kUint32:
      return get<uint32_t>(from);
    case DataType::kUint64:
      return get<uint64_t>(from);
    case DataType::kInt8:
      return get<int8_t>(from);
    case DataType::kInt16:
      return get<int16_t>(from);
    case DataType::kInt32:
      return get<int32_t>(from);
    case DataType::kInt64:
      return get<int64_t>(from);
    case DataType::kFp16:
      return tensor::half_to_float(static_cast<uint16_t>(get<uint16_t>(from)));
    case DataType::kBf16:
      return tensor::bfloat_to_float(static_cast<uint16_t>(get<uint16_t>(from)));
    case DataType::kFp32:
      return get<float>(from);
    case DataType::kFp64:
      return get<double>(from);
    default:
      return 0;
  }
}

bool is_real(DataType type) {
  return type == DataType::kFp16 || type == DataType::kBf16 || type == DataType::kFp32 ||
         type == DataType::kFp64;
}

size_t count_of(const tensor::Shape& shape) {
  size_t count = 1;
  for (const int64_t size : shape) count *= static_cast<size_t>(size);
  return count;
}

}  // namespace

double Array::at(std::initializer_list<int64_t> index) const {
  size_t offset = 0;
  size_t axis = 0;
  for (const int64_t i : index) {
    offset = offset * static_cast<size_t>(shape[axis++]) + static_cast<size_t>(i);
  }
  return values[offset];
}

tensor::Shape to_shape(const std::vector<int64_t>& sizes) {
  return tensor::Shape(sizes.begin(), sizes.end());
}

Array made_up(DataType type, const tensor::Shape& shape, double low, double high, uint64_t seed) {
  Array array{shape, {}};
  uint64_t state = seed * 0x632BE59BD9B4E019U + 1;
  array.values.resize(count_of(shape));
  for (double& value : array.values) {
    const double unit = static_cast<double>(next(state) >> 11U) * 0x1.0p-53;
    value = low + (high - low) * unit;
    value = is_real(type) ? std::round(value * 64) / 64 : std::round(value);
    // BF16 keeps eight bits of a number.
    if (type == DataType::kBf16) {
      value = tensor::bfloat_to_float(tensor::float_to_bfloat(static_cast<float>(value)));
    }
  }
  return array;
}

tensor::Tensor to_tensor(std::string name, DataType type, const Array& array) {
  tensor::Tensor tensor;
  tensor.name = std::move(name);
  tensor.data_type = type;
  tensor.shape = array.shape;
  const size_t element = tensor::element_size(type);
  tensor.buffer = tensor::Buffer::allocate(array.values.size() * element);
  for (size_t i = 0; i < array.values.size(); ++i) {
    put_number(type, tensor.buffer.data() + i * element, array.values[i]);
  }
  return tensor;
}

Array to_array(const tensor::Tensor& tensor) {
  Array array{tensor.shape, {}};
  const size_t element = tensor::element_size(tensor.data_type);
  if (element == 0) return array;
  array.values.resize(tensor.buffer.size() / element);
  for (size_t i = 0; i < array.values.size(); ++i) {
    array.values[i] = get_number(tensor.data_type, tensor.buffer.data() + i * element);
  }
  return array;
}

double difference(const Array& got, const Array& expected) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (got.shape != expected.shape || got.values.size() != expected.values.size()) return kInfinity;
  double scale = 1;
  for (const double value : expected.values) {
    if (std::isfinite(value)) scale = std::max(scale, std::abs(value));
  }
  double largest = 0;
  for (size_t i = 0; i < got.values.size(); ++i) {
    const double a = got.values[i];
    const double b = expected.values[i];
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    if (!std::isfinite(a) || !std::isfinite(b)) return kInfinity;
    largest = std::max(largest, std::abs(a - b) / scale);
  }
  return largest;
}

}  // namespace supernova::conformance
