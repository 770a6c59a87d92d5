// Content for tensors of which only type and shape are known, the same every time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/tensor.h"

namespace supernova::schedule {

// Numbers that look random.
class MadeUpNumbers {
 public:
  explicit MadeUpNumbers(uint32_t seed) : state_(seed * 2654435761u + 1) {}
  uint32_t next() {
    state_ = state_ * 1664525u + 1013904223u;
    return state_ >> 8;
  }

 private:
  uint32_t state_;
};

// Gives a tensor of known type and shape, which has `elements`, its content: floats in [-1, 1);
// whole numbers, which may be indices, and booleans 0 or 1; texts of one digit. False = no memory.
bool make_up_content(tensor::Tensor& tensor, size_t elements, MadeUpNumbers& numbers);

}  // namespace supernova::schedule
