#include "import/tflite/flex.h"

#include <cstdint>
#include <cstring>
#include <optional>

namespace supernova::import::tflite {
namespace {

// Types as packed in a type byte: the width (log2) below, the type above.
enum Type : uint8_t {
  kInt = 1,
  kUint = 2,
  kFloat = 3,
  kIndirectInt = 6,
  kIndirectUint = 7,
  kIndirectFloat = 8,
  kMap = 9,
  kVectorInt = 11,
  kVectorUint = 12,
  kVectorFloat = 13,
  kBool = 26
};
constexpr uint64_t kMaxEntries = 1024;

struct Bytes {
  std::string_view all;

  bool holds(uint64_t at, uint64_t size) const {
    return at <= all.size() && size <= all.size() - at;
  }
  std::optional<uint64_t> unsigned_at(uint64_t at, uint64_t width) const {
    if (!holds(at, width)) return std::nullopt;
    uint64_t value = 0;
    std::memcpy(&value, all.data() + at, width);
    return value;
  }
  std::optional<double> signed_at(uint64_t at, uint64_t width) const {
    const auto bits = unsigned_at(at, width);
    if (!bits) return std::nullopt;
    const uint64_t unused = 64 - 8 * width;
    return static_cast<double>(static_cast<int64_t>(*bits << unused) >> unused);
  }
  std::optional<double> float_at(uint64_t at, uint64_t width) const {
    const auto bits = unsigned_at(at, width);
    if (!bits || width < 4) return std::nullopt;
    if (width == 4) {
      float value = 0;
      std::memcpy(&value, all.data() + at, sizeof(value));
      return value;
    }
    double value = 0;
    std::memcpy(&value, all.data() + at, sizeof(value));
    return value;
  }
  // Where the offset at `at` leads; offsets lead backwards.
  std::optional<uint64_t> follow(uint64_t at, uint64_t width) const {
    const auto offset = unsigned_at(at, width);
    if (!offset || *offset > at) return std::nullopt;
    return at - *offset;
  }
  std::string_view key_at(uint64_t at) const { return all.substr(at, all.substr(at).find('\0')); }
};

std::optional<double> number(const Bytes& in, uint64_t at, uint64_t parent_width, uint8_t packed) {
  const uint64_t width = uint64_t{1} << (packed & 3U);
  switch (packed >> 2U) {
    case kInt:
      return in.signed_at(at, parent_width);
    case kBool:
    case kUint: {
      const auto value = in.unsigned_at(at, parent_width);
      return value ? std::optional<double>(static_cast<double>(*value)) : std::nullopt;
    }
    case kFloat:
      return in.float_at(at, parent_width);
    case kIndirectInt:
    case kIndirectUint:
    case kIndirectFloat: {
      const auto to = in.follow(at, parent_width);
      if (!to) return std::nullopt;
      return packed >> 2U == kIndirectFloat ? in.float_at(*to, width) : in.signed_at(*to, width);
    }
    default:
      return std::nullopt;
  }
}

// A vector of numbers of one type.
std::vector<double> vector(const Bytes& in, uint64_t at, uint64_t parent_width, uint8_t packed) {
  std::vector<double> out;
  const uint8_t type = packed >> 2U;
  const uint64_t width = uint64_t{1} << (packed & 3U);
  const auto to = in.follow(at, parent_width);
  if (type < kVectorInt || type > kVectorFloat || !to || *to < width) return out;
  const auto count = in.unsigned_at(*to - width, width);
  if (!count || *count > kMaxEntries || !in.holds(*to, *count * width)) return out;
  const uint8_t element = type == kVectorInt ? kInt : type == kVectorUint ? kUint : kFloat;
  for (uint64_t i = 0; i < *count; ++i) {
    const auto value = number(in, *to + i * width, width, static_cast<uint8_t>(element << 2U));
    if (value) out.push_back(*value);
  }
  return out;
}

base::Status broken() { return absl::InvalidArgumentError("the operator's options are damaged"); }

}  // namespace

base::Result<FlexMap> read_flex_map(std::string_view bytes) {
  const Bytes in{bytes};
  if (bytes.size() < 3) return broken();
  const auto root_width = static_cast<uint8_t>(bytes.back());
  const auto root_type = static_cast<uint8_t>(bytes[bytes.size() - 2]);
  if (root_width == 0 || root_width > 8 || root_type >> 2U != kMap) return broken();
  if (bytes.size() < 2U + root_width) return broken();
  const auto map = in.follow(bytes.size() - 2 - root_width, root_width);
  const uint64_t width = uint64_t{1} << (root_type & 3U);
  // Before a map's values: the offset of its keys, their width, and how many there are.
  if (!map || *map < 3 * width) return broken();
  const auto count = in.unsigned_at(*map - width, width);
  const auto keys = in.follow(*map - 3 * width, width);
  const auto key_width = in.unsigned_at(*map - 2 * width, width);
  if (!count || !keys || !key_width || *key_width == 0 || *key_width > 8) return broken();
  if (*count > kMaxEntries || !in.holds(*map, *count * (width + 1))) return broken();
  FlexMap out;
  for (uint64_t i = 0; i < *count; ++i) {
    const auto key = in.follow(*keys + i * *key_width, *key_width);
    if (!key) return broken();
    const auto packed = static_cast<uint8_t>(bytes[*map + *count * width + i]);
    const std::string name(in.key_at(*key).substr(0, 256));
    if (const auto value = number(in, *map + i * width, width, packed)) {
      out[name] = {*value};
    } else if (auto values = vector(in, *map + i * width, width, packed); !values.empty()) {
      out[name] = std::move(values);
    }
  }
  return out;
}

}  // namespace supernova::import::tflite
