#include "tensor/shape.h"

#include <algorithm>

namespace supernova::tensor {

std::string shape_to_string(std::span<const int64_t> shape) {
  std::string out = "[";
  return out + base::str_join(shape, ",") + "]";
}

base::Result<int64_t> element_count(std::span<const int64_t> shape) {
  int64_t count = 1;
  bool empty = false;
  for (const int64_t size : shape) {
    if (size < 0) {
      return absl::InvalidArgumentError(
          base::str_cat("shape ", shape_to_string(shape), " has a negative dimension"));
    }
    empty |= size == 0;
    // Sizes are multiplied without the zeros, so that [huge,huge,0] is refused whatever the order.
    if (size != 0 && __builtin_mul_overflow(count, size, &count)) {
      return absl::InvalidArgumentError(base::str_cat("shape ", shape_to_string(shape),
                                                      " has more elements than can be counted"));
    }
  }
  return empty ? 0 : count;
}

base::Result<size_t> byte_size(DataType type, std::span<const int64_t> shape) {
  const size_t size = element_size(type);
  if (size == 0) {
    return absl::InvalidArgumentError(
        base::str_cat("elements of ", data_type_name(type), " have no fixed size"));
  }
  SN_ASSIGN(const int64_t count, element_count(shape));
  int64_t bytes = 0;
  if (__builtin_mul_overflow(count, static_cast<int64_t>(size), &bytes)) {
    return absl::InvalidArgumentError(
        base::str_cat("shape ", shape_to_string(shape), " has more bytes than can be counted"));
  }
  return static_cast<size_t>(bytes);
}

bool shape_matches(std::span<const int64_t> declared, std::span<const int64_t> actual) {
  return declared.size() == actual.size() &&
         std::equal(declared.begin(), declared.end(), actual.begin(),
                    [](int64_t want, int64_t got) { return want < 0 || want == got; });
}

}  // namespace supernova::tensor
