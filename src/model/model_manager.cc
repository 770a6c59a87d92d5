#include "model/model_manager.h"

#include <charconv>
#include <filesystem>

#include "base/log.h"
#include "model/config_resolve.h"

namespace supernova::model {
namespace {

ModelFacts facts_of(const ModelVersion& version, const engine::Engine& engine,
                    const tensor::ImportedModel& imported, const engine::Signature& signature) {
  ModelFacts facts;
  facts.name = version.name();
  facts.engine = engine.name();
  facts.format = imported.artefact.format;
  const std::string& file =
      imported.description.file.empty() ? version.path() : imported.description.file;
  facts.file = std::filesystem::path(file).filename().string();
  facts.inputs = signature.inputs;
  facts.outputs = signature.outputs;
  return facts;
}

}  // namespace

ModelManager::~ModelManager() { drain(); }

base::Status ModelManager::load(const VersionSource& source, const LoadOptions& options) {
  auto version = std::make_shared<ModelVersion>(source.name, source.version, source.path);
  {
    std::unique_lock lock(mutex_);
    if (!models_[source.name].emplace(source.version, version).second) {
      return absl::AlreadyExistsError(base::str_cat("two models are called '", source.name, "' (",
                                                    source.path, "); name one with NAME=PATH"));
    }
  }
  version->start_loading();
  const base::Status status = open(*version, options);
  if (!status.ok()) {
    version->fail(status);
    return base::annotate(status, base::str_cat("model '", source.name, "'"));
  }
  return {};
}

base::Status ModelManager::open(ModelVersion& version, const LoadOptions& options) {
  const auto started = std::chrono::steady_clock::now();
  const sn_device device{sizeof(sn_device), SN_DEVICE_CPU, 0, "cpu"};
  tensor::ImportedModel imported;
  engine::Engine* engine = nullptr;
  if (!options.engine.empty()) {
    SN_ASSIGN(engine, catalogue_.find(options.engine));
  }
  if (engine != nullptr && engine->accepts_format("*")) {
    // The engine reads files of its own; there is nothing to import.
    imported.artefact.path = version.path();
    imported.artefact.format = engine->name();
  } else {
    SN_ASSIGN(imported, provider_.provide(version.path(), options.options));
    if (engine == nullptr) {
      SN_ASSIGN(engine, catalogue_.choose(imported.artefact, device, options.options));
    }
  }
  SN_ASSIGN(auto model, engine->open_model(imported.artefact, options.options));
  SN_ASSIGN(auto session, model->open_session(device, options.options));
  std::vector<std::string> warnings;
  SN_ASSIGN(ModelConfig config,
            resolve_config(nullptr, facts_of(version, *engine, imported, session->signature()),
                           warnings));
  for (const std::string& note : imported.description.notes) {
    SN_LOG(Info, "model '{}': {}", version.name(), note);
  }
  version.become_ready(std::move(config), std::move(imported.description),
                       std::make_unique<schedule::Scheduler>(std::move(session), options.queue));
  const auto took = std::chrono::steady_clock::now() - started;
  SN_LOG(Info, "model '{}' version {} is ready on {} after {} ms", version.name(),
         version.version(), engine->name(),
         std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
  return {};
}

base::Result<VersionHandle> ModelManager::find(std::string_view name,
                                               std::string_view version) const {
  std::shared_lock lock(mutex_);
  const auto model = models_.find(name);
  if (model == models_.end() || model->second.empty()) {
    return absl::InvalidArgumentError(
        base::str_cat("Request for unknown model: '", name, "' is not found"));
  }
  VersionHandle found;
  if (version.empty()) {
    found = model->second.rbegin()->second;
  } else {
    int64_t number = -1;
    const auto end = std::from_chars(version.data(), version.data() + version.size(), number);
    if (end.ec != std::errc() || end.ptr != version.data() + version.size()) {
      return absl::InvalidArgumentError(
          base::str_cat("failed to get model version from specified version string '", version,
                        "' (a version is a whole number)"));
    }
    const auto at = model->second.find(number);
    if (at == model->second.end()) {
      return absl::NotFoundError(base::str_cat("Request for unknown model: '", name, "' version ",
                                               version, " is not found"));
    }
    found = at->second;
  }
  const VersionState state = found->state();
  if (state != VersionState::kReady) {
    const std::string failure = found->failure();
    return absl::UnavailableError(base::str_cat(
        "Request for model '", name, "' version ", found->version(), ": it is not at ready state (",
        version_state_name(state), ")", failure.empty() ? "" : base::str_cat(": ", failure)));
  }
  return found;
}

std::vector<VersionHandle> ModelManager::list() const {
  std::shared_lock lock(mutex_);
  std::vector<VersionHandle> all;
  for (const auto& [name, versions] : models_) {
    for (const auto& [number, version] : versions) all.push_back(version);
  }
  return all;
}

base::Result<std::vector<VersionHandle>> ModelManager::ready_versions(std::string_view name) const {
  SN_ASSIGN(const VersionHandle highest, find(name, ""));
  std::vector<VersionHandle> ready;
  for (const VersionHandle& version : list()) {
    if (version->name() == name && version->state() == VersionState::kReady) {
      ready.push_back(version);
    }
  }
  return ready;
}

std::vector<IndexEntry> ModelManager::index(bool only_ready) const {
  std::vector<IndexEntry> entries;
  for (const VersionHandle& version : list()) {
    const bool ready = version->state() == VersionState::kReady;
    if (only_ready && !ready) continue;
    entries.push_back({version->name(), std::to_string(version->version()),
                       ready ? "READY" : "UNAVAILABLE", version->failure()});
  }
  return entries;
}

void ModelManager::load_explicitly(std::string, LoadRequest, LifecycleDone done) {
  done(absl::UnavailableError("explicit model load / unload is not allowed"));
}

void ModelManager::unload_explicitly(std::string, bool, LifecycleDone done) {
  done(absl::UnavailableError("explicit model load / unload is not allowed"));
}

void ModelManager::drain() {
  for (const VersionHandle& version : list()) version->drain();
}

}  // namespace supernova::model
