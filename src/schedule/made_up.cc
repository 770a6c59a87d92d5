#include "schedule/made_up.h"

#include <cstring>
#include <string>
#include <vector>

#include "base/text.h"
#include "tensor/bytes.h"

namespace supernova::schedule {
namespace {

using tensor::DataType;

template <typename T, typename Make>
void fill(tensor::Buffer& buffer, Make make) {
  for (size_t at = 0; at + sizeof(T) <= buffer.size(); at += sizeof(T)) {
    const T value = make();
    std::memcpy(buffer.data() + at, &value, sizeof(T));
  }
}

}  // namespace

bool make_up_content(tensor::Tensor& tensor, size_t elements, MadeUpNumbers& numbers) {
  if (tensor.data_type == DataType::kBytes) {
    std::vector<std::string> texts;
    for (size_t i = 0; i < elements; ++i) texts.push_back(base::str_cat(numbers.next() % 10));
    tensor.buffer = tensor::pack_bytes(texts);
    return true;
  }
  tensor.buffer = tensor::Buffer::allocate(elements * tensor::element_size(tensor.data_type));
  if (tensor.buffer.data() == nullptr) return false;
  const auto bit = [&] { return static_cast<uint8_t>(numbers.next() % 2); };
  const auto real = [&] { return static_cast<float>(numbers.next() % 2048) / 1024.0f - 1.0f; };
  switch (tensor.data_type) {
    case DataType::kFp32:
      fill<float>(tensor.buffer, real);
      return true;
    case DataType::kFp64:
      fill<double>(tensor.buffer, real);
      return true;
    case DataType::kBf16:
    case DataType::kFp16: {
      // 0.5, 1, -0.5 or -1 by their bits.
      const uint16_t half = tensor.data_type == DataType::kFp16 ? 0x3800 : 0x3f00;
      const uint16_t one = tensor.data_type == DataType::kFp16 ? 0x3c00 : 0x3f80;
      fill<uint16_t>(tensor.buffer, [&] {
        return static_cast<uint16_t>((bit() != 0 ? one : half) | (bit() != 0 ? 0x8000 : 0));
      });
      return true;
    }
    default:
      break;
  }
  // Little-endian whole numbers of any width.
  const size_t width = tensor::element_size(tensor.data_type);
  std::memset(tensor.buffer.data(), 0, tensor.buffer.size());
  for (size_t at = 0; at < tensor.buffer.size(); at += width) {
    tensor.buffer.data()[at] = static_cast<std::byte>(bit());
  }
  return true;
}

}  // namespace supernova::schedule
