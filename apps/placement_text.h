// The report of a model's placement for people.
#pragma once

#include <string>

#include "service/service.h"

namespace supernova::apps {

std::string placement_text(const service::ModelPlacement& placement);

}  // namespace supernova::apps
