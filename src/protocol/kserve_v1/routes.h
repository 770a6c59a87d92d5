// KServe's protocol v1 beside the v2 one, on the same port.
#pragma once

#include "protocol/oip/route.h"

namespace supernova::protocol::kserve_v1 {

oip::RouteTable routes();

}  // namespace supernova::protocol::kserve_v1
