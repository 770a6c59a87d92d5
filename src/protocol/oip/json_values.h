// The elements of an output as JSON. JSON has no form for FP16, BF16, NaN and infinity, nor for
// BYTES that are not UTF-8: they are refused, naming the output and the remedy.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/tensor.h"

namespace supernova::protocol::oip {

class JsonValues {
 public:
  // What to do with BYTES that are not UTF-8.
  enum class Bytes {
    kRefuse,
    kMark,    // write them as {"b64": "..."}
    kAlways,  // write all elements of the tensor so
  };
  // INTERNAL when the tensor is damaged. `output` must outlive this.
  static base::Result<JsonValues> of(const tensor::Tensor& output, Bytes bytes = Bytes::kRefuse);

  size_t count() const { return count_; }
  // Appends `count` elements from `first` on, separated by commas.
  base::Status append(std::string& out, size_t first, size_t count) const;

 private:
  JsonValues(const tensor::Tensor& output, Bytes bytes) : output_(&output), bytes_(bytes) {}
  base::Status append_strings(std::string& out, size_t first, size_t count) const;

  const tensor::Tensor* output_;
  Bytes bytes_;
  size_t count_ = 0;
  std::vector<std::string_view> strings_;  // of BYTES
};

}  // namespace supernova::protocol::oip
