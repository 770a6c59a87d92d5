#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <cstring>

#include "service/access_file.h"

namespace supernova::service {

Sha256 sha256(std::string_view text) {
  Sha256 hash;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
  return hash;
}

Caller AccessRules::caller(size_t principal) const {
  return {principals_[principal].name, principals_[principal].grants};
}

std::optional<Caller> AccessRules::by_secret(SecretKind kind, std::string_view secret,
                                             WallTime now) const {
  const Sha256 hash = sha256(secret);
  uint64_t start = 0;
  std::memcpy(&start, hash.data(), sizeof(start));
  const auto [from, to] = secrets_.equal_range(start);
  for (auto at = from; at != to; ++at) {
    const Secret& known = at->second;
    if (CRYPTO_memcmp(known.hash.data(), hash.data(), hash.size()) != 0) continue;
    if (known.kind != kind || (known.expires && now >= *known.expires)) return std::nullopt;
    return caller(known.principal);
  }
  return std::nullopt;
}

std::optional<Caller> AccessRules::by_jwt(std::string_view token, WallTime now) const {
  if (issuers_.empty() || !looks_like_jwt(token)) return std::nullopt;
  for (const Issuer& issuer : issuers_) {
    auto identity = verify_jwt(issuer.jwt, token, now);
    if (!identity) continue;
    std::vector<GrantsPtr> included{issuer.grants};
    for (const std::string& role : identity->roles) {
      if (const auto at = roles_.find(role); at != roles_.end()) included.push_back(at->second);
    }
    const auto known = subjects_.find({issuer.jwt.issuer, identity->principal});
    if (known != subjects_.end()) {
      included.push_back(principals_[known->second].grants);
      identity->principal = principals_[known->second].name;
    } else if (by_name_.contains(identity->principal)) {
      // An issuer must not be able to make up somebody this file knows.
      identity->principal = base::str_cat(issuer.jwt.issuer, "#", identity->principal);
    }
    return Caller{std::move(identity->principal),
                  std::make_shared<const Grants>(std::vector<Grant>{}, std::move(included))};
  }
  return std::nullopt;
}

std::optional<Caller> AccessRules::by_certificate(std::string_view identity) const {
  const auto at = certificates_.find(identity);
  if (at == certificates_.end()) return std::nullopt;
  return caller(at->second);
}

}  // namespace supernova::service
