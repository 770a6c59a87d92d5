#include "import/graph/deferred.h"

#include <type_traits>

#include "tensor/half.h"

namespace supernova::import::graph {
namespace {

void widen(std::string_view halves, char* out) {
  for (size_t i = 0; i < halves.size() / sizeof(uint16_t); ++i) {
    uint16_t half = 0;
    std::memcpy(&half, halves.data() + i * sizeof(half), sizeof(half));
    const float value = tensor::half_to_float(half);
    std::memcpy(out + i * sizeof(value), &value, sizeof(value));
  }
}

}  // namespace

size_t Deferred::byte_size() const {
  if (widens_) return from_.byte_size() * 2;
  size_t count = 1;
  for (const int64_t size : shape_) count *= static_cast<size_t>(size);
  return count * tensor::element_size(from_.type());
}

void Deferred::write(char* out) const {
  const std::string kept = from_.is_deferred() ? from_.copy() : std::string();
  const std::string_view bytes = from_.is_deferred() ? std::string_view(kept) : from_.bytes();
  if (widens_) {
    widen(bytes, out);
    return;
  }
  const auto gather = [&](auto width) {
    walk(shape_, strides_, start_, [&](int64_t offset) {
      std::memcpy(out, bytes.data() + offset * static_cast<int64_t>(width), width);
      out += width;
    });
  };
  switch (tensor::element_size(from_.type())) {
    case 1:
      gather(std::integral_constant<size_t, 1>());
      break;
    case 2:
      gather(std::integral_constant<size_t, 2>());
      break;
    case 4:
      gather(std::integral_constant<size_t, 4>());
      break;
    default:
      gather(std::integral_constant<size_t, 8>());
  }
}

std::string_view Deferred::bytes() const {
  if (made_.empty()) {
    made_.resize(byte_size());
    write(made_.data());
  }
  return made_;
}

}  // namespace supernova::import::graph
