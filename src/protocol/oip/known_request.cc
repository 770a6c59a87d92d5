#include "protocol/oip/known_request.h"

#include <algorithm>

#include "protocol/oip/binary_input.h"

namespace supernova::protocol::oip {
namespace {

// Longer texts are read anew each time: memory is kept for each connection.
constexpr size_t kMaxText = 1024;

bool can_be_known(const DecodedRequest& decoded,
                  const std::vector<std::optional<uint64_t>>& binary_sizes) {
  const auto is_placed = [](const auto& output) { return output.destination.data() != nullptr; };
  return binary_sizes.size() == decoded.request.inputs.size() &&
         std::all_of(binary_sizes.begin(), binary_sizes.end(),
                     [](const auto& size) { return size.has_value(); }) &&
         std::none_of(decoded.request.outputs.begin(), decoded.request.outputs.end(), is_placed);
}

}  // namespace

std::optional<DecodedRequest> KnownRequest::recall(const tensor::Buffer& body,
                                                   size_t json_size) const {
  if (!is_known_ || body.size() - json_size != total_ ||
      body.view().substr(0, json_size) != latest_) {
    return std::nullopt;
  }
  std::optional<DecodedRequest> request(decoded_);
  size_t offset = json_size;
  for (size_t i = 0; i < sizes_.size(); ++i) {
    tensor::Tensor& input = request->request.inputs[i];
    auto part = aligned_part(body, offset, sizes_[i], input.data_type);
    if (!part.ok()) return std::nullopt;
    input.buffer = *std::move(part);
    offset += sizes_[i];
  }
  return request;
}

void KnownRequest::learn(std::string_view json, const DecodedRequest& decoded,
                         const std::vector<std::optional<uint64_t>>& binary_sizes) {
  if (json != latest_) {
    is_known_ = false;
    latest_ = json.size() <= kMaxText ? json : std::string_view();
    return;
  }
  if (is_known_ || !can_be_known(decoded, binary_sizes)) return;
  decoded_ = decoded;
  sizes_.clear();
  total_ = 0;
  for (size_t i = 0; i < binary_sizes.size(); ++i) {
    decoded_.request.inputs[i].buffer = {};
    sizes_.push_back(*binary_sizes[i]);
    total_ += sizes_.back();
  }
  is_known_ = true;
}

}  // namespace supernova::protocol::oip
