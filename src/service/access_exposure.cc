#include "service/access_exposure.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

namespace supernova::service {
namespace {

std::string_view without_brackets(std::string_view host) {
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    return host.substr(1, host.size() - 2);
  }
  return host;
}

bool numeric(std::string_view host) {
  const std::string text(without_brackets(host));
  in6_addr address{};
  return inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, text.substr(0, text.find('%')).c_str(), &address) == 1;
}

}  // namespace

bool is_loopback(std::string_view address) {
  const std::string text(without_brackets(address));
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return false;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return v6.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&v6);
}

base::Status check_exposure(std::string_view host, std::span<const std::string> addresses,
                            bool tls_on, bool access_on, bool allow_insecure) {
  if (allow_insecure || (tls_on && access_on)) return {};
  const bool local =
      numeric(host)
          ? is_loopback(host)
          : !addresses.empty() && std::all_of(addresses.begin(), addresses.end(), is_loopback);
  if (local) return {};
  const std::string_view lacking = tls_on      ? "no access file says who may do what"
                                   : access_on ? "there is no TLS"
                                               : "there is no TLS and no access file";
  return absl::FailedPreconditionError(
      base::str_cat("'", host, "' can be reached from other machines, and ", lacking,
                    ". Listen on 127.0.0.1 or ::1; or turn on TLS and give --access-file; or say "
                    "--allow-insecure where the network itself is trusted"));
}

}  // namespace supernova::service
