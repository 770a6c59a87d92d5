// The OpenAPI 3.1 description of everything that a router serves. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "protocol/oip/route.h"

namespace supernova::protocol::oip {

// `tables` are those of the router; `version` is the server's.
std::string openapi_json(const Router& router, std::span<const RouteTable> tables,
                         std::string_view version);

}  // namespace supernova::protocol::oip
