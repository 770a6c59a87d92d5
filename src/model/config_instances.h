// The `instance_group` section of a configuration. For the files of this folder only.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "model/config_resolve.h"

namespace supernova::model {

// Completes the groups: at least one, each with name, count and a kind that this machine has.
base::Status resolve_instances(const ModelFacts& facts, inference::ModelConfig& proto,
                               std::vector<std::string>& warnings);

}  // namespace supernova::model
