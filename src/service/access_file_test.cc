#include "service/access_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "service/access_jwt_vectors.h"

namespace supernova::service {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace testing_tokens;

// sha256 of "t0ken-of-ci" and "key-of-ci".
constexpr std::string_view kTokenHash =
    "sha256:5f1168d7cb12da67ce8f5f9873c9116c0e3fa3708d0f98d010dcd5ba2d228dbd";
constexpr std::string_view kKeyHash =
    "sha256:e9c893f01a06c7a7a151f3217c9f51b0992615a91e173540357ee7a77b934cbd";

WallTime at(int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }
const WallTime kNow = at(1'750'000'000);

base::Result<std::string> keys(const std::string& path) {
  if (path == "secret") return std::string(kSecret);
  if (path == "rsa.pem") return std::string(kRsaKey);
  return absl::InvalidArgumentError("cannot be read");
}

std::string refusal(std::string_view text) {
  const auto rules = parse_access(text, keys);
  return rules.ok() ? "taken" : std::string(base::message(rules.status()));
}

std::string principal(std::string_view members) {
  return base::str_cat(R"({"principals":[{"name":"ci",)", members, "}]}");
}

std::string full() {
  return base::str_cat(R"({
  "comment": "made for the tests",
  "roles": {"reader": [{"apis": ["metadata", "statistics"], "models": ["*"]}]},
  "principals": [
    {"name": "ci",
     "tokens": [{"hash": ")",
                       kTokenHash, R"(", "expires": "2025-06-15T17:06:41+02:00"}],
     "api_keys": [")",
                       kKeyHash, R"("],
     "certificates": ["spiffe://example.org/ci", "ci.example.org"],
     "subjects": [{"issuer": "https://login.example.org", "subject": "alice"}],
     "roles": ["reader"],
     "grants": [{"apis": ["inference"], "models": ["speech", "ocr-*"]}]},
    {"name": "bob"}],
  "issuers": [
    {"issuer": "https://login.example.org", "audience": "supernova", "algorithm": "HS256",
     "key_file": "secret", "leeway_seconds": 0, "roles_claim": "realm_access.roles",
     "grants": [{"apis": ["logging"], "models": []}]},
    {"issuer": "https://login.example.org", "audience": ["supernova"], "algorithm": "RS256",
     "key_file": "rsa.pem"}],
  "anonymous": [{"apis": ["health", "metadata"], "models": ["public-*"]}]
})");
}

bool may(const std::optional<Caller>& caller, Api api, std::string_view model) {
  return caller && check_right(*caller, api, model).ok();
}

TEST(AccessFileTest, ReadsWhoMayDoWhat) {
  const auto rules = parse_access(full(), keys);
  ASSERT_TRUE(rules.ok()) << rules.status();
  using Kind = AccessRules::SecretKind;
  const auto by_token = rules->by_secret(Kind::kToken, "t0ken-of-ci", kNow);
  const auto by_key = rules->by_secret(Kind::kApiKey, "key-of-ci", kNow);
  const auto by_certificate = rules->by_certificate("spiffe://example.org/ci");
  for (const auto& caller : {by_token, by_key, by_certificate}) {
    ASSERT_TRUE(caller.has_value());
    EXPECT_EQ(caller->name, "ci");
    EXPECT_TRUE(may(caller, Api::kInference, "ocr-large"));
    EXPECT_TRUE(may(caller, Api::kStatistics, "anything"));
    EXPECT_FALSE(may(caller, Api::kInference, "other"));
    EXPECT_FALSE(may(caller, Api::kModelRepository, ""));
  }
  // What everybody may, somebody known may too.
  EXPECT_TRUE(may(by_token, Api::kHealth, "public-1"));
  EXPECT_FALSE(may(by_token, Api::kHealth, "speech"));
  EXPECT_FALSE(rules->by_secret(Kind::kApiKey, "t0ken-of-ci", kNow));
  EXPECT_FALSE(rules->by_secret(Kind::kToken, "key-of-ci", kNow));
  EXPECT_FALSE(rules->by_secret(Kind::kToken, "t0ken-of-c", kNow));
  EXPECT_FALSE(rules->by_secret(Kind::kToken, "", kNow));
  EXPECT_FALSE(rules->by_certificate("spiffe://example.org/c"));
  EXPECT_TRUE(check_right(rules->anonymous(), Api::kMetadata, "public-1").ok());
  EXPECT_FALSE(check_right(rules->anonymous(), Api::kMetadata, "speech").ok());
}

TEST(AccessFileTest, ATokenEndsWhenTheFileSays) {
  const auto rules = parse_access(full(), keys);
  ASSERT_TRUE(rules.ok());
  using Kind = AccessRules::SecretKind;
  EXPECT_TRUE(rules->by_secret(Kind::kToken, "t0ken-of-ci", at(1'750'000'000)));
  EXPECT_FALSE(rules->by_secret(Kind::kToken, "t0ken-of-ci", at(1'750'000'001)));
  EXPECT_TRUE(rules->by_secret(Kind::kApiKey, "key-of-ci", at(9'000'000'000)));
}

TEST(AccessFileTest, SignedTokensLeadToPrincipalsAndRoles) {
  const auto rules = parse_access(full(), keys);
  ASSERT_TRUE(rules.ok());
  const auto alice = rules->by_jwt(kHs256, kNow);
  ASSERT_TRUE(alice.has_value());
  EXPECT_EQ(alice->name, "ci");  // whom the file knows by that subject
  EXPECT_TRUE(may(alice, Api::kInference, "speech"));
  EXPECT_TRUE(may(alice, Api::kLogging, ""));
  EXPECT_TRUE(may(alice, Api::kHealth, ""));
  EXPECT_TRUE(may(alice, Api::kStatistics, "x"));
  EXPECT_FALSE(may(alice, Api::kTrace, ""));
  EXPECT_TRUE(rules->by_jwt(kRs256, kNow).has_value());
  EXPECT_FALSE(rules->by_jwt(kEs256, kNow).has_value());
  EXPECT_FALSE(rules->by_jwt(kHs256, at(1'800'000'000)).has_value());
  EXPECT_FALSE(rules->by_jwt("t0ken-of-ci", kNow).has_value());
}

TEST(AccessFileTest, AnIssuerCannotMakeUpAPrincipal) {
  const auto rules = parse_access(
      R"({"principals": [{"name": "alice", "grants": [{"apis": ["*"], "models": ["*"]}]}],
          "issuers": [{"issuer": "https://login.example.org", "audience": "supernova",
                       "algorithm": "HS256", "key_file": "secret"}]})",
      keys);
  ASSERT_TRUE(rules.ok()) << rules.status();
  const auto alice = rules->by_jwt(kHs256, kNow);
  ASSERT_TRUE(alice.has_value());
  EXPECT_EQ(alice->name, "https://login.example.org#alice");
  EXPECT_FALSE(may(alice, Api::kInference, "m"));
}

TEST(AccessFileTest, AnEmptyFileLeavesHealthToEverybody) {
  const auto rules = parse_access("{}", keys);
  ASSERT_TRUE(rules.ok());
  EXPECT_TRUE(check_right(rules->anonymous(), Api::kHealth, "").ok());
  EXPECT_FALSE(check_right(rules->anonymous(), Api::kHealth, "m").ok());
  EXPECT_FALSE(check_right(rules->anonymous(), Api::kMetadata, "").ok());
  const auto closed = parse_access(R"({"anonymous": []})", keys);
  ASSERT_TRUE(closed.ok());
  EXPECT_FALSE(check_right(closed->anonymous(), Api::kHealth, "").ok());
}

TEST(AccessFileTest, TheExampleOfTheGuideIsTaken) {
  const char* root = std::getenv("SUPERNOVA_SOURCE_DIR");
  if (root == nullptr) GTEST_SKIP() << "SUPERNOVA_SOURCE_DIR is not set; ctest sets it";
  std::ifstream file(base::str_cat(root, "/docs/howto/security.md"));
  const std::string guide{std::istreambuf_iterator<char>(file), {}};
  const size_t start = guide.find("```json\n");
  ASSERT_NE(start, std::string::npos);
  const std::string example = guide.substr(start + 8, guide.find("```", start + 8) - start - 8);
  const auto rules = parse_access(example, [](const std::string&) { return std::string(kRsaKey); });
  ASSERT_TRUE(rules.ok()) << rules.status();
  const auto caller = rules->by_secret(AccessRules::SecretKind::kToken, "t0ken-of-ci", kNow);
  EXPECT_TRUE(may(caller, Api::kInference, "layout"));
  EXPECT_TRUE(may(caller, Api::kStatistics, "other"));
  EXPECT_FALSE(may(caller, Api::kInference, "other"));
  const auto alice = rules->by_jwt(kRs256, kNow);
  EXPECT_TRUE(may(alice, Api::kMetadata, "other"));
  EXPECT_FALSE(may(alice, Api::kInference, "other"));
}

TEST(AccessFileTest, SecretsDoNotBelongInTheFile) {
  for (const std::string_view secret :
       {"hunter2", "sha256:hunter2", "sha256:", "SHA256:5f", "md5:5f1168d7cb12da67"}) {
    const std::string told = refusal(principal(base::str_cat(R"("tokens":[")", secret, R"("])")));
    EXPECT_THAT(told, AllOf(HasSubstr("principals[0].tokens[0]"), HasSubstr("sha256sum"),
                            Not(HasSubstr("hunter2"))));
  }
  EXPECT_THAT(refusal(principal(R"("api_keys":[7])")), HasSubstr("principals[0].api_keys[0]"));
  // What `printf %s | sha256sum` gives when the secret is forgotten.
  EXPECT_THAT(
      refusal(principal(
          R"("tokens":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"])")),
      HasSubstr("hash of nothing"));
}

TEST(AccessFileTest, TellsWhereItIsWrong) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "not valid JSON"},
      {"{", "not valid JSON"},
      {"{} {}", "not valid JSON"},
      {"{\"principals\": [{\"name\": \"\xff\"}]}", "not valid JSON"},
      {"[]", "the file must be an object"},
      {R"({"users": []})", "unknown member 'users'"},
      {R"({"principals": {}})", "principals must be an array"},
      {R"({"principals": [7]})", "principals[0] must be an object"},
      {R"({"principals": [{}]})", "principals[0] has no 'name'"},
      {R"({"principals": [{"name": 7}]})", "principals[0].name must be a string"},
      {R"({"principals": [{"name": ""}]})", "principals[0].name must be 1 to 256"},
      {R"({"principals": [{"name": "a\nb"}]})", "principals[0].name must be 1 to 256"},
      {R"({"principals": [], "principals": []})", "principals is given twice"},
      {R"({"principals": [{"name": "a"}, {"name": "a"}]})", "'a' is taken"},
      {R"({"principals": [{"name": "a", "name": "b"}]})", "principals[0].name is given twice"},
      {principal(R"("grant":[])"), "unknown member 'grant'"},
      {principal(R"("roles":["x"])"), "principals[0].roles[0] is no role of this file: 'x'"},
      {principal(R"("grants":{})"), "principals[0].grants must be an array"},
      {principal(R"("grants":[{"apis":["health"]}])"), "grants[0] has no 'models'"},
      {principal(R"("grants":[{"models":["*"]}])"), "grants[0] has no 'apis'"},
      {principal(R"("grants":[{"apis":"*","models":["*"]}])"), "apis must be an array"},
      {principal(R"("grants":[{"apis":["infer"],"models":[]}])"), "is no API: 'infer'"},
      {principal(R"("grants":[{"apis":["*"],"models":["a*b"]}])"), "models[0] may have a '*'"},
      {principal(R"("grants":[{"apis":["*"],"models":[""]}])"), "models[0] must be 1 to 256"},
      {principal(R"("certificates":["a","a"])"), "certificates[1] is given twice"},
      {principal(R"("subjects":[{"issuer":"x","subject":"y"}])"), "none of the file's issuers"},
      {principal(base::str_cat(R"("tokens":[{"expires":"2027-01-01T00:00:00Z"}])")), "no 'hash'"},
      {principal(
           base::str_cat(R"("tokens":[")", kTokenHash, R"("],"api_keys":[")", kTokenHash, R"("])")),
       "api_keys[0] is given twice"},
      {R"({"roles": []})", "roles must be an object"},
      {R"({"roles": {"a": [], "a": []}})", "roles.a is given twice"},
      {R"({"anonymous": true})", "anonymous must be an array"},
      {R"({"issuers": [{"issuer": "x"}]})", "no 'audience'"},
      {R"({"issuers": [{"issuer": "x", "audience": []}]})", "audience is empty"},
      {R"({"issuers": [{"issuer": "x", "audience": "y", "algorithm": "none"}]})",
       "algorithm must be HS256, RS256 or ES256"},
      {R"({"issuers": [{"issuer": "x", "audience": "y", "algorithm": "HS256",
                        "key_file": "gone"}]})",
       "issuers[0].key_file 'gone': cannot be read"},
      {R"({"issuers": [{"issuer": "x", "audience": "y", "algorithm": "ES256",
                        "key_file": "rsa.pem"}]})",
       "issuers[0].key_file 'rsa.pem' holds no key of the curve P-256"},
      {R"({"issuers": [{"issuer": "x", "audience": "y", "algorithm": "HS256",
                        "key_file": "secret", "leeway_seconds": -1}]})",
       "leeway_seconds must be"},
  };
  for (const auto& [text, problem] : cases) EXPECT_THAT(refusal(text), HasSubstr(problem)) << text;
}

TEST(AccessFileTest, TimesAreThoseOfRfc3339) {
  const auto with = [](std::string_view time) {
    return refusal(principal(
        base::str_cat(R"("tokens":[{"hash":")", kTokenHash, R"(","expires":)", time, "}]")));
  };
  for (const char* good : {R"("2027-01-31T00:00:00Z")", R"("2027-01-31T00:00:00.25+05:30")"}) {
    EXPECT_EQ(with(good), "taken") << good;
  }
  for (const char* bad :
       {R"("2027-01-31")", R"("2027-02-30T00:00:00Z")", R"("2027-01-31T00:00:00")", "1800000000",
        R"("tomorrow")", R"("infinite-future")", R"("99999-01-01T00:00:00Z")", R"("")", "null"}) {
    EXPECT_THAT(with(bad), HasSubstr("tokens[0].expires must be a time")) << bad;
  }
}

TEST(AccessFileTest, EveryPrefixIsRefusedAndNothingDeepHurts) {
  const std::string text = full();
  const size_t end = text.rfind('}');
  for (size_t size = 0; size <= end; ++size) {
    EXPECT_NE(refusal(text.substr(0, size)), "taken") << size;
  }
  EXPECT_THAT(refusal(std::string(100'000, '[')), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal(base::str_cat(R"({"principals":)", std::string(500, '['),
                                    std::string(500, ']'), "}")),
              HasSubstr("principals[0] must be an object"));
}

TEST(AccessFileTest, ManyPrincipalsAreFound) {
  std::string text = R"({"principals":[)";
  for (int i = 0; i < 20'000; ++i) {
    const Sha256 hash = sha256(base::str_cat("token ", i));
    text += base::str_cat(i == 0 ? "" : ",", R"({"name":"p)", i, R"(","tokens":["sha256:)");
    for (const unsigned char byte : hash) {
      text += "0123456789abcdef"[byte >> 4];
      text += "0123456789ABCDEF"[byte & 15];
    }
    text += R"("]})";
  }
  text += "]}";
  const auto rules = parse_access(text, keys);
  ASSERT_TRUE(rules.ok()) << rules.status();
  const auto found = rules->by_secret(AccessRules::SecretKind::kToken, "token 19999", kNow);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->name, "p19999");
}

}  // namespace
}  // namespace supernova::service
