#include "protocol/oip/shared_memory_place.h"

namespace supernova::protocol::oip {
namespace {

base::Result<uint64_t> size_of(std::string_view key, const tensor::Parameter& value) {
  if (const auto* large = std::get_if<uint64_t>(&value)) return *large;
  const auto* number = std::get_if<int64_t>(&value);
  if (number == nullptr || *number < 0) {
    return absl::InvalidArgumentError(base::str_cat("'", key, "' must be a whole number of bytes"));
  }
  return static_cast<uint64_t>(*number);
}

}  // namespace

base::Status SharedMemoryPlace::take(std::string_view key, const tensor::Parameter& value) {
  if (key == "shared_memory_region") {
    const auto* const name = std::get_if<std::string>(&value);
    if (name == nullptr || name->empty()) {
      return absl::InvalidArgumentError("'shared_memory_region' must be the name of a region");
    }
    region_ = *name;
    has_region_ = true;
  } else if (key == "shared_memory_offset") {
    SN_ASSIGN(offset_, size_of(key, value));
    has_offset_ = true;
  } else if (key == "shared_memory_byte_size") {
    SN_ASSIGN(byte_size_, size_of(key, value));
    has_size_ = true;
  }
  return {};
}

base::Status SharedMemoryPlace::check() const {
  if (has_region_ || !(has_offset_ || has_size_)) return {};
  return absl::InvalidArgumentError(
      "'shared_memory_offset' and 'shared_memory_byte_size' need a 'shared_memory_region'");
}

base::Result<tensor::Buffer> SharedMemoryPlace::resolve(const SharedMemoryPart& find) const {
  if (!has_size_) {
    return absl::InvalidArgumentError(
        base::str_cat("'shared_memory_byte_size' is missing; say how many bytes of region '",
                      region_, "' the tensor takes"));
  }
  if (!find) return absl::UnimplementedError("shared memory can't be used here");
  return find(region_, offset_, byte_size_);
}

}  // namespace supernova::protocol::oip
