// Tensors as the numbers they hold, for expected results worked out by hand. Values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace supernova::conformance {

struct Array {
  tensor::Shape shape;
  std::vector<double> values;

  int64_t dim(size_t axis) const { return shape[axis]; }
  double at(std::initializer_list<int64_t> index) const;
};

tensor::Shape to_shape(const std::vector<int64_t>& sizes);

// Numbers of a fixed rule, [low, high], that look random and are exact in `type`; whole ones for
// integers.
Array made_up(tensor::DataType type, const tensor::Shape& shape, double low, double high,
              uint64_t seed);

tensor::Tensor to_tensor(std::string name, tensor::DataType type, const Array& array);
// BYTES give nothing.
Array to_array(const tensor::Tensor& tensor);

// The largest difference, relative to the largest number expected (at least 1); infinity where
// shapes differ or one of both is no number where the other is.
double difference(const Array& got, const Array& expected);

}  // namespace supernova::conformance
