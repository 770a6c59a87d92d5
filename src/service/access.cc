#include "service/access.h"

namespace supernova::service {

std::string_view api_name(Api api) {
  switch (api) {
    case Api::kHealth:
      return "health";
    case Api::kMetadata:
      return "metadata";
    case Api::kInference:
      return "inference";
    case Api::kModelConfig:
      return "model-config";
    case Api::kModelRepository:
      return "model-repository";
    case Api::kStatistics:
      return "statistics";
    case Api::kSharedMemory:
      return "shared-memory";
    case Api::kTrace:
      return "trace";
    case Api::kLogging:
      return "logging";
    case Api::kMetrics:
      return "metrics";
  }
  return "unknown";
}

base::Status check_right(const Caller&, Api, std::string_view) { return {}; }

}  // namespace supernova::service
