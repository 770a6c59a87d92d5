// Access files and tokens: any bytes give rules or an error, and no bytes make up a caller who is
// known.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "service/access_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using supernova::base::Result;
  namespace service = supernova::service;
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  const auto now = std::chrono::system_clock::time_point(std::chrono::seconds(1'750'000'000));
  const auto secret = [](const std::string&) -> Result<std::string> {
    return std::string("0123456789abcdef0123456789abcdef");
  };
  const auto rules = service::parse_access(content, secret);
  if (rules.ok() &&
      rules->by_secret(service::AccessRules::SecretKind::kToken, "nobody's", now).has_value()) {
    std::abort();
  }
  static const auto issuer = service::parse_access(
      R"({"issuers": [{"issuer": "https://login.example.org", "audience": "supernova",
                       "algorithm": "HS256", "key_file": "any"}]})",
      [](const std::string&) -> Result<std::string> {
        return std::string("a secret that no seed is signed with");
      });
  if (!issuer.ok() || issuer->by_jwt(content, now).has_value()) std::abort();
  return 0;
}
