#include "tensor/bytes.h"

#include <cstring>
#include <limits>

namespace supernova::tensor {

base::Result<std::vector<std::string_view>> unpack_bytes(std::string_view packed, int64_t count) {
  std::vector<std::string_view> elements;
  // A count from outside must not reserve more than the bytes can hold.
  elements.reserve(static_cast<size_t>(
      std::min<uint64_t>(static_cast<uint64_t>(count), packed.size() / sizeof(uint32_t))));
  size_t at = 0;
  for (int64_t i = 0; i < count; ++i) {
    uint32_t length = 0;
    if (packed.size() - at < sizeof(length)) {
      return absl::InvalidArgumentError(base::str_cat(
          "expected ", count, " BYTES elements, but the data ends after ", i, " (byte ", at, ")"));
    }
    std::memcpy(&length, packed.data() + at, sizeof(length));
    at += sizeof(length);
    if (packed.size() - at < length) {
      return absl::InvalidArgumentError(base::str_cat("BYTES element ", i, " says it has ", length,
                                                      " bytes, but only ", packed.size() - at,
                                                      " are left"));
    }
    elements.push_back(packed.substr(at, length));
    at += length;
  }
  if (at != packed.size()) {
    return absl::InvalidArgumentError(
        base::str_cat("unexpected additional data: ", packed.size() - at,
                      " bytes after the last of ", count, " BYTES elements"));
  }
  return elements;
}

void pack_bytes(std::string& out, std::string_view element) {
  SN_CHECK(element.size() <= std::numeric_limits<uint32_t>::max());
  const auto length = static_cast<uint32_t>(element.size());
  out.append(reinterpret_cast<const char*>(&length), sizeof(length));
  out.append(element);
}

Buffer pack_bytes(std::span<const std::string> elements) {
  std::string packed;
  for (const std::string& element : elements) pack_bytes(packed, element);
  return Buffer::copy_of(packed);
}

}  // namespace supernova::tensor
