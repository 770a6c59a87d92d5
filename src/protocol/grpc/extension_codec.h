// Messages of the extensions (statistics, repository, shared memory, trace and log settings) to and
// from the server's own values. Pure; errors are INVALID_ARGUMENT unless said otherwise.
#pragma once

#include <inference.pb.h>

#include <memory>
#include <vector>

#include "base/status.h"
#include "service/service.h"

namespace supernova::protocol::grpc {

void fill(const std::vector<service::ModelStatistics>& statistics,
          inference::ModelStatisticsResponse& message);
void fill(const std::vector<model::IndexEntry>& index, inference::RepositoryIndexResponse& message);
void fill(const std::vector<service::SharedMemoryRegion>& regions,
          inference::SystemSharedMemoryStatusResponse& message);
void fill(const service::TraceSettings& settings, inference::TraceSettingResponse& message);
void fill(const service::LogSettings& settings, inference::LogSettingsResponse& message);

// UNIMPLEMENTED for a repository's name: models are told apart by their own.
base::Status check_repository_name(const std::string& name);
// The files' bytes stay in `message`, which must not be changed afterwards.
base::Result<model::LoadRequest> decode_load(
    const std::shared_ptr<inference::RepositoryModelLoadRequest>& message);
// Whether dependents are to be unloaded too.
base::Result<bool> decode_unload(const inference::RepositoryModelUnloadRequest& message);

base::Result<service::TraceUpdate> decode_trace_update(
    const inference::TraceSettingRequest& message);
base::Result<service::LogSettings> decode_log_update(const inference::LogSettingsRequest& message);

}  // namespace supernova::protocol::grpc
