// What requests and the index see of the models: which versions serve, and what became of the
// others. The reconciler replaces a model's entry as a whole, so that a look-up sees the old state
// or the new one. Thread-safe; no look-up ever waits for a load.
#pragma once

#include <map>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/model_version.h"

namespace supernova::model {

// A line of the repository's index.
struct IndexEntry {
  std::string name;
  std::string version;  // "" = never loaded
  std::string state;    // "READY", "UNAVAILABLE", "LOADING", "UNLOADING", "" = never loaded
  std::string reason;   // also of a version that serves: why its last reload failed
};

struct VersionEntry {
  VersionHandle handle;  // the version that serves, else the one that loads or failed; may be null
  std::string state;     // as in the index
  std::string reason;
};

struct ModelEntry {
  std::map<int64_t, VersionEntry> versions;
  std::map<std::string, int64_t, std::less<>> labels;
  std::string reason;  // why nothing of the model as it lies there now is served
};

class LookUp {
 public:
  // The ready version of a model; `version` "" = the highest. Errors are those of the wire: unknown
  // name INVALID_ARGUMENT, unknown version NOT_FOUND, not ready UNAVAILABLE with the reason.
  base::Result<VersionHandle> find(std::string_view name, std::string_view version) const;
  // The version that a label stands for; NOT_FOUND for an unknown label.
  base::Result<VersionHandle> find_by_label(std::string_view name, std::string_view label) const;
  // Every version that serves, loads or failed, by name.
  std::vector<VersionHandle> list() const;
  // The ready versions of a model, lowest first; errors as of find().
  base::Result<std::vector<VersionHandle>> ready_versions(std::string_view name) const;
  std::vector<IndexEntry> index(bool only_ready) const;

  void replace(const std::string& name, ModelEntry entry);
  void erase(const std::string& name);

 private:
  mutable std::shared_mutex mutex_;
  std::map<std::string, ModelEntry, std::less<>> models_;
};

}  // namespace supernova::model
