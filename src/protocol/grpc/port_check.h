// Asks the system whether an address can be listened on, because gRPC itself only says that it
// can't.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace supernova::protocol::grpc {

// OK when host and port can be bound now. UNAVAILABLE when the port is in use, PERMISSION_DENIED
// when this user may not have it, INVALID_ARGUMENT when the host is not an address of this machine.
base::Status check_port(const std::string& host, uint16_t port);
base::Status port_in_use(const std::string& host, uint16_t port);

}  // namespace supernova::protocol::grpc
