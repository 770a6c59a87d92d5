// JSON of what the server and its models say of themselves.
#pragma once

#include <string>
#include <vector>

#include "model/model_config.h"
#include "model/model_manager.h"
#include "service/service.h"

namespace supernova::protocol::oip {

std::string server_metadata_json(const service::ServerMetadata& metadata);
std::string model_metadata_json(const service::ModelMetadata& metadata);
// With the keys of proto/model_config.proto.
std::string model_config_json(const model::ModelConfig& config);
// With every key, whether it has counted anything or not: clients index them blindly.
std::string statistics_json(const std::vector<service::ModelStatistics>& statistics);
// An entry that was never loaded is its name alone.
std::string repository_index_json(const std::vector<model::IndexEntry>& index);
std::string shared_memory_json(const std::vector<service::SharedMemoryRegion>& regions);
std::string trace_settings_json(const service::TraceSettings& settings);
std::string log_settings_json(const service::LogSettings& settings);

}  // namespace supernova::protocol::oip
