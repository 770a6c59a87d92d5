#include "engine/onnxruntime/strings.h"

#include <cstdlib>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "tensor/bytes.h"
#include "tensor/shape.h"

namespace supernova::engine::onnxruntime {

base::Result<ValuePtr> make_strings(const Runtime& runtime, const sn_tensor& tensor) {
  const std::span shape(tensor.dims, static_cast<size_t>(tensor.rank));
  SN_ASSIGN(const int64_t count, tensor::element_count(shape));
  SN_ASSIGN(const auto elements,
            tensor::unpack_bytes({static_cast<const char*>(tensor.buffer.data),
                                  tensor.buffer.data != nullptr ? tensor.buffer.byte_size : 0},
                                 count));
  OrtValue* raw = nullptr;
  SN_ORT_TRY(api().CreateTensorAsOrtValue(runtime.allocator, tensor.dims, shape.size(),
                                          ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, &raw));
  ValuePtr value(raw);
  for (size_t i = 0; i < elements.size(); ++i) {
    if (elements[i].empty()) continue;  // strings start empty
    char* at = nullptr;
    SN_ORT_TRY(api().GetResizedStringTensorElementBuffer(raw, i, elements[i].size(), &at));
    std::memcpy(at, elements[i].data(), elements[i].size());
  }
  return value;
}

base::Result<sn_buffer> pack_strings(const OrtValue& value, size_t count) {
  size_t characters = 0;
  if (count > 0) SN_ORT_TRY(api().GetStringTensorDataLength(&value, &characters));
  const size_t byte_size = characters + count * sizeof(uint32_t);
  std::unique_ptr<char, decltype(&std::free)> memory(
      static_cast<char*>(std::malloc(std::max<size_t>(byte_size, 1))), &std::free);
  if (memory == nullptr) {
    return absl::ResourceExhaustedError(
        base::str_cat("no memory for ", byte_size, " bytes of strings"));
  }
  char* at = memory.get();
  for (size_t i = 0; i < count; ++i) {
    size_t length = 0;
    SN_ORT_TRY(api().GetStringTensorElementLength(&value, i, &length));
    if (length > std::numeric_limits<uint32_t>::max()) {
      return absl::ResourceExhaustedError(
          base::str_cat("string element ", i, " has ", length, " bytes; 4294967295 can be sent"));
    }
    const auto length32 = static_cast<uint32_t>(length);
    std::memcpy(at, &length32, sizeof(length32));
    at += sizeof(length32);
    if (length > 0) SN_ORT_TRY(api().GetStringTensorElement(&value, length, i, at));
    at += length;
  }
  sn_buffer buffer{};
  buffer.size = sizeof(buffer);
  buffer.device.size = sizeof(buffer.device);
  buffer.byte_size = byte_size;
  buffer.data = memory.release();
  buffer.owner = buffer.data;
  buffer.release = &std::free;
  return buffer;
}

}  // namespace supernova::engine::onnxruntime
