// Tensors in files: any bytes give a tensor or an error, and what was read can be written.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tensor/json_tensor.h"
#include "tensor/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using supernova::tensor::DataType;
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  const auto array = supernova::tensor::parse_npy(content, "fuzz");
  if (array.ok() && array->data_type != DataType::kBytes &&
      !supernova::tensor::format_npy(*array).ok()) {
    std::abort();
  }
  const auto json = supernova::tensor::parse_json_tensor(content, DataType::kInvalid, "fuzz");
  if (json.ok() && json->data_type == DataType::kBytes &&
      !supernova::tensor::format_json_tensor(*json).ok()) {
    std::abort();
  }
  return 0;
}
