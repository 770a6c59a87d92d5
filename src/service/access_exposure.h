// Whether a listener may be opened to the network as it is configured. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

namespace supernova::service {

// Whether a numeric address is one that only this machine reaches: 127/8, ::1, and IPv4 loopback
// written as IPv6. False for what is no numeric address.
bool is_loopback(std::string_view address);

// OK when `host` is reached from this machine only, when both TLS and identity are on, or when the
// operator allows the rest. `addresses`: what the host name resolves to, numerically; may be empty
// where `host` is numeric (in brackets or not). An unresolved name counts as public.
// FAILED_PRECONDITION tells the three remedies.
base::Status check_exposure(std::string_view host, std::span<const std::string> addresses,
                            bool tls_on, bool access_on, bool allow_insecure);

}  // namespace supernova::service
