// Holds the models that are served: loads them at start, lends handles to ready versions, drains
// them at the end. Loading is done on the caller's thread. Look-ups are safe from any thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/catalogue.h"
#include "model/model_source.h"
#include "model/model_version.h"
#include "tensor/artefact.h"

namespace supernova::model {

struct LoadOptions {
  std::string engine;       // "" = chosen
  tensor::Options options;  // for importer and engine
  schedule::SchedulerOptions queue;
};

// A line of the repository's index.
struct IndexEntry {
  std::string name;
  std::string version;  // "" = never loaded
  std::string state;    // "READY", "UNAVAILABLE", "LOADING", "UNLOADING", "" = never loaded
  std::string reason;
};

// A load that a client asks for.
struct LoadRequest {
  struct File {
    std::string path;  // inside the model's folder: "1/model.onnx"
    tensor::Buffer content;
  };
  std::string config;       // JSON of a model configuration; "" = the repository's own
  std::vector<File> files;  // instead of the repository's
};

// Called once, on any thread, when a load or unload has ended.
using LifecycleDone = absl::AnyInvocable<void(base::Status)>;

class ModelManager {
 public:
  ModelManager(tensor::ArtefactProvider& provider, engine::Catalogue& catalogue)
      : provider_(provider), catalogue_(catalogue) {}
  ~ModelManager();

  // Loads one version; it is listed with its reason if that fails. ALREADY_EXISTS for a name taken.
  base::Status load(const VersionSource& source, const LoadOptions& options);

  // The ready version of a model; `version` "" = the highest. Errors are those of the wire: unknown
  // name INVALID_ARGUMENT, unknown version NOT_FOUND, not ready UNAVAILABLE with the reason.
  base::Result<VersionHandle> find(std::string_view name, std::string_view version) const;
  // Every version, ready or not, by name.
  std::vector<VersionHandle> list() const;
  // The ready versions of a model, lowest first; errors as of find().
  base::Result<std::vector<VersionHandle>> ready_versions(std::string_view name) const;

  // Every model the repositories hold, loaded or not, with what became of it.
  std::vector<IndexEntry> index(bool only_ready) const;
  // Explicit control: `done` says how it ended. UNAVAILABLE unless the control mode is explicit.
  void load_explicitly(std::string name, LoadRequest request, LifecycleDone done);
  void unload_explicitly(std::string name, bool unload_dependents, LifecycleDone done);
  // Waits for queued and running requests, then closes all sessions. No look-up succeeds
  // afterwards.
  void drain();

 private:
  base::Status open(ModelVersion& version, const LoadOptions& options);

  tensor::ArtefactProvider& provider_;
  engine::Catalogue& catalogue_;
  mutable std::shared_mutex mutex_;
  std::map<std::string, std::map<int64_t, VersionHandle>, std::less<>> models_;
};

}  // namespace supernova::model
