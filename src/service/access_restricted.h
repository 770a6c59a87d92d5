// APIs that want a header of a certain value, as Triton restricts them. Immutable; thread-safe.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "service/access.h"

namespace supernova::service {

class RestrictedApis {
 public:
  RestrictedApis() = default;  // restricts nothing

  // Values of --http-restricted-api (kHttp) or --grpc-restricted-protocol (kGrpc), one group each:
  // "<api>[,<api>]:<key>=<value>". The header is <key>, over gRPC "triton-grpc-protocol-<key>".
  static base::Result<RestrictedApis> parse(Transport transport,
                                            std::span<const std::string> groups);

  bool empty() const;
  base::Status check(Api api, const Credentials& credentials) const;

 private:
  struct Restriction {
    std::string header;  // as the message names it; "" = not restricted
    std::string lower;
    std::string value;
  };

  base::Status add(Transport transport, std::string_view group);

  std::array<Restriction, kApiCount> restrictions_;
};

}  // namespace supernova::service
