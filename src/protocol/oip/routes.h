// The table of the Open Inference Protocol.
#pragma once

#include "protocol/oip/route.h"

namespace supernova::protocol::oip {

RouteTable routes();

// Members of a JSON object (openapi_schemas.cc).
extern const std::string_view kSchemas;

}  // namespace supernova::protocol::oip
