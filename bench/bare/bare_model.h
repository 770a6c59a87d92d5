// ONNX Runtime alone, through its C API, without anything of this project's engine: an input and
// outputs whose memory is made once, and a call. What serving is measured against. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "tensor/tensor.h"

namespace supernova::bench {

class BareModel {
 public:
  // A model file with one input and FP32 or FP16 tensors only; sizes that may vary are 1.
  // `provider` is
  // "" for the CPU, "cuda" or "webgpu" for the first device of that kind; tensors stay in host
  // memory.
  static base::Result<BareModel> open(const std::string& path, const std::string& provider = "");
  BareModel(BareModel&& other) noexcept;
  BareModel& operator=(BareModel&&) = delete;
  ~BareModel();

  const tensor::Tensor& input() const;
  // Written before run().
  std::byte* input_data();
  // Reads the input, overwrites the outputs.
  base::Status run();
  const std::vector<tensor::Tensor>& outputs() const;

 private:
  struct Impl;
  explicit BareModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace supernova::bench
