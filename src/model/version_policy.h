// Which versions of a model are served, of those that are there. Pure functions.
#pragma once

#include <cstdint>
#include <set>

#include "base/status.h"
#include "model_config.pb.h"

namespace supernova::model {

// INVALID_ARGUMENT for a policy that can select nothing. No policy is "the latest one".
base::Status check_version_policy(const inference::ModelVersionPolicy& policy);

// The versions of `available` that the policy selects. Specific versions that are not there are
// left out.
std::set<int64_t> selected_versions(const inference::ModelVersionPolicy& policy,
                                    const std::set<int64_t>& available);

}  // namespace supernova::model
