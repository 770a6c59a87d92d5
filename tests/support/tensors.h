// Tensors of plain values, and back.
#pragma once

#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace supernova::test {

// T is the C++ type of `type`.
template <typename T>
tensor::Tensor tensor_of(std::string name, tensor::DataType type, tensor::Shape shape,
                         const std::vector<T>& values) {
  tensor::Tensor tensor;
  tensor.name = std::move(name);
  tensor.data_type = type;
  tensor.shape = std::move(shape);
  tensor.buffer = tensor::Buffer::copy_of(std::as_bytes(std::span(values)));
  return tensor;
}

template <typename T>
std::vector<T> values_of(const tensor::Tensor& tensor) {
  std::vector<T> values(tensor.buffer.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), tensor.buffer.data(), values.size() * sizeof(T));
  return values;
}

}  // namespace supernova::test
