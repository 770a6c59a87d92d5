// The `instance_group` section of a configuration: what is wished for before a model is placed, and
// what the configuration in use says afterwards. For the files of this folder only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/placement.h"
#include "model/config_resolve.h"

namespace supernova::model {

// The groups, as placement takes them. Refuses what no placement could mend. Pure.
base::Result<std::vector<engine::InstanceWish>> wished_instances(
    const inference::ModelConfig& proto, std::string_view model);

// Completes the groups: at least one, each with name, count and the kind of device that it is on.
base::Status resolve_instances(const ModelFacts& facts, inference::ModelConfig& proto,
                               std::vector<std::string>& warnings);

}  // namespace supernova::model
