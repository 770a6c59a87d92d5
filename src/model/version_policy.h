// Which of the versions found are served. Pure.
#pragma once

#include <cstdint>
#include <set>

#include "model_config.pb.h"

namespace supernova::model {

// The versions of `available` that the policy selects; without a choice, the highest.
std::set<int64_t> selected_versions(const inference::ModelVersionPolicy& policy,
                                    const std::set<int64_t>& available);

}  // namespace supernova::model
