#include "service/access_jwt.h"

#include <absl/strings/escaping.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>

namespace supernova::service {
namespace {

namespace dom = simdjson::dom;

constexpr size_t kMaxToken = 16384;
constexpr size_t kMaxName = 256;
constexpr size_t kMinSecret = 32;  // RFC 7518, 3.2
constexpr int kMinRsaBits = 2048;  // RFC 7518, 3.3
constexpr size_t kCoordinate = 32;

template <auto release>
struct Release {
  template <typename T>
  void operator()(T* object) const {
    release(object);
  }
};

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Failed calls leave errors in the thread's queue, where TLS would find them.
struct ClearErrors {
  ClearErrors() = default;
  ClearErrors(const ClearErrors&) = delete;
  ClearErrors& operator=(const ClearErrors&) = delete;
  ~ClearErrors() { ERR_clear_error(); }
};

bool url_safe(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

// `text` holds url_safe() characters only.
std::optional<std::string> decode(std::string_view text) {
  std::string out;
  if (!absl::WebSafeBase64Unescape(absl::string_view(text.data(), text.size()), &out)) {
    return std::nullopt;
  }
  return out;
}

struct Parts {
  std::string_view header;
  std::string_view payload;
  std::string_view signature;
  std::string_view signed_data;  // header.payload
};

std::optional<Parts> split(std::string_view token) {
  if (token.size() > kMaxToken) return std::nullopt;
  const size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const Parts parts{token.substr(0, first), token.substr(first + 1, second - first - 1),
                    token.substr(second + 1), token.substr(0, second)};
  for (const std::string_view part : {parts.header, parts.payload, parts.signature}) {
    if (part.empty() || !std::all_of(part.begin(), part.end(), url_safe)) return std::nullopt;
  }
  return parts;
}

std::string_view algorithm_name(JwtAlgorithm algorithm) {
  switch (algorithm) {
    case JwtAlgorithm::kHs256:
      return "HS256";
    case JwtAlgorithm::kRs256:
      return "RS256";
    case JwtAlgorithm::kEs256:
      return "ES256";
  }
  return "";
}

// The value of a member that is there once; a name given twice is read differently by different
// readers, so it counts as absent.
std::optional<dom::element> member(const dom::object& object, std::string_view name) {
  std::optional<dom::element> found;
  for (const dom::key_value_pair field : object) {
    if (field.key != name) continue;
    if (found) return std::nullopt;
    found = field.value;
  }
  return found;
}

bool present(const dom::object& object, std::string_view name) {
  return !object.at_key(name).error();
}

std::optional<std::string_view> text(const std::optional<dom::element>& element) {
  std::string_view value;
  if (!element || element->get(value)) return std::nullopt;
  return value;
}

// A claim by its name or, where no claim is called so, by its path ("realm_access.roles").
std::optional<dom::element> claim(const dom::object& claims, std::string_view path) {
  if (present(claims, path)) return member(claims, path);
  const size_t dot = path.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto outer = member(claims, path.substr(0, dot));
  dom::object inner;
  if (!outer || outer->get(inner)) return std::nullopt;
  return claim(inner, path.substr(dot + 1));
}

bool header_fits(const Parts& parts, JwtAlgorithm algorithm) {
  const auto json = decode(parts.header);
  if (!json) return false;
  dom::parser parser;
  dom::object header;
  if (parser.parse(*json).get(header)) return false;
  // No extension is known here, and a critical one must not be passed over (RFC 7515, 4.1.11).
  return text(member(header, "alg")) == algorithm_name(algorithm) && !present(header, "crit");
}

bool audience_fits(const dom::object& claims, const std::vector<std::string>& audiences) {
  const auto ours = [&](std::string_view one) {
    return std::find(audiences.begin(), audiences.end(), one) != audiences.end();
  };
  const auto given = member(claims, "aud");
  if (const auto one = text(given)) return ours(*one);
  dom::array all;
  if (!given || given->get(all)) return false;
  return std::any_of(all.begin(), all.end(), [&](const dom::element& element) {
    std::string_view one;
    return !element.get(one) && ours(one);
  });
}

enum class Time { kAbsent, kWrong, kGiven };

Time seconds(const dom::object& claims, std::string_view name, double& value) {
  if (!present(claims, name)) return Time::kAbsent;
  const auto given = member(claims, name);
  if (!given || given->get(value) || !std::isfinite(value)) return Time::kWrong;
  return Time::kGiven;
}

bool valid_at(const dom::object& claims, WallTime now, std::chrono::seconds leeway) {
  const double at = std::chrono::duration<double>(now.time_since_epoch()).count();
  const auto slack = static_cast<double>(leeway.count());
  double expires = 0;
  double not_before = 0;
  // A token that never ends cannot be taken back: exp is a must.
  if (seconds(claims, "exp", expires) != Time::kGiven || at >= expires + slack) return false;
  const Time begins = seconds(claims, "nbf", not_before);
  return begins == Time::kAbsent || (begins == Time::kGiven && at >= not_before - slack);
}

std::vector<std::string> roles_of(const dom::object& claims, const std::string& path) {
  std::vector<std::string> roles;
  if (path.empty()) return roles;
  const auto given = claim(claims, path);
  if (auto list = text(given)) {  // "read write", as OAuth's scope
    while (!list->empty()) {
      const size_t space = list->find(' ');
      if (space != 0) roles.emplace_back(list->substr(0, space));
      list->remove_prefix(space == std::string_view::npos ? list->size() : space + 1);
    }
    return roles;
  }
  dom::array all;
  if (!given || given->get(all)) return roles;
  for (const dom::element element : all) {
    std::string_view role;
    if (!element.get(role)) roles.emplace_back(role);
  }
  return roles;
}

bool good_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName &&
         std::all_of(name.begin(), name.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte >= 0x20 && byte != 0x7f;
         });
}

// ES256 signatures are two numbers side by side; OpenSSL wants them in DER.
std::optional<std::string> der_signature(std::string_view raw) {
  if (raw.size() != 2 * kCoordinate) return std::nullopt;
  BIGNUM* r = BN_bin2bn(bytes(raw), kCoordinate, nullptr);
  BIGNUM* s = BN_bin2bn(bytes(raw) + kCoordinate, kCoordinate, nullptr);
  const std::unique_ptr<ECDSA_SIG, Release<ECDSA_SIG_free>> pair(ECDSA_SIG_new());
  if (r == nullptr || s == nullptr || pair == nullptr || ECDSA_SIG_set0(pair.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return std::nullopt;
  }
  const int size = i2d_ECDSA_SIG(pair.get(), nullptr);
  if (size <= 0) return std::nullopt;
  std::string der(static_cast<size_t>(size), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  if (i2d_ECDSA_SIG(pair.get(), &out) != size) return std::nullopt;
  return der;
}

base::Status check_public_key(JwtAlgorithm algorithm, const EVP_PKEY& key) {
  if (algorithm == JwtAlgorithm::kRs256) {
    if (EVP_PKEY_is_a(&key, "RSA") != 1) {
      return absl::InvalidArgumentError("holds no RSA key, which RS256 needs");
    }
    if (EVP_PKEY_get_bits(&key) < kMinRsaBits) {
      return absl::InvalidArgumentError("holds an RSA key of fewer than 2048 bits");
    }
    return {};
  }
  char curve[64] = {};
  size_t size = 0;
  if (EVP_PKEY_is_a(&key, "EC") != 1 ||
      EVP_PKEY_get_group_name(&key, curve, sizeof(curve), &size) != 1 ||
      std::string_view(curve) != "prime256v1") {
    return absl::InvalidArgumentError("holds no key of the curve P-256, which ES256 needs");
  }
  return {};
}

bool hmac_fits(const std::string& secret, std::string_view data, std::string_view signature) {
  unsigned char computed[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  return HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes(data),
              data.size(), computed, &size) != nullptr &&
         signature.size() == size && CRYPTO_memcmp(computed, signature.data(), size) == 0;
}

}  // namespace

base::Result<JwtKey> JwtKey::read(JwtAlgorithm algorithm, std::string_view content) {
  const ClearErrors clear;
  JwtKey key;
  key.algorithm_ = algorithm;
  if (algorithm == JwtAlgorithm::kHs256) {
    if (content.ends_with('\n')) content.remove_suffix(1);
    if (content.ends_with('\r')) content.remove_suffix(1);
    if (content.size() < kMinSecret) {
      return absl::InvalidArgumentError(
          "holds a secret of fewer than 32 bytes; make one with: openssl rand -hex 32");
    }
    if (content.starts_with("-----BEGIN ")) {
      return absl::InvalidArgumentError("holds a PEM key; HS256 needs a secret, RS256 a key");
    }
    key.secret_ = content;
    return key;
  }
  const std::unique_ptr<BIO, Release<BIO_free>> in(
      BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
  // The empty password: OpenSSL would ask the terminal for one.
  char password[] = "";
  EVP_PKEY* read =
      in == nullptr ? nullptr : PEM_read_bio_PUBKEY(in.get(), nullptr, nullptr, password);
  if (read == nullptr) {
    return absl::InvalidArgumentError(
        "holds no PEM public key (-----BEGIN PUBLIC KEY-----); make one of a private key with: "
        "openssl pkey -in PRIVATE -pubout");
  }
  key.public_key_ = std::shared_ptr<EVP_PKEY>(read, EVP_PKEY_free);
  SN_TRY(check_public_key(algorithm, *read));
  return key;
}

bool JwtKey::verifies(std::string_view data, std::string_view signature) const {
  if (algorithm_ == JwtAlgorithm::kHs256) {
    return secret_.size() >= kMinSecret && hmac_fits(secret_, data, signature);
  }
  if (public_key_ == nullptr) return false;
  const ClearErrors clear;
  std::optional<std::string> form{std::string(signature)};
  if (algorithm_ == JwtAlgorithm::kEs256) form = der_signature(signature);
  const std::unique_ptr<EVP_MD_CTX, Release<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  return form && context != nullptr &&
         EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, public_key_.get()) ==
             1 &&
         EVP_DigestVerify(context.get(), bytes(*form), form->size(), bytes(data), data.size()) == 1;
}

bool looks_like_jwt(std::string_view token) { return split(token).has_value(); }

std::optional<JwtIdentity> verify_jwt(const JwtIssuer& issuer, std::string_view token,
                                      WallTime now) {
  const auto parts = split(token);
  if (!parts || !header_fits(*parts, issuer.key.algorithm())) return std::nullopt;
  const auto signature = decode(parts->signature);
  if (!signature || !issuer.key.verifies(parts->signed_data, *signature)) return std::nullopt;
  const auto json = decode(parts->payload);
  if (!json) return std::nullopt;
  dom::parser parser;
  dom::object claims;
  if (parser.parse(*json).get(claims)) return std::nullopt;
  if (text(member(claims, "iss")) != std::string_view(issuer.issuer) ||
      !audience_fits(claims, issuer.audiences) || !valid_at(claims, now, issuer.leeway)) {
    return std::nullopt;
  }
  const auto name = text(claim(claims, issuer.principal_claim));
  if (!name || !good_name(*name)) return std::nullopt;
  return JwtIdentity{std::string(*name), roles_of(claims, issuer.roles_claim)};
}

}  // namespace supernova::service
