#include "model/model_plan.h"

#include <functional>
#include <set>

#include "model/version_policy.h"

namespace supernova::model {
namespace {

constexpr std::string_view kLabelPrefix = "version_label.";

// default_model_filename: one name inside the version's folder.
base::Status check_file_name(const std::string& name) {
  if (name.find('/') == std::string::npos && name != "." && name != "..") return {};
  return absl::InvalidArgumentError(base::str_cat(
      "default_model_filename '", name, "' must be a plain name inside the version's folder"));
}

std::string model_path(const SeenModel& seen, const SeenVersion& version, const std::string& file) {
  if (seen.folder.empty()) return version.path;  // a bare file is the model itself
  if (!file.empty()) return version.path + "/" + file;
  return version.inner.empty() ? version.path : version.path + "/" + version.inner;
}

base::Status read_labels(const ModelPlan& plan, const std::set<int64_t>& available,
                         std::map<std::string, int64_t, std::less<>>& labels) {
  for (const auto& [key, value] : plan.config->parameters()) {
    if (!key.starts_with(kLabelPrefix)) continue;
    const std::string label = key.substr(kLabelPrefix.size());
    int64_t version = 0;
    if (label.empty() || !base::parse_whole(value.string_value(), version)) {
      return absl::InvalidArgumentError(
          base::str_cat("parameter '", key, "' must be version_label.NAME with a version's number ",
                        "as string_value, not '", value.string_value(), "'"));
    }
    if (!available.contains(version)) {
      return absl::InvalidArgumentError(
          base::str_cat("parameter '", key, "' names version ", version, ", which is not there"));
    }
    labels[label] = version;
  }
  return {};
}

// Versions that the policy names and that aren't there.
void warn_of_missing(const inference::ModelVersionPolicy& policy,
                     const std::set<int64_t>& available, std::vector<std::string>& warnings) {
  for (const int64_t version : policy.specific().versions()) {
    if (!available.contains(version)) {
      warnings.push_back(
          base::str_cat("version_policy names version ", version, ", which is not there"));
    }
  }
}

}  // namespace

base::Result<std::optional<ParsedConfig>> read_config(const SeenModel& seen,
                                                      std::string_view override_json) {
  if (!override_json.empty()) {
    SN_ASSIGN(auto parsed, parse_config_json(override_json,
                                             base::str_cat("configuration of '", seen.name, "'")));
    return std::optional<ParsedConfig>(std::move(parsed));
  }
  if (!seen.has_config) return std::optional<ParsedConfig>();
  SN_ASSIGN(auto parsed, parse_config_text(seen.config_text, seen.folder + "/config.pbtxt"));
  return std::optional<ParsedConfig>(std::move(parsed));
}

base::Result<ModelPlan> make_plan(const SeenModel& seen, std::optional<ParsedConfig> config) {
  if (!seen.problem.empty()) return absl::FailedPreconditionError(seen.problem);
  ModelPlan plan;
  plan.name = seen.name;
  plan.folder = seen.folder;
  inference::ModelVersionPolicy policy;
  std::string file;
  uint64_t config_mark = 0;
  if (config) {
    config_mark = std::hash<std::string>()(config->config.SerializeAsString()) | 1;
    policy = config->config.version_policy();
    file = config->config.default_model_filename();
    SN_TRY(check_file_name(file));
    plan.warnings = std::move(config->warnings);
    plan.config = std::make_shared<inference::ModelConfig>(std::move(config->config));
  }
  SN_TRY(check_version_policy(policy));
  std::set<int64_t> available;
  for (const SeenVersion& version : seen.versions) available.insert(version.number);
  if (available.empty()) {
    return absl::NotFoundError(base::str_cat("'", seen.place, "' holds no version"));
  }
  if (plan.config) {
    warn_of_missing(policy, available, plan.warnings);
    SN_TRY(read_labels(plan, available, plan.labels));
  }
  const std::set<int64_t> selected = selected_versions(policy, available);
  if (selected.empty()) {
    return absl::NotFoundError(base::str_cat("version_policy selects none of the versions of '",
                                             seen.place, "': ", base::str_join(available, ", ")));
  }
  for (const SeenVersion& version : seen.versions) {
    if (!selected.contains(version.number)) continue;
    // Multiplication by an odd number keeps what differs different.
    const uint64_t mark =
        (version.fingerprint * 0x9e3779b97f4a7c15U + seen.fingerprint) * 0x9e3779b97f4a7c15U +
        config_mark;
    plan.versions.push_back(
        {version.number, model_path(seen, version, file), version.path, mark, version.byte_size});
  }
  return plan;
}

}  // namespace supernova::model
