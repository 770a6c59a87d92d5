#include "import/graph/constant.h"

#include "import/graph/deferred.h"
#include "tensor/half.h"
#include "tensor/shape.h"

namespace supernova::import::graph {
namespace {

using tensor::DataType;

// Smaller content is made at once: shapes and scales are looked at many times.
constexpr int64_t kDeferFrom = int64_t{1} << 14U;

template <typename T, typename To>
std::vector<To> converted(const Constant& constant) {
  const std::vector<T> values = constant.values<T>();
  return {values.begin(), values.end()};
}

template <typename To>
std::vector<To> whole_numbers(const Constant& constant) {
  switch (constant.type()) {
    case DataType::kBool:
    case DataType::kUint8:
      return converted<uint8_t, To>(constant);
    case DataType::kUint16:
      return converted<uint16_t, To>(constant);
    case DataType::kUint32:
      return converted<uint32_t, To>(constant);
    case DataType::kUint64:
      return converted<uint64_t, To>(constant);
    case DataType::kInt8:
      return converted<int8_t, To>(constant);
    case DataType::kInt16:
      return converted<int16_t, To>(constant);
    case DataType::kInt32:
      return converted<int32_t, To>(constant);
    case DataType::kInt64:
      return converted<int64_t, To>(constant);
    default:
      return {};
  }
}

template <typename Convert>
std::vector<double> widened_halves(const Constant& constant, Convert convert) {
  std::vector<double> out;
  out.reserve(static_cast<size_t>(constant.count()));
  for (const uint16_t half : constant.values<uint16_t>()) out.push_back(convert(half));
  return out;
}

}  // namespace

Constant::Constant(DataType type, std::vector<int64_t> shape, std::string_view bytes,
                   std::shared_ptr<const void> owner)
    : type_(type), shape_(std::move(shape)), bytes_(bytes), owner_(std::move(owner)) {}

base::Result<Constant> Constant::checked(DataType type, std::vector<int64_t> shape,
                                         std::string_view bytes,
                                         std::shared_ptr<const void> owner) {
  SN_ASSIGN(const size_t needed, tensor::byte_size(type, shape));
  if (needed != bytes.size()) {
    return absl::InvalidArgumentError(base::str_cat("a tensor of ", tensor::data_type_name(type),
                                                    " ", tensor::shape_to_string(shape), " needs ",
                                                    needed, " bytes, there are ", bytes.size()));
  }
  return Constant(type, std::move(shape), bytes, std::move(owner));
}

Constant Constant::of_strings(std::vector<int64_t> shape, std::vector<std::string> strings) {
  Constant out(DataType::kBytes, std::move(shape), {}, nullptr);
  out.strings_ = std::make_shared<const std::vector<std::string>>(std::move(strings));
  return out;
}

Constant Constant::floats(std::vector<int64_t> shape, const std::vector<float>& values) {
  return of(DataType::kFp32, std::move(shape), values);
}

Constant Constant::int64s(const std::vector<int64_t>& values) {
  return of(DataType::kInt64, {static_cast<int64_t>(values.size())}, values);
}

Constant Constant::scalar(float value) { return of<float>(DataType::kFp32, {}, {value}); }
Constant Constant::scalar(int64_t value) { return of<int64_t>(DataType::kInt64, {}, {value}); }

int64_t Constant::count() const {
  int64_t out = 1;
  for (const int64_t size : shape_) out *= size;
  return out;
}

std::vector<int64_t> Constant::integers() const { return whole_numbers<int64_t>(*this); }

std::vector<double> Constant::numbers() const {
  switch (type_) {
    case DataType::kFp16:
      return widened_halves(*this, tensor::half_to_float);
    case DataType::kBf16:
      return widened_halves(*this, tensor::bfloat_to_float);
    case DataType::kFp32:
      return converted<float, double>(*this);
    case DataType::kFp64:
      return values<double>();
    default:
      return whole_numbers<double>(*this);
  }
}

Constant Constant::reshaped(std::vector<int64_t> shape) const {
  if (const auto stored = halves()) return stored->reshaped(std::move(shape)).widened();
  Constant out = *this;
  out.shape_ = std::move(shape);
  return out;
}

Constant Constant::from_deferred(DataType type, std::vector<int64_t> shape, Deferred content) {
  Constant out(type, std::move(shape), {}, nullptr);
  if (out.count() >= kDeferFrom) {
    out.deferred_ = std::make_shared<const Deferred>(std::move(content));
    return out;
  }
  const auto made = std::make_shared<std::string>(content.byte_size(), '\0');
  content.write(made->data());
  out.bytes_ = *made;
  out.owner_ = made;
  return out;
}

Constant Constant::rearranged(const Constant& from, std::vector<int64_t> shape,
                              std::vector<int64_t> strides, int64_t start) {
  // Halves stay halves: widened last.
  if (const auto stored = from.halves()) {
    return rearranged(*stored, std::move(shape), std::move(strides), start).widened();
  }
  // One step at most waits to be done, whatever a file makes of its weights.
  Constant source = from;
  if (from.is_deferred()) {
    const auto made = std::make_shared<const std::string>(from.copy());
    source = Constant(from.type(), from.shape(), *made, made);
  }
  Deferred content(std::move(source), shape, std::move(strides), start);
  return from_deferred(from.type(), std::move(shape), std::move(content));
}

Constant Constant::widened() const {
  return from_deferred(DataType::kFp32, shape_, Deferred(*this));
}

std::optional<Constant> Constant::halves() const {
  if (deferred_ == nullptr || !deferred_->widens()) return std::nullopt;
  return deferred_->from();
}

size_t Constant::byte_size() const {
  return deferred_ != nullptr ? deferred_->byte_size() : bytes_.size();
}

std::string_view Constant::bytes() const {
  return deferred_ != nullptr ? deferred_->bytes() : bytes_;
}

void Constant::write(char* out) const {
  if (deferred_ != nullptr) {
    deferred_->write(out);
  } else if (!bytes_.empty()) {
    std::memcpy(out, bytes_.data(), bytes_.size());
  }
}

std::string Constant::copy() const {
  std::string out(byte_size(), '\0');
  write(out.data());
  return out;
}

}  // namespace supernova::import::graph
