// What a request's target asks for. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace supernova::protocol::oip {

enum class Endpoint {
  kUnknown,
  kServerLive,
  kServerReady,
  kServerMetadata,
  kModelMetadata,
  kModelReady,
  kModelConfig,
  kModelInfer,
};

struct Route {
  Endpoint endpoint = Endpoint::kUnknown;
  std::string model;    // decoded
  std::string version;  // digits; "" = not said
};

// Paths match as a whole; a query is ignored. INVALID_ARGUMENT when the model's name is no name: a
// broken escape, control characters, '/', or bytes that are not UTF-8.
base::Result<Route> parse_route(std::string_view target);

}  // namespace supernova::protocol::oip
