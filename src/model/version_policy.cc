#include "model/version_policy.h"

#include <algorithm>

namespace supernova::model {

using inference::ModelVersionPolicy;

base::Status check_version_policy(const ModelVersionPolicy& policy) {
  if (policy.has_latest() && policy.latest().num_versions() == 0) {
    return absl::InvalidArgumentError(
        "version_policy.latest.num_versions is 0; write how many versions to serve, at least 1");
  }
  if (!policy.has_specific()) return {};
  if (policy.specific().versions().empty()) {
    return absl::InvalidArgumentError(
        "version_policy.specific.versions is empty; list the versions to serve");
  }
  for (const int64_t version : policy.specific().versions()) {
    if (version >= 0) continue;
    return absl::InvalidArgumentError(base::str_cat("version_policy.specific.versions holds ",
                                                    version, "; versions are not negative"));
  }
  return {};
}

std::vector<int64_t> selected_versions(const ModelVersionPolicy& policy,
                                       std::span<const int64_t> available) {
  std::vector<int64_t> versions(available.begin(), available.end());
  std::sort(versions.begin(), versions.end());
  versions.erase(std::unique(versions.begin(), versions.end()), versions.end());
  switch (policy.policy_choice_case()) {
    case ModelVersionPolicy::kAll:
      return versions;
    case ModelVersionPolicy::kSpecific: {
      const auto& wanted = policy.specific().versions();
      std::erase_if(versions, [&](int64_t version) {
        return std::find(wanted.begin(), wanted.end(), version) == wanted.end();
      });
      return versions;
    }
    case ModelVersionPolicy::kLatest:
    case ModelVersionPolicy::POLICY_CHOICE_NOT_SET:
      break;
  }
  const size_t count = policy.has_latest() ? policy.latest().num_versions() : 1;
  if (versions.size() > count) {
    versions.erase(versions.begin(), versions.end() - static_cast<std::ptrdiff_t>(count));
  }
  return versions;
}

}  // namespace supernova::model
