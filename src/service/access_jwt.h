// JSON Web Tokens of an issuer that the operator trusts (RFC 7519, RFC 8725). Signatures are
// OpenSSL's. The algorithm is the issuer's, never the token's choice: "none" and a public key taken
// for a secret are impossible. Immutable; thread-safe.
#pragma once

#include <openssl/evp.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace supernova::service {

using WallTime = std::chrono::system_clock::time_point;

enum class JwtAlgorithm { kHs256, kRs256, kEs256 };

class JwtKey {
 public:
  // HS256: `content` is the secret, without one line end at its end. RS256, ES256: a PEM public
  // key. INVALID_ARGUMENT for keys that are too weak or of another kind.
  static base::Result<JwtKey> read(JwtAlgorithm algorithm, std::string_view content);

  JwtAlgorithm algorithm() const { return algorithm_; }
  bool verifies(std::string_view data, std::string_view signature) const;

 private:
  JwtAlgorithm algorithm_ = JwtAlgorithm::kHs256;
  std::string secret_;
  std::shared_ptr<EVP_PKEY> public_key_;
};

struct JwtIssuer {
  std::string issuer;
  std::vector<std::string> audiences;  // one of them must be in the token
  JwtKey key;
  std::chrono::seconds leeway{60};  // between the clocks
  std::string principal_claim = "sub";
  std::string roles_claim;  // "" = none; a claim's name, or a path with dots
};

struct JwtIdentity {
  std::string principal;
  std::vector<std::string> roles;
};

// Whether `token` has the form of one; what has not is never decoded.
bool looks_like_jwt(std::string_view token);

// What the token says, when the issuer signed it, for us, and it is valid at `now`.
std::optional<JwtIdentity> verify_jwt(const JwtIssuer& issuer, std::string_view token,
                                      WallTime now);

}  // namespace supernova::service
