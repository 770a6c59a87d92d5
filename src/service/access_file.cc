#include "service/access_file.h"

#include <absl/time/time.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <set>

namespace supernova::service {
namespace {

namespace dom = simdjson::dom;

constexpr size_t kMaxName = 256;
constexpr int64_t kMaxLeewaySeconds = 3600;

base::Status wrong(std::string_view where, std::string_view what) {
  return absl::InvalidArgumentError(base::str_cat(where.empty() ? "the file" : where, " ", what));
}

std::string in(std::string_view where, std::string_view name) {
  return where.empty() ? std::string(name) : base::str_cat(where, ".", name);
}

std::string in(std::string_view where, size_t index) {
  return base::str_cat(where, "[", index, "]");
}

// An object whose members are all known and given once.
base::Result<dom::object> read_object(const dom::element& element, std::string_view where,
                                      std::initializer_list<std::string_view> known) {
  dom::object object;
  if (element.get(object)) return wrong(where, "must be an object");
  std::set<std::string_view> seen;
  for (const dom::key_value_pair field : object) {
    const std::string_view name = field.key;
    if (name != "comment" && std::find(known.begin(), known.end(), name) == known.end()) {
      return wrong(
          where, base::str_cat("has an unknown member '", name.substr(0, kMaxName), "'; known are ",
                               base::str_join(known, ", "), " and comment"));
    }
    if (!seen.insert(name).second) return wrong(in(where, name), "is given twice");
  }
  return object;
}

std::optional<dom::element> find(const dom::object& object, std::string_view name) {
  dom::element element;
  if (object.at_key(name).get(element)) return std::nullopt;
  return element;
}

base::Result<std::string> read_text(const dom::element& element, std::string_view where) {
  std::string_view text;
  if (element.get(text)) return wrong(where, "must be a string");
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte != 0x7f;
  });
  if (text.empty() || text.size() > kMaxName || !printable) {
    return wrong(where, "must be 1 to 256 bytes without control characters");
  }
  return std::string(text);
}

base::Result<std::string> need_text(const dom::object& object, std::string_view where,
                                    std::string_view name) {
  const auto element = find(object, name);
  if (!element) return wrong(where, base::str_cat("has no '", name, "'"));
  return read_text(*element, in(where, name));
}

// Calls `use(element, where)` for every element of the array `name`; none where it is absent.
template <typename Use>
base::Status for_each(const dom::object& object, std::string_view where, std::string_view name,
                      const Use& use) {
  const auto element = find(object, name);
  if (!element) return {};
  const std::string here = in(where, name);
  dom::array array;
  if (element->get(array)) return wrong(here, "must be an array");
  size_t index = 0;
  for (const dom::element one : array) SN_TRY(use(one, in(here, index++)));
  return {};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

base::Result<Sha256> read_hash(const dom::element& element, std::string_view where) {
  constexpr std::string_view kPrefix = "sha256:";
  std::string_view text;
  Sha256 hash{};
  bool good = !element.get(text) && text.starts_with(kPrefix) &&
              text.size() == kPrefix.size() + 2 * hash.size();
  for (size_t i = 0; good && i < hash.size(); ++i) {
    const int high = hex_digit(text[kPrefix.size() + 2 * i]);
    const int low = hex_digit(text[kPrefix.size() + 2 * i + 1]);
    good = high >= 0 && low >= 0;
    if (good) hash[i] = static_cast<unsigned char>(high * 16 + low);
  }
  if (!good) {
    return wrong(where,
                 "must be \"sha256:\" and 64 hexadecimal digits; the secret itself does not belong "
                 "in this file. Make the digits with: printf %s SECRET | sha256sum");
  }
  if (hash == sha256("")) return wrong(where, "is the hash of nothing");
  return hash;
}

base::Result<WallTime> read_time(const dom::element& element, std::string_view where) {
  std::string_view text;
  absl::Time time;
  std::string error;
  const bool good = !element.get(text) && text.size() >= 20 && text[0] >= '0' && text[0] <= '9' &&
                    absl::ParseTime(absl::RFC3339_full, absl::string_view(text.data(), text.size()),
                                    &time, &error);
  // The clock's own range ends in 2262.
  if (!good || time < absl::UnixEpoch() || time > absl::FromUnixSeconds(9'000'000'000)) {
    return wrong(where, "must be a time as of RFC 3339, such as \"2027-01-31T00:00:00Z\"");
  }
  return absl::ToChronoTime(time);
}

base::Result<Grant> read_grant(const dom::element& element, std::string_view where) {
  SN_ASSIGN(const dom::object object, read_object(element, where, {"apis", "models"}));
  for (const std::string_view name : {"apis", "models"}) {
    if (!find(object, name)) return wrong(where, base::str_cat("has no '", name, "'"));
  }
  Grant grant;
  const auto add_api = [&](const dom::element& one, const std::string& here) -> base::Status {
    SN_ASSIGN(const std::string name, read_text(one, here));
    const auto api = api_from_name(name);
    if (!api && name != "*") {
      return wrong(here, base::str_cat("is no API: '", name, "'; there are ", api_names(),
                                       " and * for all"));
    }
    grant.apis |= api ? Grant::bit(*api) : (uint32_t{1} << kApiCount) - 1;
    return {};
  };
  const auto add_model = [&](const dom::element& one, const std::string& here) -> base::Status {
    SN_ASSIGN(std::string pattern, read_text(one, here));
    if (pattern.find('*') < pattern.size() - 1) {
      return wrong(here, "may have a '*' at its end only");
    }
    grant.models.push_back(std::move(pattern));
    return {};
  };
  SN_TRY(for_each(object, where, "apis", add_api));
  SN_TRY(for_each(object, where, "models", add_model));
  return grant;
}

base::Result<std::vector<Grant>> read_grants(const dom::element& element, std::string_view where) {
  dom::array array;
  if (element.get(array)) return wrong(where, "must be an array of grants");
  std::vector<Grant> grants;
  for (const dom::element one : array) {
    SN_ASSIGN(Grant grant, read_grant(one, in(where, grants.size())));
    grants.push_back(std::move(grant));
  }
  return grants;
}

base::Result<JwtAlgorithm> read_algorithm(const dom::object& object, std::string_view where) {
  SN_ASSIGN(const std::string name, need_text(object, where, "algorithm"));
  if (name == "HS256") return JwtAlgorithm::kHs256;
  if (name == "RS256") return JwtAlgorithm::kRs256;
  if (name == "ES256") return JwtAlgorithm::kEs256;
  return wrong(in(where, "algorithm"), "must be HS256, RS256 or ES256");
}

base::Result<std::vector<std::string>> read_audiences(const dom::object& object,
                                                      std::string_view where) {
  const auto element = find(object, "audience");
  if (!element) {
    return wrong(where, "has no 'audience': a token made for another service would be taken");
  }
  std::vector<std::string> audiences;
  if (element->is_string()) {
    SN_ASSIGN(std::string one, read_text(*element, in(where, "audience")));
    audiences.push_back(std::move(one));
    return audiences;
  }
  SN_TRY(for_each(object, where, "audience",
                  [&](const dom::element& one, const std::string& here) -> base::Status {
                    SN_ASSIGN(std::string audience, read_text(one, here));
                    audiences.push_back(std::move(audience));
                    return {};
                  }));
  if (audiences.empty()) return wrong(in(where, "audience"), "is empty");
  return audiences;
}

}  // namespace

class AccessReader {
 public:
  explicit AccessReader(const KeyFileReader& read_key) : read_key_(read_key) {}

  base::Result<AccessRules> read(const dom::element& root) {
    SN_ASSIGN(const dom::object object,
              read_object(root, "", {"principals", "roles", "issuers", "anonymous"}));
    // Whether the server lives is asked by what starts it, which has no credentials.
    std::vector<Grant> anonymous{{Grant::bit(Api::kHealth), {}}};
    if (const auto given = find(object, "anonymous")) {
      SN_ASSIGN(anonymous, read_grants(*given, "anonymous"));
    }
    rules_.anonymous_ = std::make_shared<const Grants>(std::move(anonymous));
    SN_TRY(read_roles(object));
    const auto principal = [&](const dom::element& one, const std::string& where) {
      return read_principal(one, where);
    };
    const auto issuer = [&](const dom::element& one, const std::string& where) {
      return read_issuer(one, where);
    };
    SN_TRY(for_each(object, "", "principals", principal));
    SN_TRY(for_each(object, "", "issuers", issuer));
    SN_TRY(check_subjects());
    return std::move(rules_);
  }

 private:
  using GrantsPtr = AccessRules::GrantsPtr;

  base::Status read_roles(const dom::object& root) {
    const auto element = find(root, "roles");
    if (!element) return {};
    dom::object roles;
    if (element->get(roles)) return wrong("roles", "must be an object of role names and grants");
    for (const dom::key_value_pair role : roles) {
      const std::string where = in("roles", role.key);
      SN_ASSIGN(auto grants, read_grants(role.value, where));
      if (!rules_.roles_.emplace(role.key, std::make_shared<const Grants>(std::move(grants)))
               .second) {
        return wrong(where, "is given twice");
      }
    }
    return {};
  }

  // The members "roles" and "grants", on top of what everybody may.
  base::Result<GrantsPtr> read_rights(const dom::object& object, std::string_view where) {
    std::vector<GrantsPtr> included{rules_.anonymous_};
    SN_TRY(for_each(object, where, "roles",
                    [&](const dom::element& one, const std::string& here) -> base::Status {
                      SN_ASSIGN(const std::string name, read_text(one, here));
                      const auto at = rules_.roles_.find(name);
                      if (at == rules_.roles_.end()) {
                        return wrong(here, base::str_cat("is no role of this file: '", name, "'"));
                      }
                      included.push_back(at->second);
                      return {};
                    }));
    std::vector<Grant> own;
    if (const auto given = find(object, "grants")) {
      SN_ASSIGN(own, read_grants(*given, in(where, "grants")));
    }
    return std::make_shared<const Grants>(std::move(own), std::move(included));
  }

  base::Status read_principal(const dom::element& element, const std::string& where) {
    SN_ASSIGN(const dom::object object, read_object(element, where,
                                                    {"name", "tokens", "api_keys", "certificates",
                                                     "subjects", "roles", "grants"}));
    SN_ASSIGN(std::string name, need_text(object, where, "name"));
    SN_ASSIGN(GrantsPtr grants, read_rights(object, where));
    const size_t index = rules_.principals_.size();
    if (!rules_.by_name_.emplace(name, index).second) {
      return wrong(in(where, "name"), base::str_cat("'", name, "' is taken by another principal"));
    }
    rules_.principals_.push_back({std::move(name), std::move(grants)});
    const auto secret = [&](AccessRules::SecretKind kind) {
      return [this, kind, index](const dom::element& one, const std::string& here) {
        return read_secret(one, here, kind, index);
      };
    };
    SN_TRY(for_each(object, where, "tokens", secret(AccessRules::SecretKind::kToken)));
    SN_TRY(for_each(object, where, "api_keys", secret(AccessRules::SecretKind::kApiKey)));
    SN_TRY(for_each(object, where, "certificates",
                    [&](const dom::element& one, const std::string& here) -> base::Status {
                      SN_ASSIGN(std::string identity, read_text(one, here));
                      if (rules_.certificates_.emplace(std::move(identity), index).second)
                        return {};
                      return wrong(here, "is given twice in this file");
                    }));
    return for_each(object, where, "subjects",
                    [&](const dom::element& one, const std::string& here) {
                      return read_subject(one, here, index);
                    });
  }

  // "sha256:..." or {"hash": "sha256:...", "expires": "..."}
  base::Status read_secret(const dom::element& element, const std::string& where,
                           AccessRules::SecretKind kind, size_t principal) {
    AccessRules::Secret secret{kind, {}, principal, std::nullopt};
    if (element.is_object()) {
      SN_ASSIGN(const dom::object object, read_object(element, where, {"hash", "expires"}));
      const auto hash = find(object, "hash");
      if (!hash) return wrong(where, "has no 'hash'");
      SN_ASSIGN(secret.hash, read_hash(*hash, in(where, "hash")));
      if (const auto expires = find(object, "expires")) {
        SN_ASSIGN(secret.expires, read_time(*expires, in(where, "expires")));
      }
    } else {
      SN_ASSIGN(secret.hash, read_hash(element, where));
    }
    if (!hashes_.insert(secret.hash).second) return wrong(where, "is given twice in this file");
    uint64_t start = 0;
    std::memcpy(&start, secret.hash.data(), sizeof(start));
    rules_.secrets_.emplace(start, secret);
    return {};
  }

  base::Status read_subject(const dom::element& element, const std::string& where,
                            size_t principal) {
    SN_ASSIGN(const dom::object object, read_object(element, where, {"issuer", "subject"}));
    SN_ASSIGN(std::string issuer, need_text(object, where, "issuer"));
    SN_ASSIGN(std::string subject, need_text(object, where, "subject"));
    subject_places_.emplace_back(where, issuer);
    if (rules_.subjects_.emplace(std::pair(std::move(issuer), std::move(subject)), principal)
            .second) {
      return {};
    }
    return wrong(where, "is given twice in this file");
  }

  base::Status read_issuer(const dom::element& element, const std::string& where) {
    SN_ASSIGN(const dom::object object,
              read_object(element, where,
                          {"issuer", "audience", "algorithm", "key_file", "leeway_seconds",
                           "principal_claim", "roles_claim", "roles", "grants"}));
    AccessRules::Issuer issuer;
    SN_ASSIGN(issuer.jwt.issuer, need_text(object, where, "issuer"));
    SN_ASSIGN(issuer.jwt.audiences, read_audiences(object, where));
    SN_ASSIGN(const JwtAlgorithm algorithm, read_algorithm(object, where));
    SN_ASSIGN(const std::string path, need_text(object, where, "key_file"));
    if (const auto leeway = find(object, "leeway_seconds")) {
      int64_t seconds = 0;
      if (leeway->get(seconds) || seconds < 0 || seconds > kMaxLeewaySeconds) {
        return wrong(in(where, "leeway_seconds"), "must be a whole number from 0 to 3600");
      }
      issuer.jwt.leeway = std::chrono::seconds(seconds);
    }
    if (find(object, "principal_claim")) {
      SN_ASSIGN(issuer.jwt.principal_claim, need_text(object, where, "principal_claim"));
    }
    if (find(object, "roles_claim")) {
      SN_ASSIGN(issuer.jwt.roles_claim, need_text(object, where, "roles_claim"));
    }
    SN_ASSIGN(issuer.grants, read_rights(object, where));
    const std::string context = base::str_cat(in(where, "key_file"), " '", path, "'");
    auto content = read_key_(path);
    if (!content.ok()) return base::annotate(content.status(), context);
    auto key = JwtKey::read(algorithm, *content);
    if (!key.ok()) return wrong(context, base::message(key.status()));
    issuer.jwt.key = *std::move(key);
    rules_.issuers_.push_back(std::move(issuer));
    return {};
  }

  base::Status check_subjects() const {
    for (const auto& [where, name] : subject_places_) {
      const auto& wanted = name;
      if (std::none_of(rules_.issuers_.begin(), rules_.issuers_.end(),
                       [&](const auto& issuer) { return issuer.jwt.issuer == wanted; })) {
        return wrong(in(where, "issuer"),
                     base::str_cat("is none of the file's issuers: '", wanted, "'"));
      }
    }
    return {};
  }

  const KeyFileReader& read_key_;
  AccessRules rules_;
  std::set<Sha256> hashes_;
  std::vector<std::pair<std::string, std::string>> subject_places_;  // where, issuer
};

base::Result<AccessRules> parse_access(std::string_view text, const KeyFileReader& read_key) {
  dom::parser parser;
  dom::element root;
  if (const auto error = parser.parse(text.data(), text.size()).get(root)) {
    return wrong("", base::str_cat("is not valid JSON: ", simdjson::error_message(error)));
  }
  return AccessReader(read_key).read(root);
}

}  // namespace supernova::service
