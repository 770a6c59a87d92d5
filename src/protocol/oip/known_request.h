// An inference request whose JSON has come before: clients send the same head of a binary request
// again and again, with other tensors behind it. The same text means the same, so it is read once.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/oip/infer_request.h"

namespace supernova::protocol::oip {

class KnownRequest {
 public:
  // The request, if this JSON is known and as many bytes follow it as it says. All of the body's
  // tensors are aligned slices of it, or copies.
  std::optional<DecodedRequest> recall(const tensor::Buffer& body, size_t json_size) const;

  // Remembers what a body was decoded to, if its JSON has come twice in a row and all of its
  // tensors lie behind it. `binary_sizes` are theirs.
  void learn(std::string_view json, const DecodedRequest& decoded,
             const std::vector<std::optional<uint64_t>>& binary_sizes);

 private:
  std::string latest_;  // JSON
  bool is_known_ = false;
  DecodedRequest decoded_;  // without the tensors' memory
  std::vector<uint64_t> sizes_;
  uint64_t total_ = 0;
};

}  // namespace supernova::protocol::oip
