#include "service/access_jwt.h"

#include <absl/strings/escaping.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/hmac.h>

#include "service/access_jwt_vectors.h"

namespace supernova::service {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace testing_tokens;

WallTime at(int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }
const WallTime kNow = at(1'750'000'000);

JwtIssuer issuer(JwtAlgorithm algorithm, std::string_view key) {
  JwtIssuer made;
  made.issuer = "https://login.example.org";
  made.audiences = {"other", "supernova"};
  made.key = JwtKey::read(algorithm, key).value();
  made.roles_claim = "realm_access.roles";
  return made;
}

std::string encode(std::string_view bytes) {
  std::string out = absl::WebSafeBase64Escape(absl::string_view(bytes.data(), bytes.size()));
  while (out.ends_with('=')) out.pop_back();
  return out;
}

// A token signed with HMAC under `key`.
std::string sign(std::string_view header, std::string_view payload, std::string_view key) {
  const std::string data = encode(header) + "." + encode(payload);
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(data.data()), data.size(), mac, &size);
  return data + "." + encode({reinterpret_cast<const char*>(mac), size});
}

constexpr std::string_view kHeader = R"({"alg":"HS256"})";

std::string claims(std::string_view more) {
  return base::str_cat(R"({"iss":"https://login.example.org","aud":"supernova","sub":"alice")",
                       more, "}");
}

bool taken(std::string_view header, std::string_view payload) {
  return verify_jwt(issuer(JwtAlgorithm::kHs256, kSecret), sign(header, payload, kSecret), kNow)
      .has_value();
}

TEST(JwtTest, TakesTokensOfAnotherImplementation) {
  const std::tuple<JwtAlgorithm, std::string_view, std::string_view> cases[] = {
      {JwtAlgorithm::kHs256, kSecret, kHs256},
      {JwtAlgorithm::kRs256, kRsaKey, kRs256},
      {JwtAlgorithm::kEs256, kEcKey, kEs256},
  };
  for (const auto& [algorithm, key, token] : cases) {
    const auto identity = verify_jwt(issuer(algorithm, key), token, kNow);
    ASSERT_TRUE(identity.has_value()) << token;
    EXPECT_EQ(identity->principal, "alice");
    EXPECT_THAT(identity->roles, ElementsAre("reader", "nobody"));
  }
}

TEST(JwtTest, EveryChangedCharacterIsNoticed) {
  const JwtIssuer rsa = issuer(JwtAlgorithm::kRs256, kRsaKey);
  const JwtIssuer ec = issuer(JwtAlgorithm::kEs256, kEcKey);
  for (const auto& [one, token] : {std::pair(&rsa, kRs256), std::pair(&ec, kEs256)}) {
    // The last character has bits that mean nothing.
    for (size_t i = 0; i + 1 < token.size(); i += 7) {
      std::string changed(token);
      changed[i] = changed[i] == 'A' ? 'B' : 'A';
      EXPECT_FALSE(verify_jwt(*one, changed, kNow)) << i;
    }
    EXPECT_FALSE(verify_jwt(*one, token.substr(0, token.size() - 4), kNow));
    EXPECT_FALSE(verify_jwt(*one, token.substr(0, token.rfind('.') + 1), kNow));
  }
  EXPECT_EQ(ERR_peek_error(), 0U) << "errors left for TLS to stumble over";
}

TEST(JwtTest, TheAlgorithmIsTheIssuersChoice) {
  const JwtIssuer rsa = issuer(JwtAlgorithm::kRs256, kRsaKey);
  const std::string payload = claims(R"(,"exp":1800000000)");
  // The public key taken for a secret.
  EXPECT_FALSE(verify_jwt(rsa, sign(kHeader, payload, kRsaKey), kNow));
  EXPECT_FALSE(verify_jwt(rsa, sign(R"({"alg":"RS256"})", payload, kRsaKey), kNow));
  for (const std::string_view none : {"none", "None", "NONE", "nOnE", ""}) {
    const std::string header = base::str_cat(R"({"alg":")", none, R"("})");
    EXPECT_FALSE(verify_jwt(rsa, encode(header) + "." + encode(payload) + ".", kNow));
    EXPECT_FALSE(verify_jwt(rsa, encode(header) + "." + encode(payload) + ".AA", kNow));
    EXPECT_FALSE(taken(header, payload));
  }
  EXPECT_FALSE(verify_jwt(rsa, kRs512, kNow));
  EXPECT_FALSE(verify_jwt(rsa, kEs256, kNow));
  EXPECT_FALSE(verify_jwt(rsa, kHs256, kNow));
  EXPECT_FALSE(verify_jwt(issuer(JwtAlgorithm::kEs256, kEcKey), kEs384, kNow));
  EXPECT_TRUE(taken(kHeader, payload));
  EXPECT_FALSE(taken(R"({"alg":"HS256","alg":"HS256"})", payload));
  EXPECT_FALSE(taken(R"({"alg":["HS256"]})", payload));
  EXPECT_FALSE(taken(R"({"typ":"JWT"})", payload));
  EXPECT_FALSE(taken(R"({"alg":"HS256","crit":["exp"]})", payload));
  EXPECT_FALSE(taken("[]", payload));
}

TEST(JwtTest, TimesAreChecked) {
  const JwtIssuer one = issuer(JwtAlgorithm::kHs256, kSecret);
  EXPECT_TRUE(verify_jwt(one, kHs256, at(1'800'000'059)));
  EXPECT_FALSE(verify_jwt(one, kHs256, at(1'800'000'060)));
  EXPECT_TRUE(verify_jwt(one, kHs256, at(1'699'999'940)));
  EXPECT_FALSE(verify_jwt(one, kHs256, at(1'699'999'939)));
  EXPECT_TRUE(taken(kHeader, claims(R"(,"exp":1750000000.5)")));
  EXPECT_FALSE(taken(kHeader, claims("")));
  EXPECT_FALSE(taken(kHeader, claims(R"(,"exp":"1800000000")")));
  EXPECT_FALSE(taken(kHeader, claims(R"(,"exp":null)")));
  EXPECT_FALSE(taken(kHeader, claims(R"(,"exp":1,"exp":1800000000)")));
  EXPECT_FALSE(taken(kHeader, claims(R"(,"exp":1800000000,"nbf":"x")")));
  EXPECT_FALSE(taken(kHeader, claims(R"(,"exp":-1)")));
}

TEST(JwtTest, IssuerAndAudienceAreChecked) {
  const auto with = [](std::string_view who) {
    return taken(kHeader, base::str_cat(R"({"sub":"alice","exp":1800000000,)", who, "}"));
  };
  EXPECT_TRUE(with(R"("iss":"https://login.example.org","aud":"supernova")"));
  EXPECT_TRUE(with(R"("iss":"https://login.example.org","aud":["x","supernova"])"));
  EXPECT_FALSE(with(R"("iss":"https://login.example.org","aud":["x",1])"));
  EXPECT_FALSE(with(R"("iss":"https://login.example.org","aud":[])"));
  EXPECT_FALSE(with(R"("iss":"https://login.example.org","aud":"supernova2")"));
  EXPECT_FALSE(with(R"("iss":"https://login.example.org")"));
  EXPECT_FALSE(with(R"("iss":"https://login.example.com","aud":"supernova")"));
  EXPECT_FALSE(with(R"("aud":"supernova")"));
  EXPECT_FALSE(with(R"("iss":"a","iss":"https://login.example.org","aud":"supernova")"));
}

TEST(JwtTest, NamesAndRolesAreReadFromTheirClaims) {
  JwtIssuer one = issuer(JwtAlgorithm::kHs256, kSecret);
  one.principal_claim = "https://example.org/user";
  one.roles_claim = "scope";
  const auto identity = [&](std::string_view more) {
    return verify_jwt(
        one, sign(kHeader, claims(base::str_cat(R"(,"exp":1800000000)", more)), kSecret), kNow);
  };
  const auto good = identity(R"(,"https://example.org/user":"bob","scope":" read  write")");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->principal, "bob");
  EXPECT_THAT(good->roles, ElementsAre("read", "write"));
  EXPECT_TRUE(identity(R"(,"https://example.org/user":"bob","scope":7)")->roles.empty());
  EXPECT_FALSE(identity(""));
  EXPECT_FALSE(identity(R"(,"https://example.org/user":"")"));
  EXPECT_FALSE(identity(R"(,"https://example.org/user":7)"));
  EXPECT_FALSE(identity(R"(,"https://example.org/user":"a\nb")"));
}

TEST(JwtTest, WhatHasNotTheFormIsNotDecoded) {
  const JwtIssuer one = issuer(JwtAlgorithm::kHs256, kSecret);
  const std::string huge = std::string(20'000, 'A') + ".A.A";
  for (const std::string& token :
       {std::string(), std::string("a"), std::string("a.b"), std::string(".."),
        std::string("a.b.c.d"), std::string("a.b.c="), std::string("a.b.c d"),
        std::string("a.\xff.c"), std::string("a.b\0.c", 6), huge}) {
    EXPECT_FALSE(looks_like_jwt(token)) << token.substr(0, 20);
    EXPECT_FALSE(verify_jwt(one, token, kNow));
  }
  EXPECT_TRUE(looks_like_jwt("a.b.c"));
  EXPECT_FALSE(verify_jwt(one, "a.b.c", kNow));
}

TEST(JwtKeyTest, RefusesWeakAndForeignKeys) {
  const std::tuple<JwtAlgorithm, std::string_view, const char*> cases[] = {
      {JwtAlgorithm::kHs256, "short", "fewer than 32 bytes"},
      {JwtAlgorithm::kHs256, kRsaKey, "PEM"},
      {JwtAlgorithm::kRs256, kWeakRsaKey, "2048"},
      {JwtAlgorithm::kRs256, kEcKey, "no RSA key"},
      {JwtAlgorithm::kRs256, kSecret, "no PEM public key"},
      {JwtAlgorithm::kRs256, "", "no PEM public key"},
      {JwtAlgorithm::kEs256, kRsaKey, "P-256"},
      {JwtAlgorithm::kEs256, kEc384Key, "P-256"},
      {JwtAlgorithm::kEs256, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
       "no PEM public key"},
  };
  for (const auto& [algorithm, content, problem] : cases) {
    const auto key = JwtKey::read(algorithm, content);
    ASSERT_FALSE(key.ok()) << content;
    EXPECT_THAT(std::string(base::message(key.status())), HasSubstr(problem));
  }
  EXPECT_EQ(ERR_peek_error(), 0U);
  EXPECT_FALSE(JwtKey().verifies("a", "b"));
}

TEST(JwtKeyTest, OneLineEndIsNoPartOfASecret) {
  const JwtIssuer one = issuer(JwtAlgorithm::kHs256, base::str_cat(kSecret, "\n"));
  EXPECT_TRUE(verify_jwt(one, kHs256, kNow));
}

}  // namespace
}  // namespace supernova::service
