#include "engine/tflite/strings.h"

#include <cstring>
#include <limits>

#include "tensor/bytes.h"

namespace supernova::engine::tflite {
namespace {

constexpr size_t kNumber = sizeof(int32_t);

void put(std::string& out, size_t index, size_t value) {
  const auto number = static_cast<int32_t>(value);
  std::memcpy(out.data() + index * kNumber, &number, kNumber);
}

int32_t get(std::string_view content, size_t index) {
  int32_t number = 0;
  std::memcpy(&number, content.data() + index * kNumber, kNumber);
  return number;
}

}  // namespace

base::Result<std::string> to_runtime_strings(std::string_view packed, int64_t count) {
  SN_ASSIGN(const auto elements, tensor::unpack_bytes(packed, count));
  // The count, where each begins, and where the last ends.
  const size_t head = (elements.size() + 2) * kNumber;
  size_t byte_size = head;
  for (const auto& element : elements) byte_size += element.size();
  if (byte_size > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    return absl::InvalidArgumentError(
        base::str_cat("strings of ", byte_size, " bytes in all; TensorFlow Lite takes 2147483647"));
  }
  std::string out(head, '\0');
  out.reserve(byte_size);
  put(out, 0, elements.size());
  for (size_t i = 0; i < elements.size(); ++i) {
    put(out, i + 1, out.size());
    out += elements[i];
  }
  put(out, elements.size() + 1, out.size());
  return out;
}

base::Result<std::string> from_runtime_strings(std::string_view content, int64_t count) {
  if (content.empty() && count == 0) return std::string();
  const auto wrong = [] {
    return absl::InternalError("TensorFlow Lite left a string tensor that is not one");
  };
  if (content.size() < 2 * kNumber || get(content, 0) != count || count < 0 ||
      static_cast<uint64_t>(count) > content.size() / kNumber - 2) {
    return wrong();
  }
  std::string out;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    const int64_t begin = get(content, i + 1);
    const int64_t end = get(content, i + 2);
    if (begin < 0 || end < begin || end > static_cast<int64_t>(content.size())) return wrong();
    const auto length = static_cast<uint32_t>(end - begin);
    out.append(reinterpret_cast<const char*>(&length), sizeof(length));
    out += content.substr(static_cast<size_t>(begin), length);
  }
  return out;
}

}  // namespace supernova::engine::tflite
