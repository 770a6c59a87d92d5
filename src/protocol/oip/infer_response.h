// Encodes the reply of an inference: JSON, and behind it the binary outputs from where they lie.
#pragma once

#include "base/status.h"
#include "protocol/http/http_handler.h"
#include "protocol/oip/infer_request.h"
#include "tensor/request.h"

namespace supernova::protocol::oip {

// INVALID_ARGUMENT, naming the output and the remedy (ask for it with binary_data), where JSON
// can't carry an output: FP16 and BF16, NaN and infinity, BYTES that are not UTF-8.
base::Result<http::HttpResponse> encode_infer_response(const tensor::Response& response,
                                                       const OutputForm& form);

}  // namespace supernova::protocol::oip
