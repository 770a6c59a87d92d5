// Content of a large constant that is not made before it is needed: the elements of another
// constant in another order, or its halves widened. Most weights are needed once, when they are
// written, so that no copy of them has to stay. Values; one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "import/graph/constant.h"

namespace supernova::import::graph {

// Calls use(offset) for every element of `shape` in order; offsets walk by `strides` from `start`.
template <typename Use>
void walk(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides, int64_t start,
          Use use) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  std::vector<int64_t> at(shape.size(), 0);
  int64_t offset = start;
  for (int64_t i = 0; i < count; ++i) {
    use(offset);
    for (size_t axis = shape.size(); axis > 0; --axis) {
      offset += strides[axis - 1];
      if (++at[axis - 1] < shape[axis - 1]) break;
      offset -= strides[axis - 1] * shape[axis - 1];
      at[axis - 1] = 0;
    }
  }
}

class Deferred {
 public:
  // Element i of `shape` is `from`'s at start + i * strides.
  Deferred(Constant from, std::vector<int64_t> shape, std::vector<int64_t> strides, int64_t start)
      : from_(std::move(from)),
        shape_(std::move(shape)),
        strides_(std::move(strides)),
        start_(start) {}
  // FP16 as FP32.
  explicit Deferred(Constant halves) : from_(std::move(halves)), widens_(true) {}

  const Constant& from() const { return from_; }
  bool widens() const { return widens_; }
  size_t byte_size() const;
  void write(char* out) const;
  // Made at the first call, and kept.
  std::string_view bytes() const;

 private:
  Constant from_;
  bool widens_ = false;
  std::vector<int64_t> shape_;
  std::vector<int64_t> strides_;
  int64_t start_ = 0;
  mutable std::string made_;
};

}  // namespace supernova::import::graph
