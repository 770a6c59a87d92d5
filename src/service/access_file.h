// The access file: who is known by what, and may do what (docs/howto/security.md). parse_access()
// turns its text into rules; AccessRules answers who somebody is. Rules are immutable; thread-safe.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/status.h"
#include "service/access.h"
#include "service/access_grants.h"
#include "service/access_jwt.h"

namespace supernova::service {

using Sha256 = std::array<unsigned char, 32>;
Sha256 sha256(std::string_view text);

class AccessRules {
 public:
  enum class SecretKind { kToken, kApiKey };

  // Nullopt for what is unknown or expired.
  std::optional<Caller> by_secret(SecretKind kind, std::string_view secret, WallTime now) const;
  std::optional<Caller> by_jwt(std::string_view token, WallTime now) const;
  std::optional<Caller> by_certificate(std::string_view identity) const;
  Caller anonymous() const { return {"", anonymous_}; }

 private:
  friend class AccessReader;
  using GrantsPtr = std::shared_ptr<const Grants>;
  struct Principal {
    std::string name;
    GrantsPtr grants;
  };
  struct Secret {
    SecretKind kind;
    Sha256 hash;
    size_t principal;
    std::optional<WallTime> expires;
  };
  struct Issuer {
    JwtIssuer jwt;
    GrantsPtr grants;  // of everybody it names
  };

  Caller caller(size_t principal) const;

  std::vector<Principal> principals_;
  std::map<std::string, size_t, std::less<>> by_name_;
  std::unordered_multimap<uint64_t, Secret> secrets_;  // by the first bytes of the hash
  std::map<std::string, size_t, std::less<>> certificates_;
  std::map<std::pair<std::string, std::string>, size_t> subjects_;  // issuer and name in its tokens
  std::map<std::string, GrantsPtr, std::less<>> roles_;
  std::vector<Issuer> issuers_;
  GrantsPtr anonymous_;
};

// The content of a key file that the access file names.
using KeyFileReader = std::function<base::Result<std::string>(const std::string& path)>;

// INVALID_ARGUMENT names the place ("principals[2].tokens[0].hash") and the remedy. No message
// repeats what could be a secret.
base::Result<AccessRules> parse_access(std::string_view text, const KeyFileReader& read_key);

}  // namespace supernova::service
