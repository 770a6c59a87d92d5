// Addresses of the network as text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/text.h"

namespace supernova::base {

// "127.0.0.1:8001", "[::1]:8001".
inline std::string host_and_port(std::string_view host, uint16_t port) {
  const bool is_bare_ipv6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
  return is_bare_ipv6 ? str_cat("[", host, "]:", port) : str_cat(host, ":", port);
}

}  // namespace supernova::base
