#include "model/look_up.h"

#include <algorithm>
#include <charconv>

namespace supernova::model {
namespace {

bool serves(const VersionEntry& version) {
  return version.handle != nullptr && version.handle->state() == VersionState::kReady;
}

base::Status unknown_model(std::string_view name) {
  return absl::InvalidArgumentError(
      base::str_cat("Request for unknown model: '", name, "' is not found"));
}

base::Status unknown_version(std::string_view name, int64_t number) {
  return absl::NotFoundError(
      base::str_cat("Request for unknown model: '", name, "' version ", number, " is not found"));
}

base::Status not_ready(std::string_view name, int64_t number, const VersionEntry& version) {
  std::string state;
  for (const char c : version.state) state += c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
  if (version.handle != nullptr) state = version_state_name(version.handle->state());
  return absl::UnavailableError(base::str_cat("Request for model '", name, "' version ", number,
                                              ": it is not at ready state (", state, ")",
                                              version.reason.empty() ? "" : ": ", version.reason));
}

base::Result<VersionHandle> find_version(std::string_view name, const ModelEntry& model,
                                         int64_t number) {
  const auto at = model.versions.find(number);
  if (at == model.versions.end()) return unknown_version(name, number);
  if (!serves(at->second)) return not_ready(name, number, at->second);
  return at->second.handle;
}

base::Result<VersionHandle> find_highest(std::string_view name, const ModelEntry& model) {
  const auto& versions = model.versions;
  const auto highest = std::find_if(versions.rbegin(), versions.rend(),
                                    [](const auto& version) { return serves(version.second); });
  if (highest != versions.rend()) return highest->second.handle;
  const auto tried = std::find_if(versions.rbegin(), versions.rend(), [](const auto& version) {
    return version.second.handle != nullptr;
  });
  if (tried != versions.rend()) return not_ready(name, tried->first, tried->second);
  if (!model.reason.empty()) {
    return absl::UnavailableError(
        base::str_cat("Request for model '", name, "': it is not at ready state: ", model.reason));
  }
  return absl::NotFoundError(
      base::str_cat("Request for unknown model: '", name, "' has no available versions"));
}

}  // namespace

base::Result<VersionHandle> LookUp::find(std::string_view name, std::string_view version) const {
  std::shared_lock lock(mutex_);
  const auto model = models_.find(name);
  if (model == models_.end()) return unknown_model(name);
  if (version.empty()) return find_highest(name, model->second);
  int64_t number = -1;
  const auto end = std::from_chars(version.data(), version.data() + version.size(), number);
  if (end.ec != std::errc() || end.ptr != version.data() + version.size()) {
    return absl::InvalidArgumentError(
        base::str_cat("failed to get model version from specified version string '", version,
                      "' (a version is a whole number)"));
  }
  return find_version(name, model->second, number);
}

base::Result<VersionHandle> LookUp::find_by_label(std::string_view name,
                                                  std::string_view label) const {
  std::shared_lock lock(mutex_);
  const auto model = models_.find(name);
  if (model == models_.end()) return unknown_model(name);
  const auto at = model->second.labels.find(label);
  if (at == model->second.labels.end()) {
    return absl::NotFoundError(
        base::str_cat("Request for unknown model: '", name, "' has no version label '", label,
                      "'; labels are parameters version_label.NAME of its config.pbtxt"));
  }
  return find_version(name, model->second, at->second);
}

std::vector<VersionHandle> LookUp::list() const {
  std::shared_lock lock(mutex_);
  std::vector<VersionHandle> all;
  for (const auto& [name, model] : models_) {
    for (const auto& [number, version] : model.versions) {
      if (version.handle != nullptr) all.push_back(version.handle);
    }
  }
  return all;
}

base::Result<std::vector<VersionHandle>> LookUp::ready_versions(std::string_view name) const {
  std::shared_lock lock(mutex_);
  const auto model = models_.find(name);
  if (model == models_.end()) return unknown_model(name);
  std::vector<VersionHandle> ready;
  for (const auto& [number, version] : model->second.versions) {
    if (serves(version)) ready.push_back(version.handle);
  }
  if (ready.empty()) return find_highest(name, model->second).status();
  return ready;
}

std::vector<IndexEntry> LookUp::index(bool only_ready) const {
  std::shared_lock lock(mutex_);
  std::vector<IndexEntry> entries;
  for (const auto& [name, model] : models_) {
    if (model.versions.empty() && !only_ready) {
      entries.push_back({name, "", "UNAVAILABLE", model.reason});
    }
    for (const auto& [number, version] : model.versions) {
      IndexEntry entry{name, std::to_string(number), version.state,
                       version.reason.empty() ? model.reason : version.reason};
      const base::Status health = serves(version) ? version.handle->health() : base::Status();
      if (!health.ok()) {
        entry.state = "UNAVAILABLE";
        entry.reason = std::string(base::message(health));
      }
      if (!only_ready || entry.state == "READY") entries.push_back(std::move(entry));
    }
  }
  return entries;
}

void LookUp::replace(const std::string& name, ModelEntry entry) {
  {
    std::unique_lock lock(mutex_);
    std::swap(models_[name], entry);
  }
  // What was replaced is let go outside the lock.
}

void LookUp::erase(const std::string& name) {
  ModelEntry gone;
  std::unique_lock lock(mutex_);
  const auto at = models_.find(name);
  if (at == models_.end()) return;
  gone = std::move(at->second);
  models_.erase(at);
  lock.unlock();
}

}  // namespace supernova::model
