// The AccessControl of a server: an access file that is read again when it changes, and restricted
// APIs. Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "service/access.h"

namespace supernova::service {

struct AccessOptions {
  std::string access_file;                      // --access-file; "" = no identity, all is allowed
  std::vector<std::string> http_restricted;     // every --http-restricted-api
  std::vector<std::string> grpc_restricted;     // every --grpc-restricted-protocol
  std::chrono::milliseconds check_every{1000};  // how often the files are looked at, on use
  std::function<std::chrono::system_clock::time_point()> now;  // null = the system's clock
};

// Null when the options ask for nothing: leave Service::set_access_control() alone then. A broken
// access file is an error here; later, the rules in force stay and the reason is logged once.
base::Result<std::unique_ptr<AccessControl>> make_access_control(AccessOptions options);

}  // namespace supernova::service
