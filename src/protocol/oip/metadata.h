// JSON of what the server and its models say of themselves.
#pragma once

#include <string>

#include "model/model_config.h"
#include "service/service.h"

namespace supernova::protocol::oip {

std::string server_metadata_json(const service::ServerMetadata& metadata);
std::string model_metadata_json(const service::ModelMetadata& metadata);
// With the keys of proto/model_config.proto.
std::string model_config_json(const model::ModelConfig& config);

}  // namespace supernova::protocol::oip
