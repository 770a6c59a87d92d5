#include "protocol/grpc/contents.h"

#include <array>
#include <cstring>
#include <limits>

#include "tensor/shape.h"

namespace supernova::protocol::grpc {
namespace {

using inference::InferTensorContents;
using tensor::Buffer;
using tensor::DataType;

base::Status invalid(const std::string& message) { return absl::InvalidArgumentError(message); }

// The lists of InferTensorContents, by name and number of elements.
struct List {
  std::string_view name;
  int size;
};

std::array<List, 8> lists(const InferTensorContents& contents) {
  return {{{"bool_contents", contents.bool_contents_size()},
           {"int_contents", contents.int_contents_size()},
           {"int64_contents", contents.int64_contents_size()},
           {"uint_contents", contents.uint_contents_size()},
           {"uint64_contents", contents.uint64_contents_size()},
           {"fp32_contents", contents.fp32_contents_size()},
           {"fp64_contents", contents.fp64_contents_size()},
           {"bytes_contents", contents.bytes_contents_size()}}};
}

// The list in which elements of that type travel; "" where they travel as raw bytes only.
std::string_view list_of(DataType type) {
  switch (type) {
    case DataType::kBool:
      return "bool_contents";
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
      return "int_contents";
    case DataType::kInt64:
      return "int64_contents";
    case DataType::kUint8:
    case DataType::kUint16:
    case DataType::kUint32:
      return "uint_contents";
    case DataType::kUint64:
      return "uint64_contents";
    case DataType::kFp32:
      return "fp32_contents";
    case DataType::kFp64:
      return "fp64_contents";
    case DataType::kBytes:
      return "bytes_contents";
    default:
      return "";
  }
}

base::Status check_lists(const InferTensorContents& contents, DataType data_type,
                         std::span<const int64_t> shape, int64_t count) {
  const std::string_view expected = list_of(data_type);
  const std::string_view type = tensor::data_type_name(data_type);
  if (expected.empty()) {
    return invalid(base::str_cat(type, " has no list in 'contents'; send raw_input_contents"));
  }
  for (const List& list : lists(contents)) {
    if (list.name == expected) {
      if (list.size == count) continue;
      return invalid(base::str_cat(list.name, " has ", list.size, " elements, but shape ",
                                   tensor::shape_to_string(shape), " needs ", count));
    }
    if (list.size > 0) {
      return invalid(
          base::str_cat(list.name, " is filled, but datatype ", type, " travels in ", expected));
    }
  }
  return {};
}

base::Status out_of_memory(size_t bytes) {
  return absl::ResourceExhaustedError(base::str_cat("no memory for ", bytes, " bytes"));
}

// Copies a list whose elements may be wider than the tensor's, refusing those that don't fit.
template <typename T, typename List>
base::Result<Buffer> copy_list(const List& list) {
  using Wide = typename List::value_type;
  const auto count = static_cast<size_t>(list.size());
  Buffer buffer = Buffer::allocate(count * sizeof(T));
  if (buffer.data() == nullptr) return out_of_memory(count * sizeof(T));
  T* const out = reinterpret_cast<T*>(buffer.data());
  for (size_t i = 0; i < count; ++i) {
    const Wide value = list.Get(static_cast<int>(i));
    if constexpr (sizeof(T) < sizeof(Wide)) {
      if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max()) {
        return invalid(base::str_cat("element ", i, " is ", value, ", out of range for ",
                                     std::is_signed_v<T> ? "INT" : "UINT", sizeof(T) * 8));
      }
    }
    out[i] = static_cast<T>(value);
  }
  return buffer;
}

base::Result<Buffer> pack_list(const google::protobuf::RepeatedPtrField<std::string>& list) {
  size_t size = 0;
  for (const std::string& element : list) size += sizeof(uint32_t) + element.size();
  Buffer buffer = Buffer::allocate(size);
  if (buffer.data() == nullptr) return out_of_memory(size);
  std::byte* out = buffer.data();
  for (const std::string& element : list) {
    const auto length = static_cast<uint32_t>(element.size());  // messages end at 2 GiB
    std::memcpy(out, &length, sizeof(length));
    std::memcpy(out + sizeof(length), element.data(), element.size());
    out += sizeof(length) + element.size();
  }
  return buffer;
}

base::Result<Buffer> read_list(const InferTensorContents& contents, DataType type) {
  switch (type) {
    case DataType::kBool:
      return copy_list<bool>(contents.bool_contents());
    case DataType::kInt8:
      return copy_list<int8_t>(contents.int_contents());
    case DataType::kInt16:
      return copy_list<int16_t>(contents.int_contents());
    case DataType::kInt32:
      return copy_list<int32_t>(contents.int_contents());
    case DataType::kInt64:
      return copy_list<int64_t>(contents.int64_contents());
    case DataType::kUint8:
      return copy_list<uint8_t>(contents.uint_contents());
    case DataType::kUint16:
      return copy_list<uint16_t>(contents.uint_contents());
    case DataType::kUint32:
      return copy_list<uint32_t>(contents.uint_contents());
    case DataType::kUint64:
      return copy_list<uint64_t>(contents.uint64_contents());
    case DataType::kFp32:
      return copy_list<float>(contents.fp32_contents());
    case DataType::kFp64:
      return copy_list<double>(contents.fp64_contents());
    default:
      return pack_list(contents.bytes_contents());
  }
}

}  // namespace

base::Result<Buffer> read_contents(const InferTensorContents& contents, DataType type,
                                   std::span<const int64_t> shape) {
  SN_ASSIGN(const int64_t count, tensor::element_count(shape));
  SN_TRY(check_lists(contents, type, shape, count));
  return read_list(contents, type);
}

}  // namespace supernova::protocol::grpc
