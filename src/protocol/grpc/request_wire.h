// Where the fields of a ModelInferRequest lie in its bytes. Pure; INVALID_ARGUMENT when they are no
// such message.
#pragma once

#include <absl/container/inlined_vector.h>

#include <string>
#include <string_view>

#include "base/status.h"
#include "protocol/grpc/message.h"
#include "tensor/buffer.h"
#include "tensor/shape.h"

namespace supernova::protocol::grpc {

// Texts and bytes lie in the message, or in the parts themselves: neither may be moved meanwhile.
struct RequestParts {
  struct Raw {
    std::string_view bytes;
    // Has them where they came in several slices.
    tensor::Buffer gathered;
  };

  std::string_view model_name;
  std::string_view model_version;
  std::string_view id;
  std::string parameters;  // a ModelInferRequest that has nothing else; "" = none
  absl::InlinedVector<std::string_view, 4> inputs;   // InferInputTensor
  absl::InlinedVector<std::string_view, 4> outputs;  // InferRequestedOutputTensor
  absl::InlinedVector<Raw, 4> raw;

  std::string gathered;  // the fields but raw contents, where they came in several slices
};

struct InputHead {
  std::string_view name;
  std::string_view datatype;
  tensor::Shape shape;
  bool has_more = false;  // parameters or contents
};

struct OutputHead {
  std::string_view name;
  bool has_more = false;  // parameters
};

base::Status split_request(const Message& message, RequestParts& parts);
base::Status read_head(std::string_view bytes, InputHead& head);
base::Status read_head(std::string_view bytes, OutputHead& head);

}  // namespace supernova::protocol::grpc
