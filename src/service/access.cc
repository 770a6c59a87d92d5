#include "service/access.h"

#include <algorithm>
#include <array>

#include "service/access_grants.h"

namespace supernova::service {
namespace {

constexpr std::array<std::string_view, kApiCount> kApiNames{
    "health",     "metadata",      "inference", "model-config", "model-repository",
    "statistics", "shared-memory", "trace",     "logging",      "metrics"};

bool matches(std::string_view pattern, std::string_view model) {
  if (pattern.ends_with('*')) return model.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == model;
}

}  // namespace

std::string_view api_name(Api api) {
  const auto at = static_cast<size_t>(api);
  return at < kApiNames.size() ? kApiNames[at] : "unknown";
}

std::optional<Api> api_from_name(std::string_view name) {
  const auto* at = std::find(kApiNames.begin(), kApiNames.end(), name);
  if (at == kApiNames.end()) return std::nullopt;
  return static_cast<Api>(at - kApiNames.begin());
}

std::string api_names() { return base::str_join(kApiNames, ", "); }

bool Grants::allows(Api api, std::string_view model) const {
  const auto grants_it = [&](const Grant& grant) {
    if ((grant.apis & Grant::bit(api)) == 0) return false;
    return model.empty() ||
           std::any_of(grant.models.begin(), grant.models.end(),
                       [&](const std::string& pattern) { return matches(pattern, model); });
  };
  return std::any_of(own_.begin(), own_.end(), grants_it) ||
         std::any_of(included_.begin(), included_.end(),
                     [&](const auto& grants) { return grants->allows(api, model); });
}

base::Status check_right(const Caller& caller, Api api, std::string_view model) {
  if (caller.grants == nullptr || caller.grants->allows(api, model)) return {};
  const std::string target = model.empty() ? "" : base::str_cat(" on model '", model, "'");
  if (caller.name.empty()) {
    return absl::UnauthenticatedError(
        base::str_cat("credentials are needed to use the API '", api_name(api), "'", target,
                      ": send a bearer token, an API key in 'x-api-key', or a client certificate"));
  }
  return absl::PermissionDeniedError(base::str_cat("'", caller.name, "' may not use the API '",
                                                   api_name(api), "'", target,
                                                   "; the access file must grant it"));
}

bool may_see(const Caller& caller, Api api, std::string_view model) {
  return caller.grants == nullptr || caller.grants->allows(api, model);
}

}  // namespace supernova::service
