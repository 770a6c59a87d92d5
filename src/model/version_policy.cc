#include "model/version_policy.h"

#include <algorithm>
#include <iterator>

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

std::set<int64_t> selected_versions(const ModelVersionPolicy& policy,
                                    const std::set<int64_t>& available) {
  if (policy.has_all()) return available;
  if (policy.has_specific()) {
    std::set<int64_t> selected;
    for (const int64_t version : policy.specific().versions()) {
      if (available.contains(version)) selected.insert(version);
    }
    return selected;
  }
  const size_t count = policy.has_latest() ? std::max(policy.latest().num_versions(), 1U) : 1U;
  auto first = available.end();
  std::advance(first, -static_cast<std::ptrdiff_t>(std::min(count, available.size())));
  return {first, available.end()};
}

}  // namespace supernova::model
