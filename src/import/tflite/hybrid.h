// Integer weights under real activations ("dynamic range"). TensorFlow Lite rounds such activations
// to eight bits on their way in, with a scale for each row or picture, and so do we: the results
// are then its own. The option dynamic_range=exact leaves the activations as they are.
#pragma once

#include "import/tflite/context.h"

namespace supernova::import::tflite {

enum class Rounding : uint8_t {
  kNone,
  kEven,   // steps of the largest magnitude / 127
  kRange,  // 255 steps from the smallest to the largest number, zero among them
};

// How an operator with input `x` and weights `w` rounds rows; `asymmetric` is its option for
// kRange.
Rounding rounding_of(Context& c, size_t x, size_t w, int asymmetric);
// How a convolution rounds pictures.
Rounding rounding_of_picture(Context& c, size_t x, size_t w, bool depthwise);

// Each row (the last axis) with a scale of its own.
Value* round_rows(Builder& b, Value* x, Rounding rounding);
// Each item of the first axis with a scale of its own.
Value* round_items(Builder& b, Value* x, Rounding rounding);

}  // namespace supernova::import::tflite
