// Bodies of the repository calls. Pure functions.
#pragma once

#include <string_view>

#include "base/status.h"
#include "model/model_manager.h"

namespace supernova::protocol::oip {

// {"parameters": {"config": "...", "file:1/model.onnx": "<base64>"}}, or nothing. INVALID_ARGUMENT
// for other parameters, base64 that is not canonical, paths that leave the model's folder, and
// files without a configuration.
base::Result<model::LoadRequest> decode_load_request(std::string_view text);
// {"parameters": {"unload_dependents": true}}, or nothing.
base::Result<bool> decode_unload_request(std::string_view text);
// {"ready": true}, or nothing: whether only ready versions are wanted.
base::Result<bool> decode_index_request(std::string_view text);

}  // namespace supernova::protocol::oip
