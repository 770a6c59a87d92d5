// Decodes the body of an inference request: JSON, JSON with binary tensors behind it, or one raw
// binary tensor. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "protocol/oip/shared_memory_place.h"
#include "tensor/buffer.h"
#include "tensor/request.h"
#include "tensor/tensor.h"

namespace supernova::protocol::oip {

// How outputs are to be sent.
struct OutputForm {
  enum class Form { kJson, kBinary, kSharedMemory };
  struct Listed {
    std::string name;
    Form form = Form::kJson;
  };
  std::vector<Listed> listed;
  bool binary_by_default = false;  // for outputs that are not listed

  Form of(std::string_view output) const;
};

struct DecodedRequest {
  tensor::Request
      request;  // model_version, cancellation, deadline and the like are left to the caller
  OutputForm output_form;
};

class KnownRequest;

// `header_length` is the value of Inference-Header-Content-Length, null when there is none.
// `inputs` is the model's signature; only raw binary requests need it. Binary tensors are slices of
// `body` where its alignment allows; those in shared memory are what `shared_memory` finds. `known`
// (known_request.h; may be null) is asked first, and learns. Errors:
// INVALID_ARGUMENT naming what is wrong, RESOURCE_EXHAUSTED, those of `shared_memory`. Whether the
// tensors suit the model is for service::validate to say.
base::Result<DecodedRequest> decode_infer_request(const tensor::Buffer& body,
                                                  const std::string* header_length,
                                                  std::string_view model_name,
                                                  const std::vector<tensor::TensorInfo>& inputs,
                                                  const SharedMemoryPart& shared_memory = {},
                                                  KnownRequest* known = nullptr);

}  // namespace supernova::protocol::oip
