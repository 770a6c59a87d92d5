#include "service/access_restricted.h"

#include <openssl/crypto.h>

#include <algorithm>

namespace supernova::service {
namespace {

constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";

bool token_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kTokenMarks.find(c) != std::string_view::npos;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view flag_name(Transport transport) {
  return transport == Transport::kHttp ? "--http-restricted-api" : "--grpc-restricted-protocol";
}

// The value is a secret: no message repeats it.
base::Status malformed(Transport transport, std::string_view what) {
  return absl::InvalidArgumentError(
      base::str_cat(flag_name(transport), ": ", what,
                    "; expected <api>[,<api>]:<key>=<value>, with the APIs ", api_names()));
}

}  // namespace

base::Result<RestrictedApis> RestrictedApis::parse(Transport transport,
                                                   std::span<const std::string> groups) {
  RestrictedApis made;
  for (const std::string& group : groups) SN_TRY(made.add(transport, group));
  return made;
}

base::Status RestrictedApis::add(Transport transport, std::string_view group) {
  const size_t colon = group.find(':');
  if (colon == std::string_view::npos) return malformed(transport, "a group has no ':'");
  std::string_view apis = group.substr(0, colon);
  const std::string_view pair = group.substr(colon + 1);
  const size_t equals = pair.find('=');
  if (equals == std::string_view::npos) return malformed(transport, "a group has no '='");
  const std::string_view key = pair.substr(0, equals);
  const std::string_view value = pair.substr(equals + 1);
  if (key.empty() || !std::all_of(key.begin(), key.end(), token_character)) {
    return malformed(transport, base::str_cat("'", key, "' cannot be a header's name"));
  }
  const auto visible = [](char c) { return c >= ' ' && c <= '~'; };
  if (value.empty() || value.front() == ' ' || value.back() == ' ' ||
      !std::all_of(value.begin(), value.end(), visible)) {
    return malformed(transport, base::str_cat("the value for key '", key,
                                              "' is empty or cannot be a header's value"));
  }
  const std::string header =
      base::str_cat(transport == Transport::kGrpc ? "triton-grpc-protocol-" : "", key);
  for (bool more = true; more;) {
    const size_t comma = apis.find(',');
    const std::string_view name = apis.substr(0, comma);
    more = comma != std::string_view::npos;
    if (more) apis.remove_prefix(comma + 1);
    const auto api = api_from_name(name);
    if (!api) return malformed(transport, base::str_cat("unknown API '", name, "'"));
    Restriction& restriction = restrictions_[static_cast<size_t>(*api)];
    if (!restriction.header.empty()) {
      return malformed(transport, base::str_cat("API '", name, "' is restricted twice"));
    }
    restriction = {header, lower(header), std::string(value)};
  }
  return {};
}

bool RestrictedApis::empty() const {
  return std::all_of(restrictions_.begin(), restrictions_.end(),
                     [](const Restriction& one) { return one.header.empty(); });
}

base::Status RestrictedApis::check(Api api, const Credentials& credentials) const {
  const Restriction& restriction = restrictions_[static_cast<size_t>(api)];
  if (restriction.header.empty()) return {};
  const std::string* given = credentials.header ? credentials.header(restriction.lower) : nullptr;
  // The length of the secret shows in the time taken, its content does not.
  if (given != nullptr && given->size() == restriction.value.size() &&
      CRYPTO_memcmp(given->data(), restriction.value.data(), given->size()) == 0) {
    return {};
  }
  return absl::PermissionDeniedError(
      base::str_cat("This API is restricted, expecting header '", restriction.header, "'"));
}

}  // namespace supernova::service
