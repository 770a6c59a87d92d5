// The report of a model's placement as JSON, for clients and for `supernova inspect`. Pure.
#pragma once

#include <string>

#include "service/service.h"

namespace supernova::protocol::oip {

std::string placement_json(const service::ModelPlacement& placement);

}  // namespace supernova::protocol::oip
