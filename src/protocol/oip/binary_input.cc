#include "protocol/oip/binary_input.h"

#include <algorithm>
#include <cstring>

#include "service/service.h"

namespace supernova::protocol::oip {
namespace {

using tensor::Buffer;
using tensor::DataType;
using tensor::Tensor;

base::Status invalid(std::string_view message) {
  return absl::InvalidArgumentError(absl::string_view(message.data(), message.size()));
}

// The shape of a raw binary tensor: at most one size is open, and the body says which it is.
base::Result<tensor::Shape> raw_shape(const tensor::TensorInfo& info, size_t body_size) {
  tensor::Shape shape = info.shape;
  const auto open = std::count_if(shape.begin(), shape.end(), [](int64_t d) { return d < 0; });
  if (!info.rank_known || open > 1) {
    return invalid(base::str_cat("input '", info.name, "' has more than one open dimension (shape ",
                                 tensor::shape_to_string(info.shape),
                                 "), so a raw binary request can't say its shape; send JSON with "
                                 "binary_data_size"));
  }
  if (open == 0) return shape;
  const auto at = std::find_if(shape.begin(), shape.end(), [](int64_t d) { return d < 0; });
  *at = 1;
  SN_ASSIGN(const size_t one, tensor::byte_size(info.data_type, shape));
  if (one > 0) *at = static_cast<int64_t>(body_size / one);  // a remainder shows as a mismatch
  return shape;
}

}  // namespace

base::Result<Buffer> aligned_part(const Buffer& buffer, size_t offset, size_t size, DataType type) {
  Buffer part = buffer.slice(offset, size);
  const size_t alignment = std::max<size_t>(1, tensor::element_size(type));
  if (reinterpret_cast<uintptr_t>(part.data()) % alignment == 0) return part;
  part = Buffer::copy_of(part.bytes());
  if (part.data() == nullptr) {
    return absl::ResourceExhaustedError("there is no memory for the tensor");
  }
  return part;
}

base::Result<DecodedRequest> decode_raw_request(const Buffer& body, std::string_view model,
                                                const std::vector<tensor::TensorInfo>& inputs) {
  if (inputs.size() != 1) {
    return invalid(
        base::str_cat("a raw binary request (Inference-Header-Content-Length: 0) needs a "
                      "model with one input, but model '",
                      model, "' has ", inputs.size()));
  }
  const tensor::TensorInfo& info = inputs.front();
  DecodedRequest decoded;
  decoded.request.model_name = std::string(model);
  decoded.output_form.binary_by_default = true;
  Tensor tensor;
  tensor.name = info.name;
  tensor.data_type = info.data_type;
  if (info.data_type == DataType::kBytes) {
    tensor.shape = info.rank_known ? info.shape : tensor::Shape{1};
    for (int64_t& size : tensor.shape) size = size < 0 ? 1 : size;
    if (body.size() > UINT32_MAX) return invalid("a BYTES element can't be larger than 4 GiB");
    const auto length = static_cast<uint32_t>(body.size());
    tensor.buffer = Buffer::allocate(sizeof(length) + body.size());
    if (tensor.buffer.data() == nullptr) {
      return absl::ResourceExhaustedError("there is no memory for the tensor");
    }
    std::memcpy(tensor.buffer.data(), &length, sizeof(length));
    if (length > 0) std::memcpy(tensor.buffer.data() + sizeof(length), body.data(), length);
  } else {
    SN_ASSIGN(tensor.shape, raw_shape(info, body.size()));
    SN_TRY(service::check_byte_size(tensor, body.size(), model));
    SN_ASSIGN(tensor.buffer, aligned_part(body, 0, body.size(), tensor.data_type));
  }
  decoded.request.inputs.push_back(std::move(tensor));
  return decoded;
}

}  // namespace supernova::protocol::oip
