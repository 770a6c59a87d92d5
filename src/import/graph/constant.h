// A tensor whose content is known: a weight, in place in the model file's memory wherever it can
// be, or a small tensor that an importer made. Values; the bytes are shared and never written.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/buffer.h"
#include "tensor/data_type.h"

namespace supernova::import::graph {

class Deferred;

class Constant {
 public:
  Constant() = default;
  // `bytes` is row-major, little-endian, not necessarily aligned, and has exactly the size that
  // type and shape need (the importer has checked it: see checked()); `owner` keeps it alive.
  Constant(tensor::DataType type, std::vector<int64_t> shape, std::string_view bytes,
           std::shared_ptr<const void> owner);
  // As above for bytes from outside: refuses negative sizes, overflow and a size that does not fit.
  static base::Result<Constant> checked(tensor::DataType type, std::vector<int64_t> shape,
                                        std::string_view bytes, std::shared_ptr<const void> owner);
  // The elements of `from` at start + i * strides for each i of `shape`. A large one is made when
  // it is needed.
  static Constant rearranged(const Constant& from, std::vector<int64_t> shape,
                             std::vector<int64_t> strides, int64_t start);
  static Constant of_strings(std::vector<int64_t> shape, std::vector<std::string> strings);
  // Owns a copy of `values`; T is the C++ type of `type`: of<float>(kFp32, …).
  template <typename T>
  static Constant of(tensor::DataType type, std::vector<int64_t> shape,
                     const std::vector<T>& values);
  static Constant floats(std::vector<int64_t> shape, const std::vector<float>& values);
  static Constant int64s(const std::vector<int64_t>& values);  // one axis
  static Constant scalar(float value);
  static Constant scalar(int64_t value);

  tensor::DataType type() const { return type_; }
  const std::vector<int64_t>& shape() const { return shape_; }
  int64_t count() const;  // elements
  size_t byte_size() const;
  // Where they lie; those of a deferred constant are made by this, and kept.
  std::string_view bytes() const;
  // The same for `out`, which has room for byte_size(), and as a copy: nothing more is kept.
  void write(char* out) const;
  std::string copy() const;
  bool is_deferred() const { return deferred_ != nullptr; }
  const std::vector<std::string>& strings() const { return *strings_; }  // BYTES only

  // A copy of the elements; T must have the element's size.
  template <typename T>
  std::vector<T> values() const;
  // Whole numbers of any integer type (and BOOL) as int64; empty for other types.
  std::vector<int64_t> integers() const;
  // Numbers of any type as double; empty for BYTES.
  std::vector<double> numbers() const;
  // The same bytes under another shape of as many elements.
  Constant reshaped(std::vector<int64_t> shape) const;
  // FP16 as FP32. A large one is made when it is needed, and halves() has what it is made of.
  Constant widened() const;
  std::optional<Constant> halves() const;

 private:
  static Constant from_deferred(tensor::DataType type, std::vector<int64_t> shape,
                                Deferred content);

  tensor::DataType type_ = tensor::DataType::kInvalid;
  std::vector<int64_t> shape_;
  std::string_view bytes_;
  std::shared_ptr<const void> owner_;
  std::shared_ptr<const Deferred> deferred_;  // in place of the two
  std::shared_ptr<const std::vector<std::string>> strings_;
};

template <typename T>
Constant Constant::of(tensor::DataType type, std::vector<int64_t> shape,
                      const std::vector<T>& values) {
  auto owned = std::make_shared<std::string>(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(owned->data(), values.data(), owned->size());
  const std::string_view bytes = *owned;
  return Constant(type, std::move(shape), bytes, std::move(owned));
}

template <typename T>
std::vector<T> Constant::values() const {
  std::vector<T> out(byte_size() / sizeof(T));
  if (!out.empty()) write(reinterpret_cast<char*>(out.data()));
  return out;
}

}  // namespace supernova::import::graph
