// Inference requests of the Open Inference Protocol, serialised once and sent many times.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "load/target.h"
#include "tensor/tensor.h"

namespace supernova::bench {

enum class Encoding { kBinary, kJson };

// "/v2/models/NAME[/versions/V]", percent-encoded.
std::string model_path(const Target& target);
// A whole HTTP/1.1 message with the target's headers; `fields` are further lines, each with its
// CRLF. `path` starts at /v2.
std::string http_message(const Target& target, std::string_view method, std::string_view path,
                         std::string_view fields, std::string_view body);

// The message of POST .../infer. Tensors and the outputs asked for travel as bytes behind the JSON
// or as JSON; what JSON can't carry (FP16, BF16, NaN, bytes that are no text) is an error.
base::Result<std::string> http_infer_request(const Target& target,
                                             const std::vector<tensor::Tensor>& inputs,
                                             Encoding encoding);
// A serialised ModelInferRequest with raw contents.
std::string grpc_infer_request(const Target& target, const std::vector<tensor::Tensor>& inputs);

// What an error's body says in short: the value of "error" where it is JSON, else its first line.
std::string error_text(std::string_view body);

}  // namespace supernova::bench
